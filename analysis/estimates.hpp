#pragma once
// What share of all faults is critical, from a stratified sample, with a confidence interval. The fault is
// the sampling unit: all test images share it.

#include <cstdint>
#include <vector>

#include "engine/base/statistics.hpp"
#include "hdf5_schema/campaign_file.hpp"

namespace flipstorm
{

/// Faults drawn without replacement from one population.
struct StratumCount
{
    std::uint64_t population = 0;
    std::uint64_t faults = 0;
    std::uint64_t hits = 0;  ///< of the faults
};

/// Fewer critical, or fewer acceptable, faults than this make an interval Clopper and Pearson's.
constexpr std::uint64_t kFewFaults = 5;

/**
 * With 95 % confidence the largest share of wrong pairs among the screened ones of a layer: Clopper and
 * Pearson's limit for the audited ones, 0 where nothing was screened. Every screened pair is audited with the
 * same probability, independently of the others, so the limit holds however the wrong ones cluster in faults
 * or images. Thread-safe.
 */
double screen_bound95(std::uint64_t screened, std::uint64_t audited, std::uint64_t disagreements);

/**
 * The product of two independent shares, such as that of critical faults and that of them which a protection
 * misses.
 *
 *     variance = x² Var(y) + y² Var(x) + Var(x) Var(y)
 *
 * Below and above the product, each variance is recovered from the limit on that side, (distance / quantile)²
 * (MOVER; Zou and Donner, Statistics in Medicine 27, 2008). A factor that is known exactly scales the other's
 * interval. Thread-safe.
 */
ShareInterval product_interval(const ShareInterval& x, const ShareInterval& y, double quantile = kQuantile95);

/// An estimated share and its interval; NaN without faults.
struct ShareEstimate : ShareInterval
{
    std::uint64_t faults = 0;
    std::uint64_t hits = 0;
    double covered = 0;  ///< share of the population that lies in strata with faults, 0 … 1
};

/**
 * Estimate the share of hits over strata of different sampling rates.
 *
 *     p = Σ W_h k_h / n_h,  W_h = N_h / Σ N over the strata with faults
 *     V = Σ c_h (p_h (1 − p_h) + u / n_h),  c_h = W_h² (1 − n_h / N_h) / n_h,  p_h = k_h / n_h
 *     u = p (1 − p) + V
 *
 * and an interval for p with the effective sample size n = u / V: Wilson's score interval, or, where fewer
 * than kFewFaults faults were hits, or fewer were not, Clopper and Pearson's, because Wilson's holds the
 * truth too seldom then (for a share of 0.17 hits in the sample on average in 5 of 6 samples instead of 19 of
 * 20; see the tests). A stratum's own variance has n_h − 1 degrees of freedom; the missing one is lent by u,
 * the variance of a fault drawn from all strata, estimated without bias. So V is unbiased where the strata
 * are alike and too large rather than too small where they differ, a stratum of one fault or without hits has
 * a variance, and a single stratum of a large population has exactly the interval of independent draws. For p
 * = 0 or 1, n = 1 / Σ c_h. A sample that holds the whole population has an interval of width 0.
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
    std::vector<ShareEstimate> bits;    ///< index = bit position, of a fault of several bits the highest
    std::vector<std::vector<ShareEstimate>> cells;  ///< [layer id][bit position below the layer's word bits]
};

/**
 * Estimate the critical share of the network, of each layer, of each bit position and of each bit position of
 * each layer.
 *
 * The faults of a stratum that covers several layers or bits are, within one of them, a sample of that part
 * of its population (part_population), of as many faults as fell on it. A layer or bit without faults is NaN.
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
