#include "engine/base/durable_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/base/regular_file.hpp"
#include "engine/base/temporary_file.hpp"

namespace flipstorm
{
namespace fs = std::filesystem;
namespace
{

std::string reason()
{
    return std::strerror(errno);
}

/// An open file descriptor that closes itself.
class Descriptor
{
  public:
    Descriptor(const fs::path& name, int flags)
        : name_(name), value_(::open(name.c_str(), flags | O_CLOEXEC, 0666))
    {
        FS_CHECK(FileError, value_ >= 0, "cannot open '{}': {}", name.string(), reason());
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor()
    {
        if (value_ >= 0) ::close(value_);
    }

    [[nodiscard]] int get() const { return value_; }

    void sync() const
    {
        FS_CHECK(FileError, ::fsync(value_) == 0, "cannot fsync '{}': {}", name_.string(), reason());
    }

    void close()
    {
        const int value = std::exchange(value_, -1);
        FS_CHECK(FileError, ::close(value) == 0, "cannot close '{}': {}", name_.string(), reason());
    }

  private:
    fs::path name_;
    int value_;
};

fs::path folder_of(const fs::path& name)
{
    return name.has_parent_path() ? name.parent_path() : fs::path(".");
}

}  // namespace

void reserve_space(const fs::path& name, std::uint64_t bytes)
{
    const Descriptor file(name, O_WRONLY | O_NOFOLLOW);
    const int code = ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
    if (code == EOPNOTSUPP || code == EINVAL) return;  // a file system that cannot tell
    FS_CHECK(FileError, code == 0, "cannot reserve {} bytes for '{}': {}", bytes, name.string(),
             std::strerror(code));
}

void publish_file(const fs::path& temporary, const fs::path& final_name)
{
    try
    {
        Descriptor(temporary, O_RDONLY | O_NOFOLLOW).sync();
        FS_CHECK(FileError, ::rename(temporary.c_str(), final_name.c_str()) == 0,
                 "cannot rename '{}' to '{}': {}", temporary.string(), final_name.string(), reason());
    }
    catch (...)
    {
        ::unlink(temporary.c_str());
        throw;
    }
    Descriptor(folder_of(final_name), O_RDONLY | O_DIRECTORY).sync();
}

void write_file_durably(const fs::path& final_name, std::string_view content)
{
    const fs::path temporary = create_temporary(final_name);
    try
    {
        Descriptor file(temporary, O_WRONLY | O_NOFOLLOW);
        std::string_view left = content;
        while (!left.empty())
        {
            const ssize_t written = ::write(file.get(), left.data(), left.size());
            if (written < 0 && errno == EINTR) continue;
            FS_CHECK(FileError, written >= 0, "cannot write '{}': {}", final_name.string(), reason());
            left.remove_prefix(static_cast<std::size_t>(written));
        }
        file.close();
    }
    catch (...)
    {
        ::unlink(temporary.c_str());
        throw;
    }
    publish_file(temporary, final_name);
}

std::string read_file(const fs::path& name, std::uint64_t longest)
{
    RegularFile file = open_regular_file(name);
    FS_CHECK(FileError, file.size() <= longest, "cannot read '{}': it has {} bytes, at most {} can be",
             name.string(), file.size(), longest);
    std::string content(file.size(), '\0');
    content.resize(file.read(content.data(), content.size()));
    return content;
}

void make_folder(const fs::path& folder)
{
    std::error_code error;
    fs::create_directories(folder, error);
    FS_CHECK(FileError, !error, "cannot make the folder '{}': {}", folder.string(), error.message());
}

}  // namespace flipstorm
