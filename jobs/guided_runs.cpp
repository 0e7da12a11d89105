#include "jobs/guided_runs.hpp"

#include <numeric>

namespace flipstorm
{

std::vector<std::size_t> guided_runs(const std::vector<QueueItem>& items, std::uint64_t ranks)
{
    constexpr std::size_t kLongest = 8;
    constexpr double kPart = 0.5;
    double left = std::accumulate(items.begin(), items.end(), 0.0,
                                  [](double sum, const QueueItem& item) { return sum + item.cost; });
    std::vector<std::size_t> first;
    for (std::size_t i = 0; i < items.size();)
    {
        first.push_back(i);
        const double most = ranks > 1 ? kPart * left / static_cast<double>(ranks) : 0;
        double cost = 0;
        std::size_t end = i;
        do
            cost += items[end++].cost;
        while (end < items.size() && end - i < kLongest && items[end].layer == items[i].layer &&
               items[i].cost > 0 && cost + items[end].cost <= most);
        left -= cost;
        i = end;
    }
    first.push_back(items.size());
    return first;
}

}  // namespace flipstorm
