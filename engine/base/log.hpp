#pragma once
// What flipstorm says while it works. Messages go to standard error through spdlog; results and tables go to
// standard output and do not pass here. Thread-safe.

#include <fmt/format.h>

#include <string>
#include <utility>

namespace flipstorm
{

enum class LogLevel
{
    debug,
    info,
    warning,
    error,
};

/**
 * Set up the log of this process.
 *
 * Rank 0 logs from `info` upwards (from `warning` when quiet); other ranks log warnings and errors only, with
 * their rank in front. Before the first call everything from `info` upwards is logged.
 */
void configure_logging(int rank, bool quiet);

/// Log one finished message; control characters in it, but for line breaks and tabs, are escaped.
void log_message(LogLevel level, const std::string& text);

template<class... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args)
{
    log_message(LogLevel::debug, fmt::format(format, std::forward<Args>(args)...));
}

template<class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args)
{
    log_message(LogLevel::info, fmt::format(format, std::forward<Args>(args)...));
}

template<class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args)
{
    log_message(LogLevel::warning, fmt::format(format, std::forward<Args>(args)...));
}

template<class... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args)
{
    log_message(LogLevel::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace flipstorm
