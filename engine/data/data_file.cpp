#include "engine/data/data_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace fs = std::filesystem;
namespace
{

const char* kind_of(mode_t mode)
{
    if (S_ISDIR(mode)) return "a folder";
    if (S_ISFIFO(mode)) return "a pipe";
    if (S_ISSOCK(mode)) return "a socket";
    if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
    return "no regular file";
}

}  // namespace

DataFile::DataFile(const fs::path& file) : name_(file.string())
{
    // Without O_NONBLOCK a pipe that nobody writes to would be waited for.
    descriptor_ = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    FS_CHECK(FileError, descriptor_ >= 0, "cannot open '{}': {}", name_, std::strerror(errno));
    struct stat status = {};
    const bool known = ::fstat(descriptor_, &status) == 0;
    if (known && S_ISREG(status.st_mode))
    {
        size_ = static_cast<std::uint64_t>(status.st_size);
        return;
    }
    const std::string reason =
        known ? fmt::format("it is {}", kind_of(status.st_mode)) : std::strerror(errno);
    ::close(std::exchange(descriptor_, -1));
    throw FileError("cannot read '{}': {}", name_, reason);
}

DataFile::~DataFile()
{
    if (descriptor_ >= 0) ::close(descriptor_);
}

int DataFile::release()
{
    return std::exchange(descriptor_, -1);
}

std::size_t DataFile::read(std::uint8_t* out, std::size_t bytes)
{
    std::size_t have = 0;
    while (have < bytes)
    {
        const ssize_t got = ::read(descriptor_, out + have, bytes - have);
        if (got < 0 && errno == EINTR) continue;
        FS_CHECK(FileError, got >= 0, "cannot read '{}': {}", name_, std::strerror(errno));
        if (got == 0) break;
        have += static_cast<std::size_t>(got);
    }
    return have;
}

std::vector<std::string> names_in(const fs::path& folder)
{
    constexpr std::size_t kMost = 100000;
    FS_CHECK(FileError, fs::is_directory(folder), "data.path: '{}' is not a folder", folder.string());
    std::error_code error;
    std::vector<std::string> names;
    for (fs::directory_iterator at(folder, error), end; !error && at != end && names.size() < kMost;
         at.increment(error))
    {
        names.push_back(at->path().filename().string());
    }
    FS_CHECK(FileError, !error, "cannot list the folder '{}': {}", folder.string(), error.message());
    std::sort(names.begin(), names.end());
    return names;
}

std::string content_text(const fs::path& folder)
{
    constexpr std::size_t kShown = 8;
    std::vector<std::string> names;
    try
    {
        names = names_in(folder);
    }
    catch (const FileError& error)
    {
        return error.what();
    }
    if (names.empty()) return "nothing";
    std::string text;
    for (std::size_t i = 0; i < std::min(kShown, names.size()); ++i)
        text += fmt::format("{}'{:.100}'", i == 0 ? "" : ", ", names[i]);
    if (names.size() > kShown) text += fmt::format(" and {} others", names.size() - kShown);
    return text;
}

void need_memory(std::uint64_t bytes, const fs::path& file)
{
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    const long page = ::sysconf(_SC_PAGE_SIZE);
    if (pages <= 0 || page <= 0) return;
    const std::uint64_t memory = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page);
    FS_CHECK(DataError, bytes <= memory, "'{}' holds {} MiB of values, and this machine has {} MiB of memory",
             file.string(), bytes >> 20U, memory >> 20U);
}

}  // namespace flipstorm
