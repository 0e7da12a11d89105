#include "engine/base/failure_text.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <array>

namespace flipstorm
{

std::string plain_message(std::string_view what)
{
    constexpr std::string_view kTrace = "Exception raised from ";
    constexpr std::string_view kBlank = " \t\r\n";
    std::size_t trace = what.find(kTrace);
    while (trace != std::string_view::npos && trace > 0 && what[trace - 1] != '\n')
        trace = what.find(kTrace, trace + 1);
    if (trace != std::string_view::npos) what = what.substr(0, trace);
    std::string text;
    while (true)
    {
        const std::size_t begin = what.find_first_not_of(kBlank);
        if (begin == std::string_view::npos) break;
        what.remove_prefix(begin);
        const std::string_view line = what.substr(0, what.find('\n'));
        what.remove_prefix(line.size());
        text += (text.empty() ? "" : " ") + std::string(line.substr(0, line.find_last_not_of(kBlank) + 1));
    }
    return text;
}

bool tells_of_memory(std::string_view what)
{
    constexpr std::array<std::string_view, 6> kSigns = {
        "Resource temporarily unavailable", "can't allocate memory", "not enough memory", "out of memory",
        "Cannot allocate memory",           "std::bad_alloc"};
    return std::any_of(kSigns.begin(), kSigns.end(),
                       [&what](std::string_view sign) { return what.find(sign) != std::string_view::npos; });
}

std::optional<std::uint64_t> address_space_limit()
{
    struct rlimit limit = {};
    if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
    return static_cast<std::uint64_t>(limit.rlim_cur);
}

std::string memory_message(std::string_view what)
{
    const std::optional<std::uint64_t> limit = address_space_limit();
    const std::string allowed =
        limit ? fmt::format("; this process may use {} MiB (ulimit -v)", *limit >> 20U) : std::string();
    return fmt::format(
        "out of memory while {}{}; raise the limit, or lower campaign.memory_budget, "
        "device.threads or the ranks per node",
        what, allowed);
}

}  // namespace flipstorm
