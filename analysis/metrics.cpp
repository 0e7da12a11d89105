#include "analysis/metrics.hpp"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <iterator>
#include <limits>

namespace flipstorm
{
namespace
{

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Falling scores, equal scores merged, empty entries left out.
void merge_by_score(std::vector<ScoredCounts>& rows)
{
    rows.erase(std::remove_if(rows.begin(), rows.end(),
                              [](const ScoredCounts& row) { return row.acceptable + row.critical == 0; }),
               rows.end());
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
    std::size_t kept = 0;
    for (std::size_t i = 1; i < rows.size(); ++i)
    {
        if (rows[i].score == rows[kept].score)
        {
            rows[kept].acceptable += rows[i].acceptable;
            rows[kept].critical += rows[i].critical;
        }
        else
        {
            rows[++kept] = rows[i];
        }
    }
    if (!rows.empty()) rows.resize(kept + 1);
}

ScoredCounts totals(const std::vector<ScoredCounts>& rows)
{
    ScoredCounts sum;
    for (const ScoredCounts& row : rows)
    {
        sum.acceptable += row.acceptable;
        sum.critical += row.critical;
    }
    return sum;
}

/// Rows that are predicted critical at a threshold.
ScoredCounts flagged_at(const std::vector<ScoredCounts>& rows, double threshold)
{
    ScoredCounts flagged;
    for (const ScoredCounts& row : rows)
    {
        if (!(row.score >= threshold)) continue;
        flagged.acceptable += row.acceptable;
        flagged.critical += row.critical;
    }
    return flagged;
}

/// roc_auc() of rows of both classes that merge_by_score() has put in order.
double area_of_merged(const std::vector<ScoredCounts>& rows, const ScoredCounts& all)
{
    double won = 0;
    double below = all.acceptable;
    for (const ScoredCounts& row : rows)
    {
        below = std::max(0.0, below - row.acceptable);  // weights do not cancel to the last bit
        won += row.critical * (below + 0.5 * row.acceptable);
    }
    return std::min(1.0, won / (all.acceptable * all.critical));
}

/// average_precision() of the same.
double precision_of_merged(const std::vector<ScoredCounts>& rows, const ScoredCounts& all)
{
    double sum = 0;
    double acceptable = 0;
    double critical = 0;
    for (const ScoredCounts& row : rows)
    {
        acceptable += row.acceptable;
        critical += row.critical;
        sum += row.critical * critical / (acceptable + critical);
    }
    return std::min(1.0, sum / all.critical);
}

}  // namespace

double roc_auc(std::vector<ScoredCounts> rows)
{
    const ScoredCounts all = totals(rows);
    if (all.acceptable == 0 || all.critical == 0) return kNaN;
    merge_by_score(rows);
    return area_of_merged(rows, all);
}

double average_precision(std::vector<ScoredCounts> rows)
{
    const ScoredCounts all = totals(rows);
    if (all.acceptable == 0 || all.critical == 0) return kNaN;
    merge_by_score(rows);
    return precision_of_merged(rows, all);
}

ScoreRecord scores_of(const std::vector<ScoredCounts>& rows)
{
    ScoreRecord scores;
    const ScoredCounts all = totals(rows);
    if (all.acceptable == 0 || all.critical == 0) return scores;
    std::vector<ScoredCounts> merged = rows;
    merge_by_score(merged);
    scores.auc = area_of_merged(merged, all);
    scores.pr_auc = precision_of_merged(merged, all);
    double squares = 0;
    for (const ScoredCounts& row : rows)
    {
        squares += row.acceptable * row.score * row.score + row.critical * (1 - row.score) * (1 - row.score);
    }
    constexpr double kThreshold = 0.5;
    const ScoredCounts flagged = flagged_at(rows, kThreshold);
    scores.recall = flagged.critical / all.critical;
    scores.balanced_accuracy = (scores.recall + (all.acceptable - flagged.acceptable) / all.acceptable) / 2;
    if (flagged.acceptable + flagged.critical > 0)
        scores.precision = flagged.critical / (flagged.acceptable + flagged.critical);
    scores.brier = squares / (all.acceptable + all.critical);
    return scores;
}

RocRecord roc_curve(std::vector<ScoredCounts> rows)
{
    RocRecord roc;
    const ScoredCounts all = totals(rows);
    if (all.acceptable == 0 || all.critical == 0) return roc;
    merge_by_score(rows);
    const auto add = [&](double threshold, double acceptable, double critical) {
        roc.threshold.push_back(threshold);
        roc.false_positive_rate.push_back(acceptable / all.acceptable);
        roc.true_positive_rate.push_back(critical / all.critical);
    };
    add(std::numeric_limits<double>::infinity(), 0, 0);
    double acceptable = 0;
    double critical = 0;
    for (std::size_t i = 0; i < rows.size(); ++i)
    {
        const ScoredCounts& row = rows[i];
        acceptable += row.acceptable;
        critical += row.critical;
        const bool same_slope = i + 1 < rows.size() && row.critical * rows[i + 1].acceptable ==
                                                           rows[i + 1].critical * row.acceptable;
        if (!same_slope) add(row.score, acceptable, critical);
    }
    return roc;
}

ConfusionRecord confusion_percent(const std::vector<ScoredCounts>& rows, double threshold)
{
    const ScoredCounts all = totals(rows);
    const ScoredCounts flagged = flagged_at(rows, threshold);
    const double count = all.acceptable + all.critical;
    const auto percent = [count](double part) { return count > 0 ? 100.0 * part / count : kNaN; };
    return {percent(all.acceptable - flagged.acceptable), percent(flagged.acceptable),
            percent(all.critical - flagged.critical), percent(flagged.critical)};
}

double mean_of_known(const std::vector<double>& values)
{
    double sum = 0;
    std::size_t known = 0;
    for (const double value : values)
    {
        if (std::isnan(value)) continue;
        sum += value;
        ++known;
    }
    return known > 0 ? sum / static_cast<double>(known) : kNaN;
}

double mean_of_known(const std::vector<ScoreRecord>& records, double ScoreRecord::*score)
{
    return mean_of_known(values_of(records, score));
}

namespace
{

/// Student's interval of the known values; the variance of their mean is their own times 1/count + `overlap`.
MeanInterval student_interval(const std::vector<double>& values, double overlap)
{
    std::vector<double> known;
    std::copy_if(values.begin(), values.end(), std::back_inserter(known),
                 [](double v) { return !std::isnan(v); });
    const double mean = mean_of_known(known);
    if (known.size() < 2) return {mean, kNaN, kNaN};
    double squares = 0;
    for (const double value : known)
        squares += (value - mean) * (value - mean);
    const auto count = static_cast<double>(known.size());
    const double variance = squares / (count - 1) * (1 / count + overlap);
    const double half =
        boost::math::quantile(boost::math::students_t(count - 1), 0.975) * std::sqrt(variance);
    return {mean, mean - half, mean + half};
}

}  // namespace

MeanInterval resampled_interval(const std::vector<double>& scores, double test_share)
{
    MeanInterval interval = student_interval(scores, test_share / (1 - test_share));
    if (interval.low < 0) interval.low = 0;
    if (interval.high > 1) interval.high = 1;
    return interval;
}

MeanInterval mean_interval(const std::vector<double>& values)
{
    return student_interval(values, 0);
}

}  // namespace flipstorm
