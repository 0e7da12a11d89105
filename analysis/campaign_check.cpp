#include "analysis/campaign_check.hpp"

#include <cmath>
#include <limits>

#include "analysis/feature_table.hpp"
#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

void check_column(const char* table, const char* column, std::size_t length, std::size_t expected)
{
    FS_CHECK(DataError, length == expected, "campaign: column {}/{} has {} rows, {} has {}", table, column,
             length, table, expected);
}

void check_layers(const LayerTable& layers)
{
    const std::size_t count = layers.size();
    FS_CHECK(DataError, count > 0, "campaign: no layers");
    check_column("/layers", "weights", layers.weights.size(), count);
    check_column("/layers", "out_channels", layers.out_channels.size(), count);
    check_column("/layers", "in_channels", layers.in_channels.size(), count);
    check_column("/layers", "word_bits", layers.word_bits.size(), count);
    for (std::size_t i = 0; i < count; ++i)
    {
        const std::int64_t out = layers.out_channels[i];
        const std::int64_t in = layers.in_channels[i];
        const bool fits = out > 0 && in > 0 && layers.weights[i] > 0 &&
                          layers.weights[i] % static_cast<std::uint64_t>(out * in) == 0;
        FS_CHECK(DataError, fits, "campaign: layer {} ('{}') has {} weights, no multiple of {} × {} channels",
                 i, layers.name[i], layers.weights[i], out, in);
        FS_CHECK(DataError, layers.word_bits[i] >= 1 && layers.word_bits[i] <= 64,
                 "campaign: layer {} ('{}') has words of {} bits; 1 to 64 are possible", i, layers.name[i],
                 layers.word_bits[i]);
    }
}

void check_strata(const StrataTable& strata, std::size_t layers)
{
    const std::size_t count = strata.size();
    check_column("/strata", "bit", strata.bit.size(), count);
    check_column("/strata", "population", strata.population.size(), count);
    check_column("/strata", "planned", strata.planned.size(), count);
    check_column("/strata", "evaluated", strata.evaluated.size(), count);
    for (std::size_t i = 0; i < count; ++i)
    {
        const std::int32_t layer = strata.layer[i];
        FS_CHECK(DataError, layer >= -1 && layer < static_cast<std::int32_t>(layers),
                 "campaign: stratum {} is of layer {}; there are {} layers", i, layer, layers);
    }
}

void check_columns(const FaultTable& faults, const OutcomeTable& outcomes)
{
    const std::size_t count = faults.size();
    check_column("/faults", "layer", faults.layer.size(), count);
    check_column("/faults", "parameter", faults.parameter.size(), count);
    check_column("/faults", "out_channel", faults.out_channel.size(), count);
    check_column("/faults", "in_channel", faults.in_channel.size(), count);
    check_column("/faults", "bit", faults.bit.size(), count);
    check_column("/faults", "sign", faults.sign.size(), count);
    FS_CHECK(DataError, outcomes.drop.size() == count && outcomes.stopped.size() == count,
             "campaign: {} faults but {} outcomes", count, outcomes.drop.size());
    FS_CHECK(DataError, count > 0, "campaign: no faults; nothing can be learnt from it");
    FS_CHECK(DataError, count < std::numeric_limits<std::uint32_t>::max(),
             "campaign: {} faults; at most 2^32 - 2 can be analysed", count);
}

void check_fault(const CampaignHeader& header, const FaultTable& faults, std::size_t row)
{
    const std::int32_t stratum = faults.stratum[row];
    FS_CHECK(DataError, stratum >= 0 && static_cast<std::size_t>(stratum) < header.strata.size(),
             "campaign: fault {} is of stratum {}; there are {} strata", row, stratum, header.strata.size());
    const std::int32_t layer = faults.layer[row];
    FS_CHECK(DataError, layer >= 0 && static_cast<std::size_t>(layer) < header.layers.size(),
             "campaign: fault {} is in layer {}; there are {} layers", row, layer, header.layers.size());
    const auto l = static_cast<std::size_t>(layer);
    const auto s = static_cast<std::size_t>(stratum);
    const int bit = faults.bit[row];
    FS_CHECK(DataError, bit < header.layers.word_bits[l],
             "campaign: fault {} flips bit {} of words of {} bits", row, bit, header.layers.word_bits[l]);
    FS_CHECK(DataError,
             (header.strata.layer[s] == -1 || header.strata.layer[s] == layer) &&
                 (header.strata.bit[s] == -1 || header.strata.bit[s] == bit),
             "campaign: fault {} (layer {}, bit {}) lies outside its stratum {} (layer {}, bit {})", row,
             layer, bit, stratum, header.strata.layer[s], header.strata.bit[s]);
    FS_CHECK(DataError, faults.sign[row] <= 1, "campaign: fault {} has sign {}; 0 or 1 are possible", row,
             faults.sign[row]);
    const std::uint64_t parameter = faults.parameter[row];
    FS_CHECK(DataError, parameter < header.layers.weights[l],
             "campaign: fault {} is in parameter {} of layer '{}', which has {}", row, parameter,
             header.layers.name[l], header.layers.weights[l]);
    const auto inputs = static_cast<std::uint64_t>(header.layers.in_channels[l]);
    const std::uint64_t filter = parameter / kernel_elements(header.layers, l);
    const auto out = static_cast<std::int32_t>(filter / inputs);
    const auto in = static_cast<std::int32_t>(filter % inputs);
    FS_CHECK(DataError, faults.out_channel[row] == out && faults.in_channel[row] == in,
             "campaign: fault {} names channels ({}, {}), but parameter {} of layer '{}' belongs to ({}, {})",
             row, faults.out_channel[row], faults.in_channel[row], parameter, header.layers.name[l], out, in);
}

}  // namespace

std::uint64_t kernel_elements(const LayerTable& layers, std::size_t layer)
{
    return layers.weights[layer] / (static_cast<std::uint64_t>(layers.out_channels[layer]) *
                                    static_cast<std::uint64_t>(layers.in_channels[layer]));
}

void check_campaign(const CampaignRecord& campaign)
{
    const CampaignHeader& header = campaign.header;
    check_layers(header.layers);
    check_strata(header.strata, header.layers.size());
    check_columns(campaign.faults, campaign.outcomes);
    std::vector<std::uint64_t> faults(header.strata.size(), 0);
    for (std::size_t row = 0; row < campaign.faults.size(); ++row)
    {
        check_fault(header, campaign.faults, row);
        ++faults[static_cast<std::size_t>(campaign.faults.stratum[row])];
        const double drop = campaign.outcomes.drop[row];
        FS_CHECK(DataError, std::isfinite(drop), "campaign: fault {} has a drop that is not finite", row);
        if (campaign.outcomes.stopped[row] == 0) continue;
        for (const double tolerance : header.tolerances)
        {
            FS_CHECK(DataError, is_critical(drop, tolerance),
                     "campaign: fault {} was stopped at a drop of at least {}, but the campaign has a "
                     "tolerance of {}",
                     row, drop, tolerance);
        }
    }
    for (std::size_t i = 0; i < faults.size(); ++i)
    {
        FS_CHECK(DataError, faults[i] <= header.strata.population[i],
                 "campaign: stratum {} has {} faults of a population of {}", i, faults[i],
                 header.strata.population[i]);
    }
}

}  // namespace flipstorm
