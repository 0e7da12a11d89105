#pragma once
// forest.h5: the forests that predict criticality, how good they are, and what they say of every bit.

#include <array>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <variant>
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

/// How well predictions of rows that a model was not trained on agree with the truth; NaN where it cannot be
/// said.
struct ScoreRecord
{
    static constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

    double auc = kUnknown;                ///< area under the ROC curve
    double pr_auc = kUnknown;             ///< average precision, the area under the precision-recall curve
    double balanced_accuracy = kUnknown;  ///< mean of the shares of both classes that are predicted rightly
    double recall = kUnknown;             ///< share of the critical rows that are predicted critical
    double precision = kUnknown;          ///< share of the rows predicted critical that are; NaN if none is
    double brier = kUnknown;              ///< mean squared difference of vote and class
};

/// A score by its name in the file.
struct ScoreColumn
{
    const char* name;
    double ScoreRecord::*member;
    const char* description;
};

/// All scores, in the order of ScoreRecord.
[[nodiscard]] const std::array<ScoreColumn, 6>& score_columns();

/// One score of several folds or splits.
[[nodiscard]] std::vector<double> values_of(const std::vector<ScoreRecord>& records,
                                            double ScoreRecord::*score);

/// The scores of a validation, in their order: name in the file, and what it is.
[[nodiscard]] const std::vector<std::pair<std::string, std::string>>& validation_scores();

/// Levels that a bit's criticality can have: see analysis/calibration.hpp.
inline constexpr std::size_t kCriticalityLevels = 256;

/// Rows that a model was not trained on, by the level that it predicts for them and by class. Columns of
/// kCriticalityLevels entries, or none.
struct LevelCounts
{
    std::vector<std::uint64_t> acceptable;
    std::vector<std::uint64_t> critical;
    std::vector<double>
        acceptable_weight;  ///< Σ of the shares of the network's faults that the rows stand for
    std::vector<double> critical_weight;
    std::vector<double> acceptable_squares;  ///< Σ of the squares of these shares
    std::vector<double> critical_squares;

    /// No rows of any level.
    [[nodiscard]] static LevelCounts zeros();

    /// Count a row that stands for so large a share of the network's faults.
    void add(std::size_t level, bool is_critical, double weight);

    /// Count the rows of others, which may have no columns.
    void add(const LevelCounts& more);
};

/// A column of LevelCounts by its name in the file.
struct LevelColumn
{
    const char* name;
    std::variant<std::vector<std::uint64_t> LevelCounts::*, std::vector<double> LevelCounts::*> member;
};

/// All columns, in the order of LevelCounts.
[[nodiscard]] const std::array<LevelColumn, 6>& level_columns();

/// What a level means: the probability that the fault is critical, and the limits of its 95 % interval.
/// Columns of kCriticalityLevels entries; none in files before version 1.2.
struct CalibrationRecord
{
    std::vector<double> probability;
    std::vector<double> low;
    std::vector<double> high;
};

/// The model of one tolerance. Scores are NaN where the sample has only one class (`trained` = false).
struct ToleranceRecord
{
    double tolerance = 0;
    bool trained = false;
    std::uint64_t rows = 0;                  ///< faults of the campaign
    std::uint64_t critical = 0;              ///< of those, critical for this tolerance
    std::vector<ScoreRecord> folds;          ///< of each fold of the cross-validation
    std::vector<ScoreRecord> grouped_folds;  ///< the same, rows of equal features kept in one fold
    std::vector<ScoreRecord>
        splits;                 ///< of each split into training and test rows; the first is that of `trees`
    ConfusionRecord confusion;  ///< on the test rows of the first split, threshold 0.5
    std::vector<double> importance_error;  ///< standard error of `importance` over the trees
    std::vector<double> importance;        ///< mean decrease of Gini impurity per feature, sums to 1
    TreesRecord trees;                     ///< of the first split
    LevelCounts levels;                    ///< of all folds, of the first split without folds

    /// On the test rows of the first split.
    [[nodiscard]] ScoreRecord test() const { return splits.empty() ? ScoreRecord() : splits.front(); }
};

/// The record of a tolerance that a model was trained for; null if there is none.
[[nodiscard]] const ToleranceRecord* trained_record(const std::vector<ToleranceRecord>& records,
                                                    double tolerance);

/// Another kind of model on the same rows, folds and splits; without trees.
struct ComparedRecord
{
    std::string kind;
    std::vector<ToleranceRecord> tolerances;
};

/// How well the map agrees with faults that the campaign did not inject.
struct ValidationScore
{
    std::string name;
    double value = 0;  ///< for the bits that the map's campaign did not inject
    double low = 0;    ///< limits of its 95 % interval; NaN where there is none
    double high = 0;
    double table = 0;  ///< the same of a table of shares that flags as many bits; NaN where it makes no sense
};

/// The map judged by faults of another campaign on the same network.
struct ValidationRecord
{
    std::string campaign_sha256;  ///< stage digest of that campaign; empty: there was none
    std::uint64_t faults = 0;     ///< of that campaign, those left out that the map's campaign injected
    std::uint64_t critical = 0;   ///< of those, critical for the map's tolerance
    double threshold = 0;         ///< vote from which on a bit was taken for critical
    std::vector<ValidationScore> scores;
    LevelCounts levels;  ///< the faults by the level that the map has for them
};

/// ROC curve on the held-out rows, for the map's tolerance. Columns of equal length.
struct RocRecord
{
    std::vector<double> false_positive_rate;
    std::vector<double> true_positive_rate;
    std::vector<double> threshold;
};

/// Votes of the model × 255 that flipping a bit is critical.
struct LayerCriticality
{
    std::string layer;
    std::uint64_t weights = 0;
    std::int32_t bits = 0;
    std::vector<std::uint8_t> probability;  ///< [weights × bits], row-major
    std::vector<std::uint8_t>
        level{};  ///< the same as levels, measured outcomes in their place; empty before version 1.2
};

/// Content of forest.h5.
struct ForestRecord
{
    Provenance provenance;
    std::string campaign_sha256;  ///< stage digest of the campaign
    std::string kind;             ///< "brf", "rf" or "table"
    std::string sampling;         ///< of a balanced forest: "undersample_bootstrap" or "stratified_bootstrap"
    std::int32_t trees = 0;
    std::int32_t folds = 0;
    std::int32_t splits = 1;
    double test_share = 0;
    std::vector<std::string> features;
    std::vector<ToleranceRecord> tolerances;
    double tolerance = 0;    ///< of the criticality map and the ROC curve
    double threshold = 0.5;  ///< vote from which on a bit of the map counts as critical
    CalibrationRecord calibration;
    RocRecord roc;
    std::vector<double>
        permutation_importance;  ///< [features × repeats]: loss of ROC AUC on the held-out rows
    std::vector<LayerCriticality> criticality;
    std::vector<ComparedRecord> compare;  ///< other kinds of model
    ValidationRecord validation;
};

/// Write forest.h5 under a temporary name and rename it. One process. \throws FileError.
void write_forest(const std::filesystem::path& file, const ForestRecord& forest);

/// Read forest.h5 whole. \throws FileError as read_campaign.
ForestRecord read_forest(const std::filesystem::path& file);

}  // namespace flipstorm
