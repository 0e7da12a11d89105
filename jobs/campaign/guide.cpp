#include "jobs/campaign/guide.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "analysis/forest.hpp"

namespace flipstorm
{
namespace
{

/// What a forest of the faults seen says of each cell; the share of all where they are of one class.
std::vector<double> predicted_shares(const std::vector<GuidedCell>& cells, std::uint64_t seed)
{
    // Rows of a cell look alike: one of each cell, and as many as were seen.
    std::vector<std::vector<float>> columns(3);
    std::vector<std::uint8_t> labels;
    std::vector<std::uint32_t> first(cells.size());
    for (std::size_t c = 0; c < cells.size(); ++c)
    {
        const GuidedCell& cell = cells[c];
        first[c] = static_cast<std::uint32_t>(labels.size());
        for (std::uint64_t i = 0; i < std::max<std::uint64_t>(cell.seen, 1); ++i)
        {
            columns[0].push_back(static_cast<float>(cell.layer));
            columns[1].push_back(static_cast<float>(cell.bit));
            columns[2].push_back(static_cast<float>(cell.direction));
            labels.push_back(i < cell.critical ? 1 : 0);
        }
    }
    const FeatureTable table = make_feature_table({"layer", "bit", "direction"}, columns);
    std::vector<std::uint32_t> rows;
    std::uint64_t seen = 0;
    std::uint64_t critical = 0;
    for (std::size_t c = 0; c < cells.size(); ++c)
    {
        for (std::uint64_t i = 0; i < cells[c].seen; ++i)
            rows.push_back(first[c] + static_cast<std::uint32_t>(i));
        seen += cells[c].seen;
        critical += cells[c].critical;
    }
    std::vector<double> shares(cells.size(),
                               seen > 0 ? static_cast<double>(critical) / static_cast<double>(seen) : 0.5);
    if (critical == 0 || critical == seen) return shares;
    ForestSettings settings;
    settings.max_features = 2;
    settings.seed = seed;
    const Forest forest = Forest::train(table, labels, rows, settings);
    std::vector<std::uint32_t> asked(cells.size());
    std::transform(first.begin(), first.end(), asked.begin(),
                   [&table](std::uint32_t row) { return table.cell[row]; });
    return forest.predict(table, asked, 1);
}

}  // namespace

std::vector<std::uint64_t> guided_round(const std::vector<GuidedCell>& cells, std::uint64_t faults,
                                        std::uint64_t least, std::uint64_t seed)
{
    constexpr double kLent = 2;  // faults that the forest's word counts like
    const std::vector<double> shares = predicted_shares(cells, seed);
    double all_seen = 1;
    for (const GuidedCell& cell : cells)
        all_seen += static_cast<double>(cell.seen);
    const double rarest = 0.5 / all_seen;

    std::vector<double> weight(cells.size());
    std::vector<std::uint64_t> given(cells.size());
    std::vector<std::uint64_t> left(cells.size());
    std::uint64_t rest = faults;
    for (std::size_t c = 0; c < cells.size(); ++c)
    {
        const GuidedCell& cell = cells[c];
        const double p =
            (static_cast<double>(cell.critical) + kLent * std::clamp(shares[c], rarest, 1 - rarest)) /
            (static_cast<double>(cell.seen) + kLent);
        weight[c] = std::sqrt(static_cast<double>(cell.population) * p * (1 - p));
        left[c] = cell.population - cell.seen;
        given[c] = std::min(left[c], least);
        left[c] -= given[c];
        rest -= std::min(rest, given[c]);
    }
    // In proportion to the weights; what a cell cannot take goes to the others.
    while (rest > 0)
    {
        double open = 0;
        for (std::size_t c = 0; c < cells.size(); ++c)
            open += left[c] > 0 ? weight[c] : 0;
        if (open <= 0) break;
        const double each = static_cast<double>(rest) / open;
        std::uint64_t taken = 0;
        for (std::size_t c = 0; c < cells.size(); ++c)
        {
            const auto share = static_cast<std::uint64_t>(std::floor(each * weight[c]));
            const std::uint64_t here = std::min({left[c], share, rest - taken});
            given[c] += here;
            left[c] -= here;
            taken += here;
        }
        rest -= taken;
        if (taken > 0) continue;
        // Less than one for each: to the heaviest.
        std::vector<std::size_t> order(cells.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return weight[a] > weight[b]; });
        for (const std::size_t c : order)
        {
            if (rest == 0 || left[c] == 0) continue;
            ++given[c];
            --left[c];
            --rest;
        }
        break;
    }
    return given;
}

}  // namespace flipstorm
