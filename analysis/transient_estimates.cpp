#include "analysis/transient_estimates.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

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

std::array<double, kMeasures> measures(const StruckImages& fault)
{
    const double images = fault.evaluated;
    return {
        fault.masked / images,    fault.tolerable / images,  (fault.mismatches - fault.nonfinite) / images,
        fault.nonfinite / images, fault.mismatches / images, fault.drop};
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

VulnerabilityCount::VulnerabilityCount(const std::vector<std::uint64_t>& populations) : sums_(kMeasures)
{
    for (std::vector<StratumSum>& measure : sums_)
    {
        for (const std::uint64_t population : populations)
            measure.push_back({static_cast<double>(population), 0, 0, 0});
    }
}

void VulnerabilityCount::add(std::size_t stratum, const StruckImages& fault)
{
    ++faults_;
    inferences_ += fault.evaluated;
    const std::array<double, kMeasures> values = measures(fault);
    for (std::size_t m = 0; m < kMeasures; ++m)
        sums_[m].at(stratum).add(values[m]);
}

Vulnerability VulnerabilityCount::estimate() const
{
    const auto share = [&](Measure measure) {
        return share_of(stratified_mean(sums_[measure]), inferences_);
    };
    Vulnerability result;
    result.faults = faults_;
    result.inferences = static_cast<std::uint64_t>(inferences_);
    result.masked = share(kMasked);
    result.tolerable = share(kTolerable);
    result.critical = share(kCritical);
    result.nonfinite = share(kNonfinite);
    result.avf = share(kAvf);
    const StratifiedMean drop = stratified_mean(sums_[kDrop]);
    const double half = kQuantile95 * std::sqrt(drop.variance);
    result.regret = drop.mean;
    result.regret_low = std::max(-1.0, drop.mean - half);
    result.regret_high = std::min(1.0, drop.mean + half);
    return result;
}

Vulnerability vulnerability(const TransientCampaignRecord& campaign,
                            const std::function<bool(std::size_t)>& wanted)
{
    VulnerabilityCount count(campaign.header.campaign.strata.population);
    const TransientOutcomeTable& outcomes = campaign.outcomes;
    for (std::size_t row = 0; row < campaign.faults.size(); ++row)
    {
        if (!wanted(row)) continue;
        count.add(
            static_cast<std::size_t>(campaign.faults.stratum[row]),
            {static_cast<double>(outcomes.evaluated[row]), static_cast<double>(outcomes.masked[row]),
             static_cast<double>(outcomes.tolerable[row]), static_cast<double>(outcomes.mismatches[row]),
             static_cast<double>(outcomes.nonfinite[row]), outcomes.drop[row]});
    }
    return count.estimate();
}

Vulnerability network_vulnerability(const TransientCampaignRecord& campaign)
{
    return vulnerability(campaign, [](std::size_t) { return true; });
}

std::vector<double> layer_probability(const TransientCampaignRecord& campaign)
{
    const StrataTable& strata = campaign.header.campaign.strata;
    std::vector<double> probability(campaign.header.campaign.layers.size(), 0);
    const double all = std::accumulate(strata.population.begin(), strata.population.end(), 0.0);
    std::vector<double> faults(strata.size(), 0);
    for (const std::int32_t s : campaign.faults.stratum)
        faults[static_cast<std::size_t>(s)] += 1;
    for (std::size_t i = 0; i < campaign.faults.size(); ++i)
    {
        const auto s = static_cast<std::size_t>(campaign.faults.stratum[i]);
        probability[static_cast<std::size_t>(campaign.faults.layer[i])] +=
            static_cast<double>(strata.population[s]) / all / faults[s];
    }
    return probability;
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
