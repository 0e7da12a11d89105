#pragma once
// A job's campaign, ready to be evaluated: network, test images, plan and screen. Shared by `inject` and
// `bench`.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/data/dataset.hpp"
#include "engine/evaluate/evaluator.hpp"
#include "engine/faults/plan.hpp"
#include "engine/faults/transient_plan.hpp"
#include "engine/network/network.hpp"
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
    std::vector<InjectableLayer> layers;
    std::unique_ptr<Plan> plan;
    ScreenPolicy policy;
    EvaluationMode mode = EvaluationMode::screened;
    std::vector<LayerWork> work;                 ///< by layer id
    std::unique_ptr<TransientPlan> transient{};  ///< whose plan `plan` is; null: faults in weights
    std::string superseded_sha256{};  ///< by earlier versions, with other results_revision; empty: none
};

/// The plan of the job's campaign on a network, with the test images; digests are left empty. \throws
/// JobError, FileError, DataError
[[nodiscard]] std::unique_ptr<Campaign> plan_campaign(const Job& job, Network network);

/// The job's model, test images and plan. \throws JobError, FileError, DataError
[[nodiscard]] std::unique_ptr<Campaign> load_campaign(const Context& context);

/// The change that a fault of the plan makes to a weight, with the fault's number.
[[nodiscard]] WeightChange change_of(const Campaign& campaign, FaultIndex fault);

/**
 * Outcomes of changes of one layer's weights, as Evaluator::evaluate; nothing if `should_stop` said yes.
 *
 * A change to the value that is stored already (a bit stuck at what it is) is masked on every image and is
 * not evaluated, except in mode `reference`.
 */
[[nodiscard]] std::optional<std::vector<Outcome>> evaluate_changes(const Campaign& campaign,
                                                                   Evaluator& evaluator, LayerId layer,
                                                                   const std::vector<WeightChange>& changes,
                                                                   const Screen& screen,
                                                                   const std::function<bool()>& should_stop);

/// What the evaluator of a job is asked for, in a mode. Its threads are the context's.
[[nodiscard]] EvaluationOptions evaluation_options(const Context& context, EvaluationMode mode);

}  // namespace flipstorm
