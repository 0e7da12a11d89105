#include "analysis/campaign_check.hpp"

#include <cmath>
#include <initializer_list>
#include <limits>

#include "engine/base/error.hpp"
#include "engine/base/tolerance.hpp"

namespace flipstorm
{
namespace
{

void check_lengths(const char* table, std::initializer_list<std::size_t> columns)
{
    for (const std::size_t rows : columns)
    {
        FS_CHECK(DataError, rows == *columns.begin(), "campaign: the columns of {} differ in length", table);
    }
}

/// Lengths: the reader of campaign.h5 refuses these too, but a record built in memory did not pass it.
void check_lengths(const CampaignRecord& campaign)
{
    const LayerTable& layers = campaign.header.layers;
    const StrataTable& strata = campaign.header.strata;
    const FaultTable& faults = campaign.faults;
    check_lengths("/layers", {layers.name.size(), layers.weights.size(), layers.out_channels.size(),
                              layers.in_channels.size(), layers.word_bits.size()});
    check_lengths("/strata", {strata.layer.size(), strata.bit.size(), strata.population.size()});
    check_lengths("/faults and /outcomes",
                  {faults.stratum.size(), faults.layer.size(), faults.parameter.size(),
                   faults.out_channel.size(), faults.in_channel.size(), faults.bit.size(), faults.sign.size(),
                   campaign.outcomes.drop.size(), campaign.outcomes.stopped.size()});
    FS_CHECK(DataError, faults.size() > 0, "campaign: no faults; nothing can be learnt from it");
    FS_CHECK(DataError, faults.size() < std::numeric_limits<std::uint32_t>::max(),
             "campaign: {} faults; at most 2^32 - 2 can be analysed", faults.size());
}

void check_header(const LayerTable& layers, const StrataTable& strata)
{
    for (std::size_t i = 0; i < layers.size(); ++i)
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
    for (std::size_t i = 0; i < strata.size(); ++i)
    {
        FS_CHECK(
            DataError, strata.layer[i] >= -1 && strata.layer[i] < static_cast<std::int32_t>(layers.size()),
            "campaign: stratum {} is of layer {}; there are {} layers", i, strata.layer[i], layers.size());
    }
}

void check_fault(const CampaignHeader& header, const FaultTable& faults, std::size_t row)
{
    const LayerTable& layers = header.layers;
    const StrataTable& strata = header.strata;
    const std::int32_t layer = faults.layer[row];
    const int bit = faults.bit[row];
    const std::uint64_t parameter = faults.parameter[row];
    const auto l = static_cast<std::size_t>(layer);  // beyond the table if negative
    const auto s = static_cast<std::size_t>(faults.stratum[row]);
    FS_CHECK(
        DataError,
        s < strata.size() && l < layers.size() && parameter < layers.weights[l] && bit < layers.word_bits[l],
        "campaign: fault {} (stratum {}, layer {}, parameter {}, bit {}) is outside the network", row,
        faults.stratum[row], layer, parameter, bit);
    FS_CHECK(
        DataError,
        (strata.layer[s] == -1 || strata.layer[s] == layer) && (strata.bit[s] == -1 || strata.bit[s] == bit),
        "campaign: fault {} (layer {}, bit {}) lies outside its stratum {} (layer {}, bit {})", row, layer,
        bit, s, strata.layer[s], strata.bit[s]);
    FS_CHECK(DataError, faults.sign[row] <= 1, "campaign: fault {} has sign {}; 0 or 1 are possible", row,
             faults.sign[row]);
    const auto inputs = static_cast<std::uint64_t>(layers.in_channels[l]);
    const std::uint64_t filter = parameter / kernel_elements(layers, l);
    const auto out = static_cast<std::int32_t>(filter / inputs);
    const auto in = static_cast<std::int32_t>(filter % inputs);
    FS_CHECK(DataError, faults.out_channel[row] == out && faults.in_channel[row] == in,
             "campaign: fault {} names channels ({}, {}), but parameter {} of layer '{}' belongs to ({}, {})",
             row, faults.out_channel[row], faults.in_channel[row], parameter, layers.name[l], out, in);
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
    check_lengths(campaign);
    check_header(header.layers, header.strata);
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
            FS_CHECK(DataError, exceeds(drop, tolerance),
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
