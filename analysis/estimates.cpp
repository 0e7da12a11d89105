#include "analysis/estimates.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/fault_population.hpp"
#include "engine/base/error.hpp"
#include "engine/base/tolerance.hpp"

namespace flipstorm
{
namespace
{

std::size_t as_index(std::int32_t id)
{
    return static_cast<std::size_t>(id);
}

}  // namespace

double screen_bound95(std::uint64_t screened, std::uint64_t audited, std::uint64_t disagreements)
{
    return screened == 0 ? 0.0 : clopper_pearson_upper(disagreements, audited);
}

ShareInterval product_interval(const ShareInterval& x, const ShareInterval& y, double quantile)
{
    const double share = x.share * y.share;
    const auto distance = [&](double x_limit, double y_limit) {
        const double dx = x_limit - x.share;
        const double dy = y_limit - y.share;
        return std::hypot(x.share * dy, y.share * dx, dx * dy / quantile);
    };
    return {share, std::max(0.0, share - distance(x.low, y.low)),
            std::min(1.0, share + distance(x.high, y.high))};
}

ShareEstimate estimate_share(const std::vector<StratumCount>& strata, double quantile)
{
    ShareEstimate estimate;
    double population = 0;
    double covered = 0;
    for (const StratumCount& h : strata)
    {
        population += static_cast<double>(h.population);
        if (h.faults > 0) covered += static_cast<double>(h.population);
        estimate.faults += h.faults;
        estimate.hits += h.hits;
    }
    if (estimate.faults == 0)
    {
        constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
        estimate.share = estimate.low = estimate.high = kNaN;
        return estimate;
    }
    estimate.covered = covered / population;

    double share = 0;
    for (const StratumCount& h : strata)
    {
        if (h.faults == 0) continue;
        share += static_cast<double>(h.population) / covered * static_cast<double>(h.hits) /
                 static_cast<double>(h.faults);
    }
    if (estimate.hits == 0) share = 0;
    if (estimate.hits == estimate.faults) share = 1;
    estimate.share = share;

    double own = 0;   // Σ c p_h (1 − p_h)
    double lent = 0;  // Σ c / n
    double flat = 0;  // Σ c
    for (const StratumCount& h : strata)
    {
        if (h.faults == 0) continue;
        const auto n = static_cast<double>(h.faults);
        const double weight = static_cast<double>(h.population) / covered;
        const double unit = weight * weight * (1 - n / static_cast<double>(h.population)) / n;
        const double p = static_cast<double>(h.hits) / n;
        own += unit * p * (1 - p);
        lent += unit / n;
        flat += unit;
    }
    double size = 1 / flat;
    if (share > 0 && share < 1)
    {
        const double spread = share * (1 - share);
        const double variance = (own + spread * lent) / (1 - lent);  // V, solved for
        size = spread / variance + 1;
    }
    const bool few = std::min(estimate.hits, estimate.faults - estimate.hits) < kFewFaults;
    static_cast<ShareInterval&>(estimate) =
        few ? clopper_pearson_interval(share, size, quantile) : wilson_interval(share, size, quantile);
    return estimate;
}

CriticalShare estimate_critical_share(const CampaignRecord& campaign, double tolerance)
{
    const CampaignHeader& header = campaign.header;
    const LayerTable& layers = header.layers;
    const StrataTable& strata = header.strata;
    const UpsetModel upset = upset_of(header);
    const std::int32_t most_bits =
        layers.size() == 0 ? 0 : *std::max_element(layers.word_bits.begin(), layers.word_bits.end());
    const auto bits = static_cast<std::size_t>(most_bits);
    // Counts of each (stratum, layer, bit), the bit in the innermost index.
    std::vector<StratumCount> parts(strata.size() * layers.size() * bits);
    const auto part = [&](std::size_t s, std::size_t l, std::size_t b) -> StratumCount& {
        return parts.at((s * layers.size() + l) * bits + b);
    };
    for (std::size_t row = 0; row < campaign.faults.size(); ++row)
    {
        StratumCount& of_row = part(as_index(campaign.faults.stratum[row]),
                                    as_index(campaign.faults.layer[row]), campaign.faults.bit[row]);
        ++of_row.faults;
        if (exceeds(campaign.outcomes.drop[row], tolerance)) ++of_row.hits;
    }

    std::vector<StratumCount> whole;
    std::vector<std::vector<StratumCount>> of_layer(layers.size());
    std::vector<std::vector<StratumCount>> of_bit(bits);
    std::vector<std::vector<StratumCount>> of_cell(layers.size() * bits);
    for (std::size_t s = 0; s < strata.size(); ++s)
    {
        StratumCount of_stratum{strata.population[s], 0, 0};
        std::vector<StratumCount> bit_parts(bits);
        for (std::size_t l = 0; l < layers.size(); ++l)
        {
            StratumCount layer_part{part_population(header, upset, s, l), 0, 0};
            for (std::size_t b = 0; b < bits; ++b)
            {
                StratumCount& cell = part(s, l, b);
                cell.population = part_population(header, upset, s, l, static_cast<std::int32_t>(b));
                if (cell.population > 0) of_cell[l * bits + b].push_back(cell);
                for (StratumCount* sum : {&layer_part, &bit_parts[b], &of_stratum})
                {
                    sum->faults += cell.faults;
                    sum->hits += cell.hits;
                }
                bit_parts[b].population += cell.population;
            }
            if (layer_part.population > 0) of_layer[l].push_back(layer_part);
        }
        for (std::size_t b = 0; b < bits; ++b)
        {
            if (bit_parts[b].population > 0) of_bit[b].push_back(bit_parts[b]);
        }
        whole.push_back(of_stratum);
    }
    CriticalShare result;
    result.tolerance = tolerance;
    result.network = estimate_share(whole);
    for (const auto& counts : of_layer)
        result.layers.push_back(estimate_share(counts));
    for (const auto& counts : of_bit)
        result.bits.push_back(estimate_share(counts));
    for (std::size_t l = 0; l < layers.size(); ++l)
    {
        auto& cells = result.cells.emplace_back();
        for (std::size_t b = 0; b < as_index(layers.word_bits[l]); ++b)
            cells.push_back(estimate_share(of_cell[l * bits + b]));
    }
    return result;
}

std::vector<double> fault_weights(const CampaignRecord& campaign)
{
    const StrataTable& strata = campaign.header.strata;
    std::vector<double> faults(strata.size(), 0.0);
    for (const std::int32_t s : campaign.faults.stratum)
        ++faults[as_index(s)];
    double covered = 0;
    for (std::size_t s = 0; s < strata.size(); ++s)
    {
        if (faults[s] > 0) covered += static_cast<double>(strata.population[s]);
    }
    std::vector<double> weights(campaign.faults.size());
    std::transform(
        campaign.faults.stratum.begin(), campaign.faults.stratum.end(), weights.begin(), [&](std::int32_t s) {
            return static_cast<double>(strata.population[as_index(s)]) / covered / faults[as_index(s)];
        });
    return weights;
}

}  // namespace flipstorm
