#pragma once
// Digests of all that decides what a stage computes: a file or journal with the digest of a job is its own.
// Keys that came later (KeySpec::since) count only where they are not at their default, so that the digests
// of older jobs stay what they were. Pure functions.

#include <string>

#include "jobs/job_file/job.hpp"

namespace flipstorm
{

/// Of the parameters of model.h5. \param dataset_sha256  of training and test images
/// \param start_sha256  digest() of the network that is fine-tuned; empty: none
[[nodiscard]] std::string train_digest(const Job& job, const std::string& dataset_sha256,
                                       const std::string& start_sha256 = {});

/// Of the content of an imported model file. \param model_sha256  of the TorchScript file
[[nodiscard]] std::string import_digest(const Job& job, const std::string& model_sha256,
                                        const std::string& dataset_sha256);

/// Of the content of a converted model file. \param model_sha256  digest() of the network of fp32
/// \param dataset_sha256  of training and test images
[[nodiscard]] std::string convert_digest(const Job& job, const std::string& model_sha256,
                                         const std::string& dataset_sha256);

/// Of the content of forest.h5. \param campaign_content  content_digest() of the campaign
[[nodiscard]] std::string forest_digest(const Job& job, const std::string& campaign_content,
                                        const std::string& model_sha256);

/// Of the content of protection.h5, from the content_digest() of the forest and of the campaign. \param
/// model_sha256  digest() of the network whose words are known; empty: they are not
[[nodiscard]] std::string harden_digest(const Job& job, const std::string& forest_content,
                                        const std::string& campaign_content, const std::string& model_sha256);

}  // namespace flipstorm
