#pragma once
// What a campaign's faults are drawn from: how many faults of its model lie in a stratum, a layer, a bit.

#include <cstdint>
#include <string>

#include "engine/memory/word_fault.hpp"
#include "hdf5_schema/campaign_file.hpp"

namespace flipstorm
{

/// The fault model of a campaign. \throws DataError if its name is unknown or the number of bits does not fit
/// it. Thread-safe.
UpsetModel upset_of(const CampaignHeader& header);

/// What a fault does, for a reader: "single bit flips", "upsets of 3 adjacent bits". \throws as upset_of.
std::string describe_upset(const CampaignHeader& header);

/**
 * Why no forest can speak for the network from these faults; empty where one can.
 *
 * A forest predicts single bits, and a code that corrects one error is useless against upsets of several; and
 * it knows nothing of layers that were left out. \throws DataError as upset_of.
 */
std::string why_not_learnt(const CampaignHeader& header);

/// Whether a campaign has every fault of its network. \throws DataError as upset_of. Thread-safe.
bool has_every_fault(const CampaignRecord& campaign);

/// Whether a fault flips its bit: one that is stuck at what the bit holds does not. Thread-safe.
bool flips_its_bit(const FaultTable& faults, std::size_t row);

/**
 * Faults of a stratum that lie in a layer: those of one bit, of several bits hit the highest, or of all (−1).
 *
 * 0 where the stratum does not hold the layer or the bit, or the job left the layer out. Thread-safe.
 */
std::uint64_t part_population(const CampaignHeader& header, UpsetModel upset, std::size_t stratum,
                              std::size_t layer, std::int32_t bit = -1);

}  // namespace flipstorm
