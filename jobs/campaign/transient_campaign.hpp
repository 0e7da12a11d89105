#pragma once
// From the [campaign] and [transient] tables to the engine's transient faults.

#include <cstdint>
#include <memory>
#include <string>

#include "engine/faults/transient_plan.hpp"
#include "engine/network/network.hpp"
#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/chunk_work.hpp"
#include "jobs/job_file/job.hpp"
#include "jobs/job_file/transient_rules.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// The plan of a job whose target is feature_maps or instructions, on so many test images. \throws JobError,
/// FileError, DataError, the last two about transient.table
[[nodiscard]] TransientPlan transient_plan(const Job& job, const Network& network, std::uint64_t images);

/// Strata, sample sizes and cost of such a plan, as text. \throws as transient_plan
[[nodiscard]] std::string describe_transient_plan(const Job& job, const Network& network,
                                                  std::uint64_t images);

/// What decides transient faults beside [campaign] and the network, as text for a digest: the table
/// [transient], and the content of transient.table.
[[nodiscard]] std::string transient_identity(const Job& job);

/// Faults of a campaign with a transient plan. \throws DataError, JobError: see TransientEvaluator
[[nodiscard]] std::unique_ptr<ChunkWork> transient_work(const Context& context, const Campaign& campaign);

}  // namespace flipstorm
