#include "engine/evaluate/outcome.hpp"

#include <algorithm>
#include <numeric>

namespace flipstorm
{

double certain_drop(const Tally& tally, std::uint64_t golden_correct, std::uint64_t images)
{
    const auto lost = static_cast<std::int64_t>(golden_correct) - static_cast<std::int64_t>(tally.correct) -
                      static_cast<std::int64_t>(images - tally.evaluated);
    return static_cast<double>(lost) / static_cast<double>(images);
}

std::vector<std::int64_t> evaluation_order(const Golden& golden)
{
    std::vector<std::int64_t> order(golden.images());
    std::iota(order.begin(), order.end(), std::int64_t{0});
    const auto rank = [&](std::int64_t image) {
        const auto i = static_cast<std::size_t>(image);
        return std::pair(golden.top1[i] == golden.label[i], golden.margin[i]);
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::int64_t a, std::int64_t b) { return rank(a) < rank(b); });
    return order;
}

}  // namespace flipstorm
