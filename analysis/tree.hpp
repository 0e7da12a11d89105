#pragma once
// One decision tree of a forest, grown on weighted cells as scikit-learn's DecisionTreeClassifier grows it on
// rows.

#include <cstdint>
#include <vector>

#include "analysis/bag.hpp"
#include "analysis/packed_key.hpp"
#include "engine/base/philox.hpp"
#include "engine/base/stop_request.hpp"

namespace flipstorm
{

/// A node; in a leaf feature, left and right are −1. Children come after their parent.
struct TreeNode
{
    std::int32_t feature = -1;
    float threshold = 0;  ///< go left if value ≤ threshold
    std::int32_t left = -1;
    std::int32_t right = -1;
    float probability = 0;  ///< share of critical weight

    [[nodiscard]] bool is_leaf() const { return feature < 0; }
};

/// A tree and what it learnt about the features.
struct Tree
{
    std::vector<TreeNode> nodes;  ///< root first
    std::vector<double>
        importance;  ///< decrease of Gini impurity per feature, sums to 1; zeros for a lone leaf
};

/**
 * Grow a tree until every leaf is pure or cannot be split.
 *
 * At each node the features are visited in random order; constant ones count as visits, and the search ends
 * once `max_features` were visited and one of them was not constant (the rule of scikit-learn). Of the
 * visited features the split with the least weighted Gini impurity wins, the first visited among equals; its
 * threshold is the midpoint of the two adjacent values that the node has. Cost per node and feature: linear
 * in its samples, and a 64th of the feature's codes.
 *
 * \param samples   each with a weight above 0
 * \param layout    of the samples' keys
 * \param bins      values of the codes, as in FeatureTable
 * \param features  random numbers of this tree
 * \param stop      asked between nodes
 * \throws Error if there are no samples, Stopped. Thread-safe.
 */
template<std::size_t Words>
Tree grow_tree(std::vector<Sample<Words>> samples, const KeyLayout& layout,
               const std::vector<std::vector<float>>& bins, std::size_t max_features, RandomStream features,
               const StopRequest& stop = {});

}  // namespace flipstorm
