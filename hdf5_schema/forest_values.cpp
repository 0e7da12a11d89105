#include "hdf5_schema/forest_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// Shares are sums of rounded numbers.
bool is_within(double value, double low, double high)
{
    constexpr double kRounding = 1e-9;
    return value >= low - kRounding && value <= high + kRounding;
}

bool is_within_or_nan(double value, double low, double high)
{
    return std::isnan(value) || is_within(value, low, high);
}

bool are_within(const std::vector<double>& values, double low, double high)
{
    return std::all_of(values.begin(), values.end(),
                       [&](double value) { return is_within(value, low, high); });
}

bool is_kind(const std::string& kind)
{
    return kind == "brf" || kind == "rf" || kind == "table";
}

void check_root(const H5Reader& in, const ForestRecord& forest)
{
    in.expect(is_kind(forest.kind),
              fmt::format("'kind' is '{}'; 'brf', 'rf' or 'table' would be right", forest.kind));
    in.expect(forest.trees >= 1, fmt::format("'trees' is {}", forest.trees));
    in.expect(forest.test_share >= 0 && forest.test_share < 1,
              fmt::format("'test_share' is {}", forest.test_share));
    in.expect(is_within(forest.tolerance, 0, 1), fmt::format("'tolerance' is {}", forest.tolerance));
}

void check_scores(const H5Reader& in, const ToleranceRecord& row, std::size_t t,
                  const ToleranceRecord* before)
{
    constexpr double kAll = 100;
    const auto expect = [&](bool holds, const char* what) {
        FS_CHECK(FileError, holds, "'{}': row {} of '/tolerances' ({}): {}", in.file_name(), t, row.tolerance,
                 what);
    };
    expect(is_within(row.tolerance, 0, 1) && (before == nullptr || row.tolerance > before->tolerance),
           "tolerances are rising drops of 0 … 1");
    expect(row.critical <= row.rows, "more faults are critical than there are");
    for (const auto* scores : {&row.folds, &row.grouped_folds, &row.splits})
    {
        for (const ScoreRecord& record : *scores)
        {
            for (const ScoreColumn& score : score_columns())
            {
                expect(is_within_or_nan(record.*score.member, 0, 1),
                       "a score in '/scores' is not within 0 … 1");
            }
        }
    }
    const ConfusionRecord& c = row.confusion;
    for (const double share :
         {c.acceptable_acceptable, c.acceptable_critical, c.critical_acceptable, c.critical_critical})
        expect(is_within_or_nan(share, 0, kAll), "a share in '/confusion' is not within 0 … 100 %");
    expect(std::all_of(row.importance.begin(), row.importance.end(),
                       [](double value) { return is_within_or_nan(value, 0, 1); }),
           "a value in '/importance' is not within 0 … 1");
}

void check_trees(const H5Reader& in, const TreesRecord& trees, std::size_t t, std::size_t features)
{
    for (std::size_t tree = 0; tree + 1 < trees.first_node.size(); ++tree)
    {
        const std::uint64_t first = trees.first_node[tree];
        const auto nodes = static_cast<std::int64_t>(trees.first_node[tree + 1] - first);
        FS_CHECK(FileError, nodes > 0, "'{}': tree {} of forest {} has no nodes", in.file_name(), tree, t);
        for (std::int64_t i = 0; i < nodes; ++i)
        {
            const auto k = static_cast<std::size_t>(first) + static_cast<std::size_t>(i);
            const bool leaf = trees.feature[k] == -1 && trees.left[k] == -1 && trees.right[k] == -1;
            const bool split = trees.feature[k] >= 0 &&
                               static_cast<std::size_t>(trees.feature[k]) < features && trees.left[k] > i &&
                               trees.left[k] < nodes && trees.right[k] > i && trees.right[k] < nodes &&
                               !std::isnan(trees.threshold[k]);
            FS_CHECK(FileError, (leaf || split) && is_within(static_cast<double>(trees.probability[k]), 0, 1),
                     "'{}': node {} of tree {} of forest {} is neither a leaf nor a split: feature {}, "
                     "children {} and {} of {} nodes, "
                     "threshold {}, probability {}",
                     in.file_name(), i, tree, t, trees.feature[k], trees.left[k], trees.right[k], nodes,
                     trees.threshold[k], trees.probability[k]);
        }
    }
}

