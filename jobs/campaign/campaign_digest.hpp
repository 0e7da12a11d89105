#pragma once
// Digest of all that decides the outcomes of a campaign, as those of the other stages are
// (jobs/resolve/stage_digest.hpp).

#include <string>

#include "engine/faults/plan.hpp"
#include "engine/network/graph.hpp"
#include "jobs/job_file/job.hpp"

namespace flipstorm
{

/**
 * Of the outcomes of a campaign.
 *
 * \param revision  of the results, from revision_of_results(); 0 leaves the digest as it was before there
 * were revisions
 * \throws FileError if transient.table cannot be read
 */
[[nodiscard]] std::string campaign_digest(const Job& job, const Plan& plan, int revision,
                                          const std::string& model_sha256, const std::string& dataset_sha256);

/// Which revision of the results a job has on a network: that of its graph (results_revision), but 0 where
/// LibTorch computes them for sure, which was right from the start.
[[nodiscard]] int revision_of_results(const Job& job, const Graph& graph);

}  // namespace flipstorm
