#pragma once
// A job's campaign, ready to be evaluated: network, test images, plan and screen. Shared by `inject` and
// `bench`.

#include <memory>
#include <string>
#include <vector>

#include "engine/data/dataset.hpp"
#include "engine/evaluate/evaluator.hpp"
#include "engine/faults/plan.hpp"
#include "engine/faults/transient_plan.hpp"
#include "engine/network/network.hpp"
#include "jobs/context.hpp"
#include "jobs/screening.hpp"

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
    std::vector<InjectableLayer> layers;
    std::unique_ptr<Plan> plan;
    ScreenPolicy policy;
    std::vector<LayerWork> work;                 ///< by layer id
    std::unique_ptr<TransientPlan> transient{};  ///< whose plan `plan` is; null: faults in weights
};

/// The job's model, test images and plan. \throws JobError, FileError, DataError
[[nodiscard]] std::unique_ptr<Campaign> load_campaign(const Context& context);

/// The change that a fault of the plan makes to a weight, with the fault's number.
[[nodiscard]] WeightChange change_of(const Campaign& campaign, FaultIndex fault);

/// What the evaluator of a job is asked for, in a mode. Its threads are the context's.
[[nodiscard]] EvaluationOptions evaluation_options(const Context& context, EvaluationMode mode);

/// Digest of all that decides the outcomes of a campaign.
[[nodiscard]] std::string campaign_digest(const Job& job, const Plan& plan, const std::string& model_sha256,
                                          const std::string& dataset_sha256);

}  // namespace flipstorm
