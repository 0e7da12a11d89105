#include "engine/data/data_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace fs = std::filesystem;

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
