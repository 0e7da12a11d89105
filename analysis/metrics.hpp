#pragma once
// How well predicted probabilities tell critical from acceptable faults. Pure functions, thread-safe.

#include <vector>

#include "hdf5_schema/forest_file.hpp"

namespace flipstorm
{

/// Rows that share a predicted probability (one cell, or one row), by true class: their number, exact up to
/// 2^53, or the sum of their weights.
struct ScoredCounts
{
    double score = 0;
    double acceptable = 0;
    double critical = 0;
};

/**
 * Area under the ROC curve: the chance that a critical row scores higher than an acceptable one, equal scores
 * counting half (Mann-Whitney). NaN if there is only one class.
 */
double roc_auc(std::vector<ScoredCounts> rows);

/**
 * Average precision: the mean over the critical rows of the precision at the highest threshold that finds
 * them, as scikit-learn's average_precision_score. NaN if there is only one class.
 */
double average_precision(std::vector<ScoredCounts> rows);

/// All scores; those at a threshold for a row that is predicted critical if its score ≥ 0.5. NaN if there is
/// only one class.
ScoreRecord scores_of(const std::vector<ScoredCounts>& rows);

/**
 * Points of the ROC curve by falling threshold: a row is predicted critical if its score ≥ threshold.
 *
 * Starts at (0, 0) with threshold +∞ and ends at (1, 1); points on a straight line between their neighbours
 * are left out. Empty if there is only one class.
 */
RocRecord roc_curve(std::vector<ScoredCounts> rows);

/**
 * Percent of all rows by true and predicted class (the joint shares of Table II of DATE 2023).
 *
 * A row is predicted critical if its score ≥ threshold, the rule of roc_curve and of the protection. A draw
 * at 0.5 is critical: here the forest is more cautious than scikit-learn's `predict`. All NaN without rows.
 */
ConfusionRecord confusion_percent(const std::vector<ScoredCounts>& rows, double threshold = 0.5);

/// Mean of the values that are not NaN; NaN if there are none.
double mean_of_known(const std::vector<double>& values);

/// Mean of one score over several folds or splits, as far as it is known.
double mean_of_known(const std::vector<ScoreRecord>& records, double ScoreRecord::*score);

/// A mean and the limits of its confidence interval.
struct MeanInterval
{
    double mean = 0;
    double low = 0;
    double high = 0;
};

/**
 * Mean of the scores of several models that share training rows, with its interval of 95 % confidence.
 *
 * Student's t with the variance corrected for the overlap: s² (1/k + test/train), Nadeau and Bengio,
 * "Inference for the generalization error", 2003. The interval ends where scores do, at 0 and 1. NaN where
 * fewer than two scores are known (the mean: none).
 *
 * \param test_share  of the rows of a model that it was judged on
 */
MeanInterval resampled_interval(const std::vector<double>& scores, double test_share);

/// Mean of independent values with Student's 95 % interval; limits NaN for fewer than two.
MeanInterval mean_interval(const std::vector<double>& values);

}  // namespace flipstorm
