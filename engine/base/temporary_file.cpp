#include "engine/base/temporary_file.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/base/sha256.hpp"

namespace flipstorm
{
namespace fs = std::filesystem;
namespace
{

constexpr std::string_view kEnding = ".tmp";
constexpr std::size_t kTag = 32;
constexpr std::size_t kTagHost = 8;        ///< its first digits
constexpr std::size_t kLongestName = 150;  ///< bytes of NAME that are kept: the whole must fit 255
constexpr std::chrono::minutes kLongSilence{10};

/// Where process numbers mean what they mean here: this boot of this host, and this process namespace.
std::string host_tag()
{
    static const std::string tag = [] {
        std::string boot;
        std::ifstream file("/proc/sys/kernel/random/boot_id");
        std::getline(file, boot);
        std::array<char, 64> space{};
        const bool known = ::readlink("/proc/self/ns/pid", space.data(), space.size() - 1) > 0;
        return boot.empty() || !known ? std::string(kTagHost, '0')
                                      : sha256_hex(boot + space.data()).substr(0, kTagHost);
    }();
    return tag;
}

std::uint64_t random_number()
{
    std::uint64_t number = 0;
    while (::getrandom(&number, sizeof(number), 0) != static_cast<ssize_t>(sizeof(number)))
        FS_CHECK(FileError, errno == EINTR, "the system gives no random numbers: {}", std::strerror(errno));
    return number;
}

/// The tag in the name of a temporary file; empty if there is none.
std::string tag_of(const fs::path& name)
{
    const std::string text = name.filename().string();
    constexpr std::size_t kRest = kTag + 1 + kEnding.size();
    if (text.size() < kRest + 2 || text.front() != '.' || text[text.size() - kRest] != '.') return {};
    const std::string tag = text.substr(text.size() - kRest + 1, kTag);
    const bool is_tag = tag.find_first_not_of("0123456789abcdef") == std::string::npos &&
                        text.compare(text.size() - kEnding.size(), kEnding.size(), kEnding) == 0;
    return is_tag ? tag : std::string();
}

enum class Writer
{
    here,     ///< a process of this host has its number
    gone,     ///< none has
    unknown,  ///< another host's, or of a version that did not say
};

/// What the tag of each file of this process begins with.
std::string own_tag()
{
    return fmt::format("{}{:08x}", host_tag(), static_cast<std::uint32_t>(::getpid()));
}

Writer writer_of(const std::string& tag)
{
    const std::string host = host_tag();
    if (tag.empty() || tag.compare(0, kTagHost, host) != 0 || host == std::string(kTagHost, '0'))
        return Writer::unknown;
    std::int32_t process = 0;
    std::from_chars(tag.data() + kTagHost, tag.data() + 2 * kTagHost, process, 16);
    return process > 0 && ::kill(process, 0) != 0 && errno == ESRCH ? Writer::gone : Writer::here;
}

}  // namespace

fs::path create_temporary(const fs::path& final_name)
{
    const std::string name = final_name.filename().string().substr(0, kLongestName);
    const fs::path folder = final_name.has_parent_path() ? final_name.parent_path() : fs::path(".");
    while (true)
    {
        const fs::path file =
            folder / fmt::format(".{}.{}{:016x}{}", name, own_tag(), random_number(), kEnding);
        const int descriptor =
            ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (descriptor < 0 && errno == EEXIST) continue;
        FS_CHECK(FileError, descriptor >= 0, "cannot write '{}': cannot create a file in '{}': {}",
                 final_name.string(), folder.string(), std::strerror(errno));
        ::close(descriptor);
        return file;
    }
}

namespace
{

/// Remove the regular files of a folder with a tag for which `choose(tag, entry)` says yes.
template<class Choice>
void remove_temporaries(const fs::path& folder, const Choice& choose) noexcept
{
    try
    {
        std::error_code error;
        std::vector<fs::path> chosen;
        for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
        {
            const std::string tag = tag_of(entry->path());
            std::error_code gone;
            if (tag.empty() || entry->symlink_status(gone).type() != fs::file_type::regular) continue;
            if (choose(tag, *entry)) chosen.push_back(entry->path());
        }
        for (const fs::path& file : chosen)
            fs::remove(file, error);
    }
    catch (const std::exception&)
    {
        // Out of memory: they stay until another start.
    }
}

}  // namespace

void remove_dead_temporaries(const fs::path& folder, fs::file_time_type now) noexcept
{
    remove_temporaries(folder, [now](const std::string& tag, const fs::directory_entry& entry) {
        std::error_code gone;
        const Writer writer = writer_of(tag);
        const bool silent = now - entry.last_write_time(gone) > kLongSilence && !gone;
        return writer == Writer::gone || (writer == Writer::unknown && silent);
    });
}

void remove_own_temporaries(const fs::path& folder) noexcept
{
    remove_temporaries(folder, [](const std::string& tag, const fs::directory_entry&) {
        const std::string own = own_tag();
        return tag.compare(0, own.size(), own) == 0;
    });
}

}  // namespace flipstorm
