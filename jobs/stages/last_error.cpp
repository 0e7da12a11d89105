#include "jobs/stages/last_error.hpp"

#include <fmt/format.h>

#include <exception>

#include "engine/base/durable_file.hpp"
#include "engine/base/log.hpp"
#include "engine/base/printable_text.hpp"

namespace flipstorm
{
namespace fs = std::filesystem;
namespace
{

std::string start_line(const std::string& start)
{
    return fmt::format("start: {}\n", start);
}

}  // namespace

std::string to_text(const LastError& error)
{
    return fmt::format("time: {}\n{}rank: {} of {}\nhost: {}\ncommand: {}\nmessage: {}\n", error.time,
                       start_line(error.start), error.rank, error.ranks, error.host, printable(error.command),
                       printable(error.message, TextLines::many));
}

void leave_last_error(const fs::path& out, const LastError& error) noexcept
{
    const fs::path file = out / kLastErrorFile;
    try
    {
        const bool first = !fs::exists(file) || error.start.empty() ||
                           read_file(file).find(start_line(error.start)) == std::string::npos;
        if (first || !error.echo) write_file_durably(file, to_text(error));
    }
    catch (const std::exception& failure)
    {
        log_debug("no last error is left: {}", failure.what());
    }
}

void forget_last_error(const fs::path& out) noexcept
{
    std::error_code ignored;
    fs::remove(out / kLastErrorFile, ignored);
}

}  // namespace flipstorm
