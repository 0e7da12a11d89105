#include "analysis/split.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"

namespace flipstorm
{
namespace
{

void shuffle(std::vector<std::uint32_t>& items, RandomStream& random)
{
    for (std::size_t i = items.size(); i > 1; --i)
    {
        std::swap(items[i - 1], items[static_cast<std::size_t>(random.below(i))]);
    }
}

/// Rows by class, each class in random order. `use` keeps splits and folds apart.
std::array<std::vector<std::uint32_t>, 2> shuffled_classes(const std::vector<std::uint8_t>& labels,
                                                           std::uint64_t seed, std::uint64_t use)
{
    std::array<std::vector<std::uint32_t>, 2> rows;
    for (std::size_t row = 0; row < labels.size(); ++row)
    {
        rows[labels[row] != 0 ? 1 : 0].push_back(static_cast<std::uint32_t>(row));
    }
    RandomStream random(seed, RandomPurpose::split, use);
    for (auto& list : rows)
        shuffle(list, random);
    return rows;
}

enum Use : std::uint64_t
{
    kTestUse = 0,
    kFoldUse = 1,
    kGroupUse = 2,
};

void check_folds(std::int32_t folds)
{
    FS_CHECK(JobError, folds >= 2, "cross-validation with {} folds; at least 2 are needed", folds);
}

}  // namespace

TrainTest stratified_split(const std::vector<std::uint8_t>& labels, double test_share, std::uint64_t seed)
{
    FS_CHECK(JobError, test_share > 0 && test_share < 1, "forest.test_share = {} is not between 0 and 1",
             test_share);
    TrainTest split;
    for (const auto& rows : shuffled_classes(labels, seed, kTestUse))
    {
        auto held_out = static_cast<std::size_t>(std::llround(test_share * static_cast<double>(rows.size())));
        if (rows.size() >= 2) held_out = std::clamp<std::size_t>(held_out, 1, rows.size() - 1);
        const auto middle = rows.begin() + static_cast<std::ptrdiff_t>(held_out);
        split.test.insert(split.test.end(), rows.begin(), middle);
        split.train.insert(split.train.end(), middle, rows.end());
    }
    std::sort(split.train.begin(), split.train.end());
    std::sort(split.test.begin(), split.test.end());
    return split;
}

std::vector<std::int32_t> stratified_folds(const std::vector<std::uint8_t>& labels, std::int32_t folds,
                                           std::uint64_t seed)
{
    check_folds(folds);
    std::vector<std::int32_t> fold_of_row(labels.size());
    std::int32_t next = 0;
    for (const auto& rows : shuffled_classes(labels, seed, kFoldUse))
    {
        for (const std::uint32_t row : rows)
        {
            fold_of_row[row] = next;
            next = (next + 1) % folds;
        }
    }
    return fold_of_row;
}

std::vector<std::int32_t> grouped_folds(const std::vector<std::uint32_t>& cell,
                                        const std::vector<std::uint8_t>& labels, std::int32_t folds,
                                        std::uint64_t seed)
{
    check_folds(folds);
    FS_REQUIRE(cell.size() == labels.size(), "{} cells for {} labels", cell.size(), labels.size());
    const std::size_t cells = cell.empty() ? 0 : std::size_t{*std::max_element(cell.begin(), cell.end())} + 1;
    std::vector<std::array<std::uint32_t, 2>> counts(cells, {0, 0});  // rows, critical rows
    for (std::size_t row = 0; row < cell.size(); ++row)
    {
        ++counts[cell[row]][0];
        if (labels[row] != 0) ++counts[cell[row]][1];
    }
    std::vector<std::uint32_t> order(cells);
    for (std::size_t c = 0; c < cells; ++c)
        order[c] = static_cast<std::uint32_t>(c);
    RandomStream random(seed, RandomPurpose::split, kGroupUse);
    shuffle(order, random);
    std::stable_sort(order.begin(), order.end(), [&counts](std::uint32_t a, std::uint32_t b) {
        return std::pair(counts[a][1], counts[a][0]) > std::pair(counts[b][1], counts[b][0]);
    });

    std::vector<std::pair<std::uint64_t, std::uint64_t>> load(
        static_cast<std::size_t>(folds));  // critical, rows
    std::vector<std::int32_t> fold_of_cell(cells);
    for (const std::uint32_t c : order)
    {
        const bool critical = counts[c][1] > 0;
        const auto least = std::min_element(
            load.begin(), load.end(),
            [critical](const auto& a, const auto& b) { return critical ? a < b : a.second < b.second; });
        least->first += counts[c][1];
        least->second += counts[c][0];
        fold_of_cell[c] = static_cast<std::int32_t>(least - load.begin());
    }
    std::vector<std::int32_t> fold_of_row(cell.size());
    for (std::size_t row = 0; row < cell.size(); ++row)
        fold_of_row[row] = fold_of_cell[cell[row]];
    return fold_of_row;
}

TrainTest fold_split(const std::vector<std::int32_t>& fold_of_row, std::int32_t fold)
{
    TrainTest split;
    for (std::size_t row = 0; row < fold_of_row.size(); ++row)
    {
        (fold_of_row[row] == fold ? split.test : split.train).push_back(static_cast<std::uint32_t>(row));
    }
    return split;
}

}  // namespace flipstorm
