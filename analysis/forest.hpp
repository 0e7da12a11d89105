#pragma once
// Random forests and balanced random forests for two classes, made to agree with scikit-learn's and
// imbalanced-learn's: the same trees in distribution, but many times faster on binned features.

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/bag.hpp"
#include "analysis/feature_table.hpp"
#include "analysis/tree.hpp"
#include "engine/base/stop_request.hpp"
#include "hdf5_schema/forest_file.hpp"

namespace flipstorm
{

/**
 * The bag of a forest `kind` ("rf" or "brf") and, for brf, its `sampling`.
 * \throws JobError if either is unknown.
 */
Bag bag_of(const std::string& kind, const std::string& sampling);

/// How a forest grows.
struct ForestSettings
{
    Bag bag = Bag::bootstrap;
    std::int32_t trees = 100;
    std::size_t max_features = 0;  ///< features tried at a node; 0: max(1, floor(√features))
    std::uint64_t seed = 0;
    std::uint32_t stream = 0;  ///< forests of one seed and different streams share no random numbers
    int threads = 1;
    StopRequest stop;  ///< asked between nodes
};

/// Trees that vote on the probability that a fault is critical. Immutable; reading is thread-safe.
class Forest
{
  public:
    /**
     * Train on the rows `rows` of `table`.
     *
     * Tree t draws from the random streams (seed, bootstrap | features, stream · 2^32 + t) alone, so the
     * forest does not depend on the number of threads.
     *
     * \param labels  [table.rows()]: 1 critical, 0 acceptable
     * \throws DataError if there are no rows, or a balanced forest lacks one of the classes; JobError for a
     * number of trees below 1; Stopped.
     */
    static Forest train(const FeatureTable& table, const std::vector<std::uint8_t>& labels,
                        const std::vector<std::uint32_t>& rows, const ForestSettings& settings);

    /**
     * Rebuild a forest from a file's trees; its importances are not known and stay empty.
     * \throws DataError if the columns do not make trees over `features` features.
     */
    static Forest from_record(const TreesRecord& record, std::size_t features);

    [[nodiscard]] TreesRecord record() const;

    /**
     * Mean of the leaf shares of critical weight over the trees, for each cell of the list.
     *
     * Leaf shares are summed in units of 2^-32, so the result is the same in any order of summation.
     * Ascending cells are twice as fast as cells in random order: neighbours take the same path.
     * \param stop  asked between blocks of cells \throws Stopped
     */
    [[nodiscard]] std::vector<double> predict(const FeatureTable& table,
                                              const std::vector<std::uint32_t>& cells, int threads,
                                              const StopRequest& stop = {}) const;

    /// The same for rows of raw feature values, [rows × features], row-major. \throws DataError on a torn
    /// row.
    [[nodiscard]] std::vector<double> predict(const std::vector<float>& values, int threads,
                                              const StopRequest& stop = {}) const;

    /// Mean decrease in Gini impurity: normalised per tree, averaged, normalised, as in scikit-learn.
    [[nodiscard]] const std::vector<double>& importance() const { return importance_; }

    /// Its standard error over the trees; 0 for one tree.
    [[nodiscard]] const std::vector<double>& importance_error() const { return importance_error_; }

    [[nodiscard]] std::size_t trees() const { return first_node_.size() - 1; }
    [[nodiscard]] std::size_t features() const { return features_; }

    /// Root of tree `tree`; the indices of its children count from here.
    [[nodiscard]] const TreeNode* root(std::size_t tree) const { return nodes_.data() + first_node_[tree]; }

  private:
    std::size_t features_ = 0;
    std::vector<TreeNode> nodes_;
    std::vector<std::uint64_t> first_node_{0};
    std::vector<double> importance_;
    std::vector<double> importance_error_;
};

/// Share of a leaf in units of 2^-32, the unit in which votes are summed.
[[nodiscard]] inline std::int64_t vote(const TreeNode& leaf)
{
    return static_cast<std::int64_t>(static_cast<double>(leaf.probability) * 0x1.0p32);
}

/// Probability of summed votes of `trees` trees.
[[nodiscard]] inline double vote_share(std::int64_t votes, std::size_t trees)
{
    return static_cast<double>(votes) * 0x1.0p-32 / static_cast<double>(trees);
}

}  // namespace flipstorm
