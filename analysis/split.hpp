#pragma once
// Which rows train and which rows judge: a held-out share and cross-validation folds, both keeping the share
// of critical rows. All seeded; the same on every machine. Thread-safe.

#include <cstdint>
#include <vector>

namespace flipstorm
{

/// Row numbers, ascending; together every row once.
struct TrainTest
{
    std::vector<std::uint32_t> train;
    std::vector<std::uint32_t> test;
};

/**
 * Hold out `test_share` of the rows of each class, rounded to whole rows; of a class of two rows or more at
 * least one row falls on each side.
 *
 * \throws JobError unless 0 < test_share < 1.
 */
TrainTest stratified_split(const std::vector<std::uint8_t>& labels, double test_share, std::uint64_t seed);

/**
 * Fold of each row, 0 … folds − 1, in random order: the folds differ by at most one row in each class and in
 * all.
 *
 * \throws JobError if folds < 2.
 */
std::vector<std::int32_t> stratified_folds(const std::vector<std::uint8_t>& labels, std::int32_t folds,
                                           std::uint64_t seed);

/**
 * Fold of each row, rows of one cell in one fold.
 *
 * Cells with critical rows go, largest first, to the fold with the fewest critical rows, the others to the
 * fold with the fewest rows; equals in random order.
 *
 * \throws JobError if folds < 2.
 */
std::vector<std::int32_t> grouped_folds(const std::vector<std::uint32_t>& cell,
                                        const std::vector<std::uint8_t>& labels, std::int32_t folds,
                                        std::uint64_t seed);

/// The rows outside `fold` train, those inside test.
TrainTest fold_split(const std::vector<std::int32_t>& fold_of_row, std::int32_t fold);

}  // namespace flipstorm
