#include "engine/base/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "engine/base/printable_text.hpp"

namespace flipstorm
{
namespace
{

std::shared_ptr<spdlog::logger>& logger()
{
    static std::shared_ptr<spdlog::logger> instance = [] {
        auto made = spdlog::stderr_color_mt("flipstorm");
        made->set_pattern("%^[%H:%M:%S %l]%$ %v");
        return made;
    }();
    return instance;
}

}  // namespace

void configure_logging(int rank, bool quiet)
{
    logger()->set_level(rank == 0 && !quiet ? spdlog::level::info : spdlog::level::warn);
    logger()->set_pattern(rank == 0 ? "%^[%H:%M:%S %l]%$ %v"
                                    : fmt::format("%^[%H:%M:%S rank {} %l]%$ %v", rank));
}

void log_message(LogLevel level, const std::string& text)
{
    const std::string message = printable(text, TextLines::many);
    switch (level)
    {
        case LogLevel::debug:
            logger()->debug(message);
            break;
        case LogLevel::info:
            logger()->info(message);
            break;
        case LogLevel::warning:
            logger()->warn(message);
            break;
        case LogLevel::error:
            logger()->error(message);
            break;
    }
    if (level >= LogLevel::warning) logger()->flush();
}

}  // namespace flipstorm
