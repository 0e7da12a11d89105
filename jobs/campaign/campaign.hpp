#pragma once
// A job's campaign, ready to be evaluated: network, test images, plan and screen. Shared by `inject` and
// `bench`.

#include <memory>
#include <string>
#include <vector>

#include "engine/data/dataset.hpp"
#include "engine/evaluate/evaluator.hpp"
#include "engine/faults/plan.hpp"
#include "engine/network/network.hpp"
#include "jobs/campaign/faults.hpp"
#include "jobs/campaign/screening.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// Everything a rank needs to compute chunks.
struct Campaign
{
    Network network;
    ImageSet images;
    std::string model_sha256;
    std::string dataset_sha256;
    std::string stage_sha256;
    std::unique_ptr<CampaignFaults> faults;
    ScreenPolicy policy;
    EvaluationMode mode = EvaluationMode::screened;
    std::vector<LayerWork> work;      ///< by layer id
    std::string superseded_sha256{};  ///< by earlier versions, with other results_revision; empty: none

    [[nodiscard]] const std::vector<InjectableLayer>& layers() const { return faults->layers(); }
    [[nodiscard]] const Plan& plan() const { return faults->plan(); }
};

/// The plan of the job's campaign on a network, with the test images; digests are left empty. \throws
/// JobError, FileError, DataError
[[nodiscard]] std::unique_ptr<Campaign> plan_campaign(const Job& job, Network network);

/// The job's model, test images and plan. \throws JobError, FileError, DataError
[[nodiscard]] std::unique_ptr<Campaign> load_campaign(const Context& context);

/// What the evaluator of a job is asked for, in a mode. Its threads are the context's.
[[nodiscard]] EvaluationOptions evaluation_options(const Context& context, EvaluationMode mode);

}  // namespace flipstorm
