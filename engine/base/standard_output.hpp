#pragma once
// Results and tables go to standard output, through here alone, so that none is lost unnoticed: a disk that
// is full, a closed descriptor or a reader that is gone is remembered and told at the end, when the work is
// done and saved.

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace flipstorm
{

/// Write text. Never throws for a failure: what comes after it is dropped, and output_problem() tells.
void print_text(std::string_view text) noexcept;

/// Write a formatted text.
template<class... Args>
void print_result(fmt::format_string<Args...> format, Args&&... args)
{
    print_text(fmt::format(format, std::forward<Args>(args)...));
}

/// Write an error message to standard error; a failure of that has nobody to be told to.
void print_error(std::string_view text) noexcept;

/// Hand over to the system what is buffered.
void flush_output() noexcept;

/// Flush; what went wrong since the process began, as a message that names standard output and the system's
/// reason. Empty: all is written.
[[nodiscard]] std::string output_problem();

/**
 * Open the standard descriptors 0 to 2 that the process was started without, so that no file of ours gets
 * their numbers and with them what is meant for the user. Writing to a closed standard output is then an
 * error, of standard error is not. Call it before any file is opened.
 */
void occupy_standard_descriptors() noexcept;

}  // namespace flipstorm
