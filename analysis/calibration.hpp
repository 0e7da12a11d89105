#pragma once
// From votes to probabilities: how often the faults of a vote were critical where the model had not seen
// them. Pure functions, thread-safe.
//
// A level says what is known of a bit in one byte: 0 measured acceptable, 255 measured critical, else the
// vote of the model in units of 1/255, from 1 to 254. What a level means is a table.

#include <cstdint>

#include "hdf5_schema/forest_file.hpp"

namespace flipstorm
{

constexpr std::uint8_t kMeasuredAcceptable = 0;
constexpr std::uint8_t kMeasuredCritical = 255;

/// The level of a vote in units of 1/255, as in /criticality.
[[nodiscard]] constexpr std::uint8_t predicted_level(std::uint8_t vote)
{
    return vote == 0 ? 1 : vote == 255 ? 254 : vote;
}

/// The level of a vote of 0 … 1.
[[nodiscard]] std::uint8_t predicted_level_of(double vote);

/// The least level whose bits count as critical where votes of at least `threshold` do; at most 254, the
/// highest that is predicted.
[[nodiscard]] std::uint8_t level_of_threshold(double threshold);

/**
 * Probability that the fault of a level is critical, with the limits of its 95 % interval.
 *
 * Isotonic regression (pool adjacent violators) of the critical share of the network's faults on the level:
 * rows count by how much of the network they stand for, which undoes the balance that a model was trained
 * with and the rates at which strata were sampled. The interval of each pool is Clopper and Pearson's for
 * Kish's effective number of its rows, and as probabilities rise with the level, so do the limits. Between
 * pools probabilities are interpolated, limits are those of the neighbours. The two measured levels are 0
 * and 1.
 *
 * \param rows  of all levels; without any row every probability is 0 with limits of 0 and 1
 */
[[nodiscard]] CalibrationRecord calibrate(const LevelCounts& rows);

/**
 * The highest threshold whose bits below it hold at most `max_missed` of the network's critical faults, with
 * one-sided confidence.
 *
 * Thresholds are tried upwards from the lowest and the first that cannot be confirmed ends the search (fixed
 * sequence: no correction for their number is due). The bound is Clopper and Pearson's for the critical rows,
 * counted by their weight (Kish).
 *
 * \return a vote; 1/255, the lowest level of all, which takes every bit for critical, if no other can be
 * confirmed
 */
[[nodiscard]] double choose_threshold(const LevelCounts& rows, double max_missed, double confidence);

}  // namespace flipstorm
