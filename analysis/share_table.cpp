#include "analysis/share_table.hpp"

#include <algorithm>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

struct Counts
{
    double rows = 0;
    double critical = 0;

    void add(const Counts& other)
    {
        rows += other.rows;
        critical += other.critical;
    }
    /// Beside one row of the share `prior`.
    [[nodiscard]] double share(double prior) const { return (critical + prior) / (rows + 1); }
};

}  // namespace

ShareTable::ShareTable(const FeatureTable& table, const std::vector<std::uint8_t>& labels,
                       const std::vector<std::uint32_t>& rows)
{
    FS_REQUIRE(!rows.empty(), "a table of shares needs rows");
    const std::size_t bits = table.bins[kBitFeature].size();
    std::vector<Counts> cells(table.bins[kLayerFeature].size() * bits);
    for (const std::uint32_t row : rows)
    {
        const std::size_t cell = table.cell[row];
        cells[table.code(cell, kLayerFeature) * bits + table.code(cell, kBitFeature)].add(
            {1, labels[row] != 0 ? 1.0 : 0.0});
    }
    Counts all;
    std::vector<Counts> by_bit(bits);
    for (std::size_t i = 0; i < cells.size(); ++i)
    {
        all.add(cells[i]);
        by_bit[i % bits].add(cells[i]);
    }
    of_all_ = all.critical / all.rows;
    for (std::size_t b = 0; b < bits; ++b)
        of_bit_[table.bins[kBitFeature][b]] = by_bit[b].share(of_all_);
    for (std::size_t i = 0; i < cells.size(); ++i)
    {
        const float bit = table.bins[kBitFeature][i % bits];
        of_layer_and_bit_[{table.bins[kLayerFeature][i / bits], bit}] = cells[i].share(of_bit_.at(bit));
    }
}

double ShareTable::share(float layer, float bit) const
{
    const auto both = of_layer_and_bit_.find({layer, bit});
    if (both != of_layer_and_bit_.end()) return both->second;
    const auto alone = of_bit_.find(bit);
    return alone != of_bit_.end() ? alone->second : of_all_;
}

std::vector<double> ShareTable::predict(const FeatureTable& table,
                                        const std::vector<std::uint32_t>& cells) const
{
    const std::size_t bits = table.bins[kBitFeature].size();
    std::vector<double> shares;
    for (const float layer : table.bins[kLayerFeature])
    {
        for (const float bit : table.bins[kBitFeature])
            shares.push_back(share(layer, bit));
    }
    std::vector<double> scores(cells.size());
    std::transform(cells.begin(), cells.end(), scores.begin(), [&](std::uint32_t cell) {
        return shares[table.code(cell, kLayerFeature) * bits + table.code(cell, kBitFeature)];
    });
    return scores;
}

}  // namespace flipstorm
