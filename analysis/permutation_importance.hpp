#pragma once
// What a forest loses when it is not told a feature.

#include <cstdint>
#include <vector>

#include "analysis/feature_table.hpp"
#include "analysis/forest.hpp"

namespace flipstorm
{

/// Repeats of each feature's permutation.
inline constexpr std::size_t kPermutations = 10;

/**
 * Loss of ROC AUC when the values of one feature are shuffled over the rows: Breiman, "Random forests", 2001;
 * as scikit-learn's permutation_importance with scoring = "roc_auc".
 *
 * Of each class at most 10,000 rows are taken, a random choice, and the values are shuffled over these: where
 * classes are unequal, critical rows have a larger part in what the others are given than with all rows.
 * Features that tell the same share what they are worth.
 *
 * \param labels  [table.rows()]: 1 critical, 0 acceptable
 * \param rows    that the forest was not trained on, of both classes
 * \param stop    asked between blocks of rows \throws Stopped
 * \return [features × kPermutations], row-major; the same for any number of threads
 */
std::vector<double> permutation_importance(const Forest& forest, const FeatureTable& table,
                                           const std::vector<std::uint8_t>& labels,
                                           const std::vector<std::uint32_t>& rows, std::uint64_t seed,
                                           int threads, const StopRequest& stop = {});

}  // namespace flipstorm
