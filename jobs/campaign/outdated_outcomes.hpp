#pragma once
// Outcomes that earlier versions left in journals and campaign.h5 and that were wrong: which they are, and
// what becomes of them. What they are is in engine/evaluate/results_revision.hpp; everything else is taken
// up again.

#include <cstdint>
#include <filesystem>
#include <string>

#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/transient_campaign_file.hpp"
#include "jobs/campaign/campaign.hpp"
#include "jobs/resolve/context.hpp"
#include "mpi/journal.hpp"

namespace flipstorm
{

/// From these on the outcomes of faults that may overflow are right: format of a journal's segments, minor
/// version of campaign.h5.
inline constexpr std::uint32_t kFirstRightJournal = 3;
inline constexpr std::int32_t kFirstRightCampaign = 3;

/// From this bit of a float on, a flip may multiply a value of any size by 2^64 or more.
inline constexpr std::int32_t kLargeFlip = 29;
/// In /faults/bit of a campaign in instructions: no bit flips.
inline constexpr std::uint8_t kNoBit = 255;

/// Whether native kernels may have computed a job's faults. Not in mode `reference`, nor with
/// campaign.backend = "libtorch".
[[nodiscard]] bool overflow_mattered(const Job& job);

/// Whether a chunk of faults planned on a network holds one that may_overflow(). Thread-safe.
[[nodiscard]] bool holds_overflow(const CampaignFaults& faults, const Network& network, const Chunk& chunk);

/// Faults of a campaign behind which values may overflow. Thread-safe.
[[nodiscard]] std::uint64_t overflowing_faults(const CampaignRecord& campaign);
[[nodiscard]] std::uint64_t overflowing_faults(const TransientCampaignRecord& campaign);

/**
 * Drop from what this rank has read of a journal the chunks of early segments that hold a fault which may
 * overflow. Rank 0 says how many are to be computed again and why. \collective
 */
void drop_outdated(const Context& context, const Campaign& campaign, JournalContent& journal);

/**
 * Why a finished campaign.h5 of this very campaign has to be computed again; empty if it need not, or is of
 * another campaign. \throws FileError if it cannot be read
 */
[[nodiscard]] std::string why_outdated(const std::filesystem::path& file, const Job& job,
                                       const Campaign& campaign);

/// Warn where a campaign.h5 that a later stage reads holds outcomes which may be wrong. \throws FileError
void warn_if_outdated(const std::filesystem::path& file, const CampaignRecord& campaign);

/// Remove the segments that carry the campaign's superseded digest, with a warning that counts them and says
/// why. One rank calls it, before any other reads. \throws FileError
void remove_superseded(const std::filesystem::path& journal, const Campaign& campaign);

}  // namespace flipstorm
