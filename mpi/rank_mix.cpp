#include "mpi/rank_mix.hpp"

#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>

namespace flipstorm
{

std::string describe_ranks(const std::vector<RankPlace>& ranks)
{
    std::map<std::pair<std::string, int>, int> kinds;
    std::set<std::string> hosts;
    for (const RankPlace& rank : ranks)
    {
        ++kinds[{rank.device, rank.threads}];
        hosts.insert(rank.host);
    }
    std::string text = fmt::format("{} rank(s)", ranks.size());
    if (kinds.size() == 1)
    {
        const auto& [device, threads] = kinds.begin()->first;
        text += fmt::format(", {}, {} thread(s) each", device, threads);
    }
    else
    {
        const char* separator = ": ";
        for (const auto& [kind, count] : kinds)
        {
            text += fmt::format("{}{} {} with {} thread(s)", separator, count, kind.first, kind.second);
            separator = ", ";
        }
    }
    if (hosts.size() > 1) text += fmt::format(" on {} hosts", hosts.size());
    return text;
}

bool leaves_the_rest(const QueueShare& share)
{
    if (share.mine <= 0 || share.taken <= share.mine) return false;
    const bool slow = share.mine < share.taken / share.ranks / 4;
    return slow && share.next / share.mine > share.left / (share.taken - share.mine);
}

}  // namespace flipstorm
