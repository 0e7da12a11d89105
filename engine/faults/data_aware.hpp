#pragma once
// Data-aware sampling: how likely a flip of each bit position is to be critical, guessed from the golden
// weights alone.

#include <vector>

#include "engine/memory/stored_tensor.hpp"

namespace flipstorm
{

/// What the golden weights of a layer say about a bit position.
struct BitStatistics
{
    double zeros = 0;        ///< f0: weights whose bit is 0
    double ones = 0;         ///< f1: weights whose bit is 1
    double distance_01 = 0;  ///< D01: mean |faulty − golden| over those whose bit is 0; 0 without any
    double distance_10 = 0;  ///< D10: the same over those whose bit is 1

    /// D = (f0 D01 + f1 D10) / (f0 + f1): mean distance of a flip of this bit.
    [[nodiscard]] double distance() const;
};

/**
 * Statistics by bit position of the stored words, bit 0 the least significant.
 *
 * A faulty value that is not finite counts as far away as the largest float is from 0. Thread-safe.
 */
std::vector<BitStatistics> bit_statistics(const StoredTensor& weights);

/**
 * Prior probability p(i) that a fault in bit i is critical, after Ruospo et al., DATE 2023: the mean distance
 * of a flip, scaled linearly to [0, 0.5].
 *
 *     p(i) = 0.5 (D(i) − min D) / (max D − min D),  at most 0.5
 *
 * min and max are over the bits that are not outliers. One bit can outweigh all others (bit 30 of fp32 scales
 * a weight below 2 by 2^128), so a D above mean + 3 standard deviations of the D of all bits is an outlier:
 * left out of the maximum, with p = 0.5. (The standard deviation is that of a population; with b bits a
 * value lies at most √(b − 1) of them above the mean, so words of up to 10 bits have no outliers.) Where all
 * bits that count are alike, p is 0.5 for all.
 *
 * \param statistics  of all bits of a word. Thread-safe.
 */
std::vector<double> critical_priors(const std::vector<BitStatistics>& statistics);

}  // namespace flipstorm
