#pragma once
// Folders of data sets: what they hold, in words, and whether it fits into memory.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace flipstorm
{

/// Names in a folder, sorted, at most 100,000 of them. \throws FileError if it is no folder or cannot be
/// read.
[[nodiscard]] std::vector<std::string> names_in(const std::filesystem::path& folder);

/// Some of what is in a folder, for a message: `'a', 'b' and 5 others`, or "nothing". Does not throw.
[[nodiscard]] std::string content_text(const std::filesystem::path& folder);

/**
 * Bytes that fit into this machine's memory.
 *
 * \throws DataError, naming the file, for more bytes than that: what a header declares is not tried.
 */
void need_memory(std::uint64_t bytes, const std::filesystem::path& file);

}  // namespace flipstorm
