#pragma once
// What computes faults in stored weights, for the injection loop.

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/chunk_work.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// Faults of a campaign in weights. The ranks share the golden pass. \throws DataError, JobError: see
/// Evaluator. \collective
[[nodiscard]] std::unique_ptr<ChunkWork> weight_work(const Context& context, const Campaign& campaign,
                                                     const WeightFaults& faults);

/// Fault-free logits of all test images, a share from each rank; empty on one rank. \throws DataError
/// \collective
[[nodiscard]] std::vector<float> golden_logits_of_all(const Context& context, const Campaign& campaign,
                                                      const EvaluationOptions& options);

/// The change that a fault of a campaign in weights makes, with the fault's number.
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

}  // namespace flipstorm
