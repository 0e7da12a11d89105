#pragma once
// The last error of an out folder, for who comes later: `last_error.txt` says when, where and why a run
// failed.

#include <filesystem>
#include <string>

namespace flipstorm
{

/// Name of the file in the out folder.
inline constexpr const char* kLastErrorFile = "last_error.txt";

/// A failure of one rank.
struct LastError
{
    std::string time;   ///< UTC
    std::string start;  ///< token of the start that failed; empty: it had no lock
    int rank = 0;
    int ranks = 1;
    std::string host;
    std::string command;
    std::string message;
    bool echo = false;  ///< may be the consequence of another rank's failure
};

/// The text of the file: "key: value" lines, the message last.
[[nodiscard]] std::string to_text(const LastError& error);

/// Write the file, durably; an echo does not replace an error of the same start. Never throws: a disk that is
/// full or may not be written is no second error.
void leave_last_error(const std::filesystem::path& out, const LastError& error) noexcept;

/// Remove the file; nothing to remove is no error. Never throws.
void forget_last_error(const std::filesystem::path& out) noexcept;

}  // namespace flipstorm
