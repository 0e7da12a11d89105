#include "analysis/transient_estimates.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace flipstorm
{
namespace
{

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// What is measured on a fault: rates of its images, and the drop.
enum Measure : std::size_t
{
    kMasked,
    kTolerable,
    kCritical,
    kNonfinite,
    kAvf,
    kDrop,
    kMeasures,
};

std::array<double, kMeasures> measures(const TransientOutcomeTable& outcomes, std::size_t row)
{
    const double images = outcomes.evaluated[row];
    const double mismatches = outcomes.mismatches[row];
    const double nonfinite = outcomes.nonfinite[row];
    return {outcomes.masked[row] / images,
            outcomes.tolerable[row] / images,
            (mismatches - nonfinite) / images,
            nonfinite / images,
            mismatches / images,
            outcomes.drop[row]};
}

}  // namespace

StratifiedMean stratified_mean(const std::vector<StratumSum>& strata)
{
    StratifiedMean result;
    double population = 0;
    for (const StratumSum& h : strata)
    {
        if (h.faults > 0) population += h.population;
        result.faults += h.faults;
    }
    if (result.faults == 0) return {kNaN, kNaN, 0, 0};
    for (const StratumSum& h : strata)
    {
        if (h.faults > 0) result.mean += h.population / population * h.sum / h.faults;
    }
    double own = 0;     // Σ c s²
    double lent = 0;    // Σ c / n
    double flat = 0;    // Σ c
    double spread = 0;  // Σ W (s² + (ȳ_h − ȳ)²)
    for (const StratumSum& h : strata)
    {
        if (h.faults == 0) continue;
        const double weight = h.population / population;
        const double unit = weight * weight * (1 - h.faults / h.population) / h.faults;
        const double mean = h.sum / h.faults;
        const double variance = std::max(0.0, h.squares / h.faults - mean * mean);
        own += unit * variance;
        lent += unit / h.faults;
        flat += unit;
        spread += weight * (variance + (mean - result.mean) * (mean - result.mean));
    }
    result.independent = 1 / flat;
    result.variance =
        result.faults < 2 ? std::numeric_limits<double>::infinity() : (own + spread * lent) / (1 - lent);
    return result;
}

ShareInterval share_of(const StratifiedMean& mean, double inferences, double quantile)
{
    if (mean.faults == 0) return {kNaN, kNaN, kNaN};
    constexpr double kRounding = 1e-12;
    double share = mean.mean;
    if (share < kRounding) share = 0;
    if (share > 1 - kRounding) share = 1;
    double size = mean.independent;
    const double spread = share * (1 - share);
    if (spread > 0) size = mean.variance > kRounding * spread ? spread / mean.variance + 1 : inferences;
    return wilson_interval(share, size, quantile);
}

Vulnerability vulnerability(const TransientCampaignRecord& campaign,
                            const std::function<bool(std::size_t)>& wanted)
{
    const StrataTable& strata = campaign.header.campaign.strata;
    std::array<std::vector<StratumSum>, kMeasures> sums;
    for (std::vector<StratumSum>& measure : sums)
    {
        for (const std::uint64_t population : strata.population)
            measure.push_back({static_cast<double>(population), 0, 0, 0});
    }
    Vulnerability result;
    for (std::size_t row = 0; row < campaign.faults.size(); ++row)
    {
        if (!wanted(row)) continue;
        ++result.faults;
        result.inferences += campaign.outcomes.evaluated[row];
        const std::array<double, kMeasures> values = measures(campaign.outcomes, row);
        for (std::size_t m = 0; m < kMeasures; ++m)
            sums[m][static_cast<std::size_t>(campaign.faults.stratum[row])].add(values[m]);
    }
    const auto share = [&](Measure measure) {
        return share_of(stratified_mean(sums[measure]), static_cast<double>(result.inferences));
    };
    result.masked = share(kMasked);
    result.tolerable = share(kTolerable);
    result.critical = share(kCritical);
    result.nonfinite = share(kNonfinite);
    result.avf = share(kAvf);
    const StratifiedMean drop = stratified_mean(sums[kDrop]);
    const double half = kQuantile95 * std::sqrt(drop.variance);
    result.regret = drop.mean;
    result.regret_low = std::max(-1.0, drop.mean - half);
    result.regret_high = std::min(1.0, drop.mean + half);
    return result;
}

Vulnerability network_vulnerability(const TransientCampaignRecord& campaign)
{
    return vulnerability(campaign, [](std::size_t) { return true; });
}

std::vector<Vulnerability> layer_vulnerability(const TransientCampaignRecord& campaign)
{
    std::vector<Vulnerability> layers;
    for (std::size_t l = 0; l < campaign.header.campaign.layers.size(); ++l)
    {
        layers.push_back(vulnerability(campaign, [&](std::size_t row) {
            return campaign.faults.layer[row] == static_cast<std::int32_t>(l);
        }));
    }
    return layers;
}

}  // namespace flipstorm
