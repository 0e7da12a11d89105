#pragma once
// Files of data sets: opened only if they are files, and what a folder holds, in words.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace flipstorm
{

/// A data file that is open for reading; closes itself. Never waits for a pipe or a device: those are
/// refused.
class DataFile
{
  public:
    /// \throws FileError, naming the file and the system's reason, if it cannot be opened or is no regular
    /// file (a folder, pipe, device, socket).
    explicit DataFile(const std::filesystem::path& file);
    DataFile(const DataFile&) = delete;
    DataFile& operator=(const DataFile&) = delete;
    ~DataFile();

    [[nodiscard]] std::uint64_t size() const { return size_; }

    /// The descriptor, which the caller closes from now on.
    [[nodiscard]] int release();

    /// The next bytes, into `out`: fewer than asked for only at the end. \throws FileError
    std::size_t read(std::uint8_t* out, std::size_t bytes);

  private:
    std::string name_;
    int descriptor_ = -1;
    std::uint64_t size_ = 0;
};

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
