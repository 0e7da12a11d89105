#include "analysis/fault_population.hpp"

#include <cstring>

#include <fmt/format.h>

#include "engine/base/error.hpp"

namespace flipstorm
{

UpsetModel upset_of(const CampaignHeader& header)
{
    try
    {
        const UpsetModel upset = upset_model(header.fault_model, header.upset_bits);
        FS_CHECK(DataError, upset.bits == header.upset_bits, "campaign: '{}' with upset_bits = {}",
                 header.fault_model, header.upset_bits);
        return upset;
    }
    catch (const JobError& error)
    {
        throw DataError("campaign: fault_model = '{}', upset_bits = {}: {}", header.fault_model,
                        header.upset_bits, error.what());
    }
}

std::string describe_upset(const CampaignHeader& header)
{
    const UpsetModel upset = upset_of(header);
    switch (upset.model)
    {
        case FaultModel::bit_flip:
            return "single bit flips";
        case FaultModel::stuck_at:
            return "single bits stuck at 0 or at 1";
        case FaultModel::stuck_at_0:
            return "single bits stuck at 0";
        case FaultModel::stuck_at_1:
            return "single bits stuck at 1";
        case FaultModel::adjacent_bits:
            return fmt::format("upsets of {} adjacent bits", upset.bits);
        case FaultModel::random_bits:
            return fmt::format("upsets of {} random bits of a word", upset.bits);
    }
    return "";
}

std::string why_not_learnt(const CampaignHeader& header)
{
    if (header.sites.size() > 0)
        return "its faults were listed (campaign.fault_list), not drawn: they speak for themselves alone";
    if (!upset_of(header).single_bit())
    {
        return fmt::format(
            "its faults are {}; a forest predicts single bits, and protection corrects single errors: "
            "inject bit_flip or stuck_at",
            describe_upset(header));
    }
    for (std::size_t l = 0; l < header.layers.size(); ++l)
    {
        if (header.layers.injected[l] != 0) continue;
        return fmt::format(
            "campaign.layers left out layer '{}', of which a forest would know nothing: inject all layers",
            header.layers.name[l]);
    }
    return "";
}

bool has_every_fault(const CampaignRecord& campaign)
{
    const UpsetModel upset = upset_of(campaign.header);
    const LayerTable& layers = campaign.header.layers;
    std::uint64_t faults = 0;
    for (std::size_t l = 0; l < layers.size(); ++l)
        faults += layers.weights[l] * faults_of_word(upset, layers.word_bits[l]);
    return faults == campaign.faults.size();
}

bool flips_its_bit(const FaultTable& faults, std::size_t row)
{
    // The decoded values of long words may be equal after a flip of their last bits.
    return faults.effect[row] == 0 ||
           std::memcmp(&faults.value_before[row], &faults.value_after[row], sizeof(float)) != 0;
}

std::uint64_t part_population(const CampaignHeader& header, UpsetModel upset, std::size_t stratum,
                              std::size_t layer, std::int32_t bit)
{
    const StrataTable& strata = header.strata;
    const LayerTable& layers = header.layers;
    const std::int32_t only = strata.bit[stratum];
    const bool holds_layer =
        strata.layer[stratum] < 0 || static_cast<std::size_t>(strata.layer[stratum]) == layer;
    if (!holds_layer || layers.injected[layer] == 0 || bit >= layers.word_bits[layer]) return 0;
    if (only >= 0 && bit >= 0 && only != bit) return 0;
    const bool of_layer = strata.layer[stratum] >= 0;
    // A stratum of one layer and bit, or all of a layer's: it may be without faults that are known.
    if (of_layer && (only >= 0 || bit < 0)) return strata.population[stratum];
    const std::int32_t counted = only >= 0 ? only : bit;
    return layers.weights[layer] *
           (counted < 0 ? faults_of_word(upset, layers.word_bits[layer]) : faults_of_bit(upset, counted));
}

}  // namespace flipstorm
