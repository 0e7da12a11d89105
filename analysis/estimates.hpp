#pragma once
// What share of all faults is critical, from a stratified sample, with a confidence interval. The fault is
// the sampling unit: all test images share it.

#include <cstdint>
#include <vector>

#include "hdf5_schema/campaign_file.hpp"

namespace flipstorm
{

/// Quantile of the normal distribution for two-sided 95 %.
constexpr double kQuantile95 = 1.959963984540054;

/// Faults drawn without replacement from one population.
struct StratumCount
{
    std::uint64_t population = 0;
    std::uint64_t faults = 0;
    std::uint64_t hits = 0;  ///< of the faults
};

/// An estimated share and its interval; NaN without faults.
struct ShareEstimate
{
    double share = 0;
    double low = 0;
    double high = 0;
    std::uint64_t faults = 0;
    std::uint64_t hits = 0;
    double covered = 0;  ///< share of the population that lies in strata with faults, 0 … 1
};

/**
 * Estimate the share of hits over strata of different sampling rates.
 *
 *     p = Σ W_h k_h / n_h,  W_h = N_h / Σ N over the strata with faults
 *     V = Σ W_h² (1 − n_h / N_h) p̃_h (1 − p̃_h) / n_h,  p̃_h = (k_h + p) / (n_h + 1)
 *
 * and the Wilson score interval for p with the effective sample size n = p (1 − p) / V. p̃_h lends each
 * stratum one fault at the overall share, so that a stratum without hits has a variance; for a single stratum
 * this is Wilson's interval with the correction for a finite population. For p = 0 or 1, n = 1 / Σ W_h² (1 −
 * n_h / N_h) / n_h. A sample that holds the whole population has an interval of width 0.
 *
 * Strata without faults say nothing and are left out; `covered` tells how much is left. Thread-safe.
 */
ShareEstimate estimate_share(const std::vector<StratumCount>& strata, double quantile = kQuantile95);

/// Table I of DATE 2023: share of all faults that is critical for a tolerance.
struct CriticalShare
{
    double tolerance = 0;
    ShareEstimate network;
    std::vector<ShareEstimate> layers;  ///< index = layer id
};

/**
 * Estimate the critical share of the network and of each layer.
 *
 * The faults of a stratum that covers all layers are, within one layer, a sample of that layer's bits: the
 * layer's part of the stratum's population is weights × word bits (or × 1 for a stratum of one bit).
 *
 * \param campaign  as check_campaign accepts it. Thread-safe.
 */
CriticalShare estimate_critical_share(const CampaignRecord& campaign, double tolerance);

/**
 * Weight of each fault in an estimate for the network: W_h / n_h of its stratum; they sum to 1.
 * The share of faults with some property is the sum of their weights. Thread-safe.
 */
std::vector<double> fault_weights(const CampaignRecord& campaign);

}  // namespace flipstorm