void check_roc(const H5Reader& in, const RocRecord& roc)
{
    in.expect(roc.true_positive_rate.size() == roc.false_positive_rate.size() &&
                  roc.threshold.size() == roc.false_positive_rate.size(),
              "the columns of '/roc' differ in length");
    in.expect(are_within(roc.false_positive_rate, 0, 1) && are_within(roc.true_positive_rate, 0, 1) &&
                  std::none_of(roc.threshold.begin(), roc.threshold.end(),
                               [](double value) { return std::isnan(value); }),
              "a rate in '/roc' is not within 0 … 1, or a threshold is NaN");
}

/// Interpolated shares of a file of this version; older files have none.
void check_calibration(const H5Reader& in, const ForestRecord& forest)
{
    in.expect(std::all_of(forest.permutation_importance.begin(), forest.permutation_importance.end(),
                          [](double loss) { return is_within(loss, -1, 1); }),
              "a value in '/permutation_importance' is not within -1 … 1");
    in.expect(forest.threshold > 0 && forest.threshold <= 1,
              fmt::format("'threshold' is {}; above 0 and at most 1 would be right", forest.threshold));
    const CalibrationRecord& table = forest.calibration;
    for (std::size_t level = 0; level < table.probability.size(); ++level)
    {
        const double share = table.probability[level];
        in.expect(is_within(share, 0, 1) && is_within(table.low[level], 0, share) &&
                      is_within(table.high[level], share, 1),
                  fmt::format("level {} of '/calibration' has the probability {} with limits of {} and {}",
                              level, share, table.low[level], table.high[level]));
    }
}

void check_validation(const H5Reader& in, const ValidationRecord& validation)
{
    if (validation.campaign_sha256.empty()) return;
    in.expect(validation.critical <= validation.faults,
              "'/validation' has more critical faults than there are");
    in.expect(is_within(validation.threshold, 0, 1),
              fmt::format("'threshold' of '/validation' is {}; 0 to 1 are possible", validation.threshold));
    for (const ValidationScore& score : validation.scores)
    {
        for (const double value : {score.value, score.low, score.high, score.table})
        {
            in.expect(is_within_or_nan(value, 0, 1),
                      fmt::format("'{}' of '/validation' is {}; 0 to 1 are possible", score.name, value));
        }
    }
}

}  // namespace

void check_forest_values(const H5Reader& in, const ForestRecord& forest)
{
    check_root(in, forest);
    for (std::size_t t = 0; t < forest.tolerances.size(); ++t)
    {
        const ToleranceRecord& row = forest.tolerances[t];
        check_scores(in, row, t, t == 0 ? nullptr : &forest.tolerances[t - 1]);
        FS_CHECK(FileError, (row.trained && forest.kind != "table") != row.trees.first_node.empty(),
                 "'{}': row {} of '/tolerances' ({}): it has trees where none were trained, or none where "
                 "they were",
                 in.file_name(), t, row.tolerance);
        check_trees(in, row.trees, t, forest.features.size());
    }
    for (const ComparedRecord& other : forest.compare)
    {
        in.expect(is_kind(other.kind),
                  fmt::format("'/compare' has '{}'; 'brf', 'rf' or 'table' would be right", other.kind));
        for (std::size_t t = 0; t < other.tolerances.size(); ++t)
            check_scores(in, other.tolerances[t], t, t == 0 ? nullptr : &other.tolerances[t - 1]);
    }
    check_roc(in, forest.roc);
    check_calibration(in, forest);
    check_validation(in, forest.validation);
}

}  // namespace flipstorm
