#pragma once
// Files that are either whole or absent, whatever happens while they are written: written under a temporary
// name (temporary_file.hpp), fsynced, renamed, and the folder fsynced.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace flipstorm
{

/**
 * Make sure that a file can grow to so many bytes, where the file system can tell.
 *
 * The file is that long afterwards, its content as it was. \throws FileError, naming the file and the
 * system's reason (disk full).
 */
void reserve_space(const std::filesystem::path& name, std::uint64_t bytes);

/**
 * Fsync a closed file, give it its final name, and fsync the folder.
 *
 * \throws FileError, naming the file and the system's reason; the temporary file is removed.
 */
void publish_file(const std::filesystem::path& temporary, const std::filesystem::path& final_name);

/**
 * Write a file so that its name only ever stands for complete content.
 *
 * \throws FileError, naming the file and the system's reason (disk full, read-only); the temporary file is
 * removed and an older file of that name stays as it was.
 */
void write_file_durably(const std::filesystem::path& final_name, std::string_view content);

/// Longest file that is read as a text, in bytes.
inline constexpr std::uint64_t kLongestText = std::uint64_t{64} << 20U;

/**
 * The whole content of a regular file of at most `longest` bytes. Anything else is refused before a byte of
 * it is read. \throws FileError, naming the file and the reason.
 */
[[nodiscard]] std::string read_file(const std::filesystem::path& name, std::uint64_t longest = kLongestText);

/// Make a folder and its parents. \throws FileError, naming the folder and the system's reason.
void make_folder(const std::filesystem::path& folder);

}  // namespace flipstorm
