#pragma once
// Digests of all that decides what a stage computes: a file or journal with the digest of a job is its own.
// Keys that came later (KeySpec::since) count only where they are not at their default, so that the digests
// of older jobs stay what they were. Pure functions.

#include <string>

#include "engine/faults/plan.hpp"
#include "engine/network/graph.hpp"
#include "jobs/job_file/job.hpp"

namespace flipstorm
{

/// Of the parameters of model.h5. \param dataset_sha256  of training and test images
[[nodiscard]] std::string train_digest(const Job& job, const std::string& dataset_sha256);

/// Of the content of an imported model file. \param model_sha256  of the TorchScript file
[[nodiscard]] std::string import_digest(const Job& job, const std::string& model_sha256,
                                        const std::string& dataset_sha256);

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

/// Of the content of forest.h5. \param campaign_content  content_digest() of the campaign
[[nodiscard]] std::string forest_digest(const Job& job, const std::string& campaign_content,
                                        const std::string& model_sha256);

/// Of the content of protection.h5, from the content_digest() of the forest and of the campaign.
[[nodiscard]] std::string harden_digest(const Job& job, const std::string& forest_content,
                                        const std::string& campaign_content);

}  // namespace flipstorm
