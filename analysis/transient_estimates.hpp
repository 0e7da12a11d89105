#pragma once
// Architectural vulnerability factors and regret of a campaign of transient faults. The fault is the sampling
// unit: the images that it strikes share it.

#include <cstdint>
#include <functional>
#include <vector>

#include "analysis/estimates.hpp"
#include "hdf5_schema/transient_campaign_file.hpp"

namespace flipstorm
{

/// Something measured on faults drawn from one population: their number, and the sums of it and of its
/// square.
struct StratumSum
{
    double population = 0;
    double faults = 0;
    double sum = 0;
    double squares = 0;

    void add(double value)
    {
        faults += 1;
        sum += value;
        squares += value * value;
    }
};

/// A mean over a stratified sample, and the variance of that estimate.
struct StratifiedMean
{
    double mean = 0;
    double variance = 0;
    double faults = 0;       ///< in all strata
    double independent = 0;  ///< faults of a simple random sample that weighs as much: 1 / Σ c_h
};

/**
 * Mean of a quantity y over all faults, from strata of different sampling rates.
 *
 *     ȳ = Σ W_h ȳ_h,   V = Σ c_h (s_h² + u / n_h),   c_h = W_h² (1 − n_h / N_h) / n_h
 *     s_h² = Σ (y − ȳ_h)² / n_h,   u = Σ W_h (s_h² + (ȳ_h − ȳ)²) + V
 *
 * the estimator of estimate_share, for any y. Every fault strikes equally many images, so the mean of the
 * faults' rates is the ratio estimate of the rate over all inferences, and V has the variance between faults:
 * images of one fault are not independent. Strata without faults are left out; NaN without any. Infinite
 * variance for a single fault. Thread-safe.
 */
[[nodiscard]] StratifiedMean stratified_mean(const std::vector<StratumSum>& strata);

/**
 * The mean as a share with its 95 % Wilson interval, of effective size ȳ (1 − ȳ) / V + 1; with one image per
 * fault exactly what estimate_share gives. For shares of 0 and 1 the size is that of the faults; where all
 * faults have the same rate and V is 0, it is `inferences`. Thread-safe.
 */
[[nodiscard]] ShareInterval share_of(const StratifiedMean& mean, double inferences,
                                     double quantile = kQuantile95);

/// The shares of inferences under a fault that end in each class, and what accuracy they cost.
struct Vulnerability
{
    std::uint64_t faults = 0;
    std::uint64_t inferences = 0;
    ShareInterval masked;     ///< logits bit-identical
    ShareInterval tolerable;  ///< tolerable SDC: logits differ, top-1 as golden
    ShareInterval critical;   ///< critical SDC: finite logits, another top-1
    ShareInterval nonfinite;  ///< a logit is NaN or infinite
    ShareInterval avf;        ///< misprediction: critical or non-finite
    double regret = 0;        ///< mean drop in accuracy
    double regret_low = 0;    ///< 95 % limits, normal approximation
    double regret_high = 0;
};

/// What is known of the transient faults that struck a layer, or the network.
struct Struck
{
    double probability = 0;  ///< that a fault of the network strikes it
    Vulnerability seen;      ///< so far
};

/// What a fault did to the images that it struck: numbers of images, and the accuracy that was lost.
struct StruckImages
{
    double evaluated = 0;
    double masked = 0;
    double tolerable = 0;
    double mismatches = 0;  ///< those with a non-finite logit included
    double nonfinite = 0;
    double drop = 0;
};

/// Takes faults one by one and estimates their vulnerability. Strata weigh by their populations; those
/// without faults are left out. Not thread-safe.
class VulnerabilityCount
{
  public:
    /// \param populations  of the strata
    explicit VulnerabilityCount(const std::vector<std::uint64_t>& populations);

    void add(std::size_t stratum, const StruckImages& fault);

    /// NaN shares without faults.
    [[nodiscard]] Vulnerability estimate() const;

  private:
    std::vector<std::vector<StratumSum>> sums_;  ///< [measure][stratum]
    std::uint64_t faults_ = 0;
    double inferences_ = 0;
};

/// Vulnerability over the faults that `wanted` accepts by row; strata weigh by their populations. NaN shares
/// if there are none. Thread-safe.
[[nodiscard]] Vulnerability vulnerability(const TransientCampaignRecord& campaign,
                                          const std::function<bool(std::size_t)>& wanted);

/// Of the network, all faults together.
[[nodiscard]] Vulnerability network_vulnerability(const TransientCampaignRecord& campaign);

/// Probability that a fault of the network strikes each layer, by layer id. The faults of a stratum of all
/// layers fall on them as the probability has it.
[[nodiscard]] std::vector<double> layer_probability(const TransientCampaignRecord& campaign);

/// By layer id. A layer's faults are a simple random sample of its own, whatever the strata.
[[nodiscard]] std::vector<Vulnerability> layer_vulnerability(const TransientCampaignRecord& campaign);

}  // namespace flipstorm
