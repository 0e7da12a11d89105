#pragma once
// What `bench` measures and how it is compared: the same faults in several evaluation modes, layer by layer.
// Pure functions; the evaluators are run by bench_stage.cpp.

#include <cstdint>
#include <vector>

#include "engine/evaluate/evaluator.hpp"
#include "engine/faults/plan.hpp"
#include "jobs/campaign/screening.hpp"

namespace flipstorm
{

/// "reference", "exact", "screened"
[[nodiscard]] const char* to_string(EvaluationMode mode);

/**
 * The first `count` faults of a layer for a benchmark: a random sample of the plan's faults of that layer,
 * without replacement, and the same whatever the count, so that a smaller sample is contained in a larger
 * one. All of the layer's faults if there are fewer.
 */
[[nodiscard]] std::vector<FaultIndex> bench_faults(const Plan& plan, LayerId layer, std::uint64_t count,
                                                   std::uint64_t seed);

/// 0 … count − 1 in an order whose beginning is spread over the whole.
[[nodiscard]] std::vector<std::size_t> spread_order(std::size_t count);

/// Faults of the layer's largest chunk: how many share golden and gradient passes in a campaign.
[[nodiscard]] std::uint64_t chunk_faults(const Plan& plan, LayerId layer);

/**
 * How many faults per layer to take next, after `count` took `seconds`: so many that they take about 0.8 ·
 * `budget`, at least twice and at most 64 times as many, never more than `most`. The same count once a
 * quarter of the budget is used or `most` is reached: then the measurement is good enough.
 */
[[nodiscard]] std::uint64_t next_count(std::uint64_t count, double seconds, double budget,
                                       std::uint64_t most);

/// A mode on the faults of one layer.
struct LayerBench
{
    double seconds = 0;           ///< of all chunks measured, shared passes included
    double shared_seconds = 0;    ///< golden and gradient passes, the first time
    double repeated_seconds = 0;  ///< of them, what every chunk pays again: what the memory did not hold
    std::uint64_t chunk = 1;      ///< faults of a chunk, of the measurement and of the campaign
    WorkCount work;               ///< of the faults; multiply-accumulates with the shared passes
    std::vector<Outcome> outcomes;

    [[nodiscard]] std::uint64_t faults() const { return outcomes.size(); }
    /// What the screen did to the pairs, from the outcomes.
    [[nodiscard]] ScreenTotals screen() const;
};

/// A mode on all layers. Layers without faults, or for which there was no time, have none.
struct ModeBench
{
    EvaluationMode mode = EvaluationMode::reference;
    std::vector<LayerBench> layers;
    double setup_seconds = 0;          ///< until the evaluator was ready
    std::uint64_t peak_bytes = 0;      ///< golden values, gradients, work space, as the evaluator counts
    std::uint64_t resident_bytes = 0;  ///< of the process, at its largest while the mode ran; 0: unknown

    [[nodiscard]] std::uint64_t faults() const;
    [[nodiscard]] double seconds() const;
    [[nodiscard]] double shared_seconds() const;
    [[nodiscard]] WorkCount work() const;
    [[nodiscard]] ScreenTotals screen() const;
};

/// Seconds that each of `faults` faults of a layer takes, its part of the shared passes of ⌈faults / chunk⌉
/// chunks included; NaN for a layer that was not measured.
[[nodiscard]] double seconds_per_fault(const LayerBench& layer, std::uint64_t faults);

/**
 * Faults per second of a mix of as many faults from every layer, while a campaign evaluates `faults[layer]`:
 *
 *     1 / mean over the measured layers of seconds_per_fault(layer, faults[layer])
 *
 * Comparable between modes that evaluated different numbers of faults.
 */
[[nodiscard]] double faults_per_second(const ModeBench& mode, const std::vector<std::uint64_t>& faults);

/// Seconds that a campaign of `faults[layer]` takes; a layer that was not measured is taken as the mean of
/// the others.
[[nodiscard]] double seconds_for(const ModeBench& mode, const std::vector<std::uint64_t>& faults);

/// A fault of a benchmark: its layer and its place among the faults of the layer.
struct BenchFault
{
    std::size_t layer = 0;
    std::size_t place = 0;
};

/// The outcomes of two modes held against each other, on the faults that both evaluated.
struct Agreement
{
    EvaluationMode mode = EvaluationMode::exact;
    EvaluationMode against = EvaluationMode::reference;
    std::uint64_t faults = 0;
    std::uint64_t equal = 0;    ///< correct, mismatches, nonfinite and drop
    std::uint64_t bounded = 0;  ///< one of the two stopped early, with a bound that the other's drop keeps
    std::vector<BenchFault> differing;
    std::uint64_t near_ties = 0;     ///< of those, explained by rounding; set by the caller
    std::uint64_t moved_images = 0;  ///< Σ |difference of mismatches| over the differing faults
    std::uint64_t labels = 0;        ///< critical or acceptable, for each fault and tolerance
    std::uint64_t labels_differ = 0;
};

/// Compare two modes.
[[nodiscard]] Agreement compare(const ModeBench& mode, const ModeBench& against,
                                const std::vector<double>& tolerances);

/**
 * Images whose prediction hangs on rounding: the largest and the second largest logit are closer than 1e-4 of
 * the largest magnitude; or a logit is beyond 1e35 or not finite, so that the order of a sum decides whether
 * something overflows.
 * \param logits  [images, classes]
 */
[[nodiscard]] std::uint64_t count_near_ties(const std::vector<float>& logits, std::size_t classes);

}  // namespace flipstorm
