#include "engine/base/regular_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

const char* kind_of(mode_t mode)
{
    if (S_ISDIR(mode)) return "a folder";
    if (S_ISFIFO(mode)) return "a pipe";
    if (S_ISSOCK(mode)) return "a socket";
    return "a device";
}

void require_regular(const std::string& name, const struct stat& status)
{
    FS_CHECK(FileError, S_ISREG(status.st_mode), "cannot read '{}': it is {}, not a file", name,
             kind_of(status.st_mode));
}

}  // namespace

RegularFile::RegularFile(RegularFile&& other) noexcept
    : name_(std::move(other.name_)), descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_)
{}

RegularFile::~RegularFile()
{
    if (descriptor_ >= 0) ::close(descriptor_);
}

int RegularFile::release()
{
    return std::exchange(descriptor_, -1);
}

std::size_t RegularFile::read(void* out, std::size_t bytes)
{
    auto* const to = static_cast<char*>(out);
    std::size_t have = 0;
    while (have < bytes)
    {
        const ssize_t got = ::read(descriptor_, to + have, bytes - have);
        if (got < 0 && errno == EINTR) continue;
        FS_CHECK(FileError, got >= 0, "cannot read '{}': {}", name_, std::strerror(errno));
        if (got == 0) break;
        have += static_cast<std::size_t>(got);
    }
    return have;
}

RegularFile open_regular_file(const std::filesystem::path& name, int access)
{
    // Before it is opened, too: that alone makes some devices act.
    require_regular_file(name);
    RegularFile file(name.string());
    // Without O_NONBLOCK a pipe that nobody writes to would be waited for.
    file.descriptor_ = ::open(name.c_str(), access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    FS_CHECK(FileError, file.descriptor_ >= 0, "cannot open '{}': {}", file.name_, std::strerror(errno));
    struct stat status = {};
    FS_CHECK(FileError, ::fstat(file.descriptor_, &status) == 0, "cannot read '{}': {}", file.name_,
             std::strerror(errno));
    require_regular(file.name_, status);
    file.size_ = static_cast<std::uint64_t>(status.st_size);
    return file;
}

void require_regular_file(const std::filesystem::path& name)
{
    struct stat status = {};
    if (::stat(name.c_str(), &status) == 0) require_regular(name.string(), status);
}

}  // namespace flipstorm
