#include "engine/base/durable_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/base/error.hpp"

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

fs::path temporary_name(const fs::path& final_name)
{
    return folder_of(final_name) / ("." + final_name.filename().string() + ".tmp");
}

void reserve_space(const fs::path& name, std::uint64_t bytes)
{
    const Descriptor file(name, O_WRONLY);
    const int code = ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
    if (code == EOPNOTSUPP || code == EINVAL) return;  // a file system that cannot tell
    FS_CHECK(FileError, code == 0, "cannot reserve {} bytes for '{}': {}", bytes, name.string(),
             std::strerror(code));
}

void publish_file(const fs::path& temporary, const fs::path& final_name)
{
    Descriptor(temporary, O_RDONLY).sync();
    FS_CHECK(FileError, ::rename(temporary.c_str(), final_name.c_str()) == 0,
             "cannot rename '{}' to '{}': {}", temporary.string(), final_name.string(), reason());
    Descriptor(folder_of(final_name), O_RDONLY | O_DIRECTORY).sync();
}

void write_file_durably(const fs::path& final_name, std::string_view content)
{
    const fs::path temporary = temporary_name(final_name);
    try
    {
        Descriptor file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
        std::string_view left = content;
        while (!left.empty())
        {
            const ssize_t written = ::write(file.get(), left.data(), left.size());
            if (written < 0 && errno == EINTR) continue;
            FS_CHECK(FileError, written >= 0, "cannot write '{}': {}", final_name.string(), reason());
            left.remove_prefix(static_cast<std::size_t>(written));
        }
        file.close();
        publish_file(temporary, final_name);
    }
    catch (...)
    {
        ::unlink(temporary.c_str());
        throw;
    }
}

std::string read_file(const fs::path& name)
{
    const Descriptor file(name, O_RDONLY);
    struct stat status = {};
    FS_CHECK(FileError, ::fstat(file.get(), &status) == 0, "cannot read '{}': {}", name.string(), reason());
    FS_CHECK(FileError, !S_ISDIR(status.st_mode), "cannot read '{}': it is a folder", name.string());
    std::string content(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t have = 0;
    while (have < content.size())
    {
        const ssize_t got = ::read(file.get(), content.data() + have, content.size() - have);
        if (got < 0 && errno == EINTR) continue;
        FS_CHECK(FileError, got >= 0, "cannot read '{}': {}", name.string(), reason());
        if (got == 0) break;
        have += static_cast<std::size_t>(got);
    }
    content.resize(have);
    return content;
}

void make_folder(const fs::path& folder)
{
    std::error_code error;
    fs::create_directories(folder, error);
    FS_CHECK(FileError, !error, "cannot make the folder '{}': {}", folder.string(), error.message());
}

}  // namespace flipstorm
