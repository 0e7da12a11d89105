#pragma once
// forest.h5: the forests that predict criticality, how good they are, and what they say of every bit.

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hdf5_schema/provenance.hpp"

namespace flipstorm
{

/// Trees of one forest, flattened: node i of all trees laid end to end. Columns of equal length.
struct TreesRecord
{
    std::vector<std::uint64_t>
        first_node;                     ///< root of each tree; length trees + 1, the last = number of nodes
    std::vector<std::int32_t> feature;  ///< tested feature; −1: leaf
    std::vector<float> threshold;       ///< go left if value ≤ threshold
    std::vector<std::int32_t> left;     ///< child, counted from the tree's root; −1 in a leaf
    std::vector<std::int32_t> right;
    std::vector<float> probability;  ///< share of critical weight in the node
};

/// Share of the test rows (percent) by true and predicted class, as in Table II.
struct ConfusionRecord
{
    double acceptable_acceptable = 0;  ///< true acceptable, predicted acceptable
    double acceptable_critical = 0;    ///< true acceptable, predicted critical
    double critical_acceptable = 0;    ///< true critical, predicted acceptable
    double critical_critical = 0;
};

/// The forest of one tolerance. Scores are NaN where the sample has only one class (`trained` = false).
struct ToleranceRecord
{
    double tolerance = 0;
    bool trained = false;
    std::uint64_t rows = 0;                 ///< faults of the campaign
    std::uint64_t critical = 0;             ///< of those, critical for this tolerance
    std::vector<double> auc_folds;          ///< ROC AUC of each cross-validation fold
    std::vector<double> auc_grouped_folds;  ///< the same, rows of equal features kept in one fold
    double auc_test = 0;                    ///< ROC AUC on the held-out rows
    ConfusionRecord confusion;              ///< on the held-out rows, threshold 0.5
    std::vector<double> importance;         ///< mean decrease of Gini impurity per feature, sums to 1
    TreesRecord trees;
};

/// ROC curve on the held-out rows, for the map's tolerance. Columns of equal length.
struct RocRecord
{
    std::vector<double> false_positive_rate;
    std::vector<double> true_positive_rate;
    std::vector<double> threshold;
};

/// Predicted probability × 255 that flipping a bit is critical.
struct LayerCriticality
{
    std::string layer;
    std::uint64_t weights = 0;
    std::int32_t bits = 0;
    std::vector<std::uint8_t> probability;  ///< [weights × bits], row-major
};

/// Content of forest.h5.
struct ForestRecord
{
    Provenance provenance;
    std::string campaign_sha256;  ///< stage digest of the campaign
    std::string kind;             ///< "brf" or "rf"
    std::string sampling;         ///< of a balanced forest: "undersample_bootstrap" or "stratified_bootstrap"
    std::int32_t trees = 0;
    std::int32_t folds = 0;
    double test_share = 0;
    std::vector<std::string> features;
    std::vector<ToleranceRecord> tolerances;
    double tolerance = 0;  ///< of the criticality map and the ROC curve
    RocRecord roc;
    std::vector<LayerCriticality> criticality;
};

/// Write forest.h5 under a temporary name and rename it. One process. \throws FileError.
void write_forest(const std::filesystem::path& file, const ForestRecord& forest);

/// Read forest.h5 whole. \throws FileError as read_campaign.
ForestRecord read_forest(const std::filesystem::path& file);

}  // namespace flipstorm
