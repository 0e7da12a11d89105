#include "analysis/permutation_importance.hpp"

#include <algorithm>
#include <array>

#include "analysis/metrics.hpp"
#include "engine/base/error.hpp"
#include "engine/base/permutation.hpp"

namespace flipstorm
{
namespace
{

/// At most so many rows of each class, in a random order.
std::vector<std::uint32_t> choose_rows(const std::vector<std::uint8_t>& labels,
                                       const std::vector<std::uint32_t>& rows, std::uint64_t seed)
{
    constexpr std::size_t kMost = 10000;
    std::array<std::vector<std::uint32_t>, 2> by_class;
    for (const std::uint32_t row : rows)
        by_class[labels[row] != 0 ? 1 : 0].push_back(row);
    std::vector<std::uint32_t> chosen;
    for (std::size_t label = 0; label < 2; ++label)
    {
        const std::vector<std::uint32_t>& all = by_class[label];
        FS_REQUIRE(!all.empty(), "no rows of class {}", label);
        const KeyedPermutation order(seed, RandomPurpose::importance, label, all.size());
        for (std::size_t i = 0; i < std::min(kMost, all.size()); ++i)
            chosen.push_back(all[order(i)]);
    }
    return chosen;
}

}  // namespace

std::vector<double> permutation_importance(const Forest& forest, const FeatureTable& table,
                                           const std::vector<std::uint8_t>& labels,
                                           const std::vector<std::uint32_t>& rows, std::uint64_t seed,
                                           int threads, const StopRequest& stop)
{
    const std::vector<std::uint32_t> chosen = choose_rows(labels, rows, seed);
    const std::size_t features = table.features();
    std::vector<float> values;
    for (const std::uint32_t row : chosen)
    {
        for (std::size_t f = 0; f < features; ++f)
            values.push_back(table.value(table.cell[row], f));
    }
    const auto area = [&] {
        const std::vector<double> votes = forest.predict(values, threads, stop);
        std::vector<ScoredCounts> scored;
        for (std::size_t i = 0; i < votes.size(); ++i)
        {
            const bool critical = labels[chosen[i]] != 0;
            scored.push_back({votes[i], critical ? 0.0 : 1.0, critical ? 1.0 : 0.0});
        }
        return roc_auc(std::move(scored));
    };
    const double whole = area();
    std::vector<double> losses;
    for (std::size_t f = 0; f < features; ++f)
    {
        std::vector<float> column;
        for (std::size_t i = 0; i < chosen.size(); ++i)
            column.push_back(values[i * features + f]);
        for (std::size_t repeat = 0; repeat < kPermutations; ++repeat)
        {
            const KeyedPermutation order(seed, RandomPurpose::importance, 2 + f * kPermutations + repeat,
                                         chosen.size());
            for (std::size_t i = 0; i < chosen.size(); ++i)
                values[i * features + f] = column[order(i)];
            losses.push_back(whole - area());
        }
        for (std::size_t i = 0; i < chosen.size(); ++i)
            values[i * features + f] = column[i];
    }
    return losses;
}

}  // namespace flipstorm
