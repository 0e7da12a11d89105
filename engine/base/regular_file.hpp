#pragma once
// Files that are read: opened only if they are files. A folder, a pipe, a socket or a device is refused
// before a byte of it is read; such a read may wait for ever or never end. Links are followed.

#include <fcntl.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace flipstorm
{

/// A regular file that is open; closes itself.
class RegularFile
{
  public:
    RegularFile(const RegularFile&) = delete;
    RegularFile& operator=(const RegularFile&) = delete;
    RegularFile(RegularFile&& other) noexcept;
    RegularFile& operator=(RegularFile&&) = delete;
    ~RegularFile();

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] int descriptor() const { return descriptor_; }

    /// Bytes that it had when it was opened.
    [[nodiscard]] std::uint64_t size() const { return size_; }

    /// The next bytes, into `out`: fewer than asked for only at the end. \throws FileError, naming the file
    /// and the system's reason
    std::size_t read(void* out, std::size_t bytes);

    /// The descriptor, which the caller closes from now on.
    [[nodiscard]] int release();

  private:
    friend RegularFile open_regular_file(const std::filesystem::path& name, int access);
    explicit RegularFile(std::string name) : name_(std::move(name)) {}

    std::string name_;
    int descriptor_ = -1;
    std::uint64_t size_ = 0;
};

/**
 * Open a file that is there. \param access  O_RDONLY or O_RDWR
 *
 * \throws FileError, naming the file and the system's reason, or what it is if it is no regular file.
 */
[[nodiscard]] RegularFile open_regular_file(const std::filesystem::path& name, int access = O_RDONLY);

/// \throws FileError, naming the file and what it is, if it is there and no regular file.
void require_regular_file(const std::filesystem::path& name);

}  // namespace flipstorm
