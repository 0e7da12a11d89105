#pragma once
// What a campaign of transient faults takes: the same faults as it follows them, and all to the logits.

#include <cstdint>
#include <vector>

#include "analysis/result_table.hpp"
#include "engine/evaluate/transient_evaluator.hpp"
#include "jobs/campaign/campaign.hpp"

namespace flipstorm
{

/// A mode on the faults of one layer, the first ones of the campaign's first chunk of it.
struct TransientLayerBench
{
    double seconds = 0;
    std::vector<TransientOutcome> outcomes;
};

/// A mode on all layers; those of which there are no faults have none.
struct TransientModeBench
{
    EvaluationMode mode = EvaluationMode::exact;
    std::vector<TransientLayerBench> layers;
    double setup_seconds = 0;  ///< golden pass included
    WorkCount work;

    [[nodiscard]] double seconds() const;
    /// Seconds that a campaign of `faults[layer]` takes.
    [[nodiscard]] double seconds_for(const std::vector<std::uint64_t>& faults) const;
};

/// Two modes held against each other on the faults that both evaluated.
struct TransientAgreement
{
    std::uint64_t faults = 0;
    std::uint64_t images = 0;
    std::uint64_t equal = 0;         ///< faults with the same predictions: correct, mismatches, not finite
    std::uint64_t masked_apart = 0;  ///< Σ |difference of masked images|
};

[[nodiscard]] TransientAgreement compare(const TransientModeBench& a, const TransientModeBench& b);

/**
 * Time modes of a transient campaign, each for about bench.seconds, and print what it is worth. `screened`,
 * which transient faults do not know, is passed over unless it stands alone.
 *
 * \throws JobError if no mode is left
 */
StageEnd run_transient_bench(const Context& context, const Campaign& campaign, const TransientPlan& plan,
                             const std::vector<EvaluationMode>& modes);

}  // namespace flipstorm
