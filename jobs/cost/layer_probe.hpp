#pragma once
// What some faults of a layer take: the smallest piece of a measurement of a campaign's cost.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

#include "engine/evaluate/evaluator.hpp"
#include "jobs/campaign/campaign.hpp"
#include "jobs/cost/cost_model.hpp"
#include "mpi/stop.hpp"

namespace flipstorm
{

/// Seconds that are not known.
inline constexpr double kUnknownSeconds = std::numeric_limits<double>::quiet_NaN();

/// What was found for a layer.
struct LayerSamples
{
    double shared = kUnknownSeconds;   ///< seconds of what the faults of a chunk share
    std::vector<ClassSample> classes;  ///< without outcomes where the plan has no fault
    double seconds = 0;                ///< of all faults, with what had to be computed again for them
    std::uint64_t faults = 0;          ///< evaluated
    bool complete = false;             ///< it was not given up
};

/// Evaluates faults of a campaign's layers and looks at the clock.
class LayerProbe
{
  public:
    /**
     * \param options  of the evaluators, as to mode, device and threads
     * \param give_up  asked again and again while faults are evaluated
     */
    LayerProbe(const Campaign& campaign, const std::vector<BitClasses>& classes,
               const EvaluationOptions& options, std::uint64_t seed, StopConditions* stop,
               std::function<bool()> give_up);

    /// Up to `faults` of the layer's faults by class on the evaluator's images. \throws Stopped if asked to
    [[nodiscard]] LayerSamples measure(Evaluator& evaluator, std::size_t layer, std::uint64_t images,
                                       std::uint64_t faults) const;

    /// Seconds of what the faults of a chunk share. Unknown if it takes too long. \throws Stopped if asked to
    double shared_seconds(Evaluator& evaluator, std::size_t layer) const;

    /// The screen that the campaign has for the layer.
    [[nodiscard]] Screen screen_of(std::size_t layer) const;

  private:
    [[nodiscard]] bool asked_to_stop() const { return stop_ != nullptr && stop_->asked(); }
    std::optional<std::vector<Outcome>> evaluate(Evaluator& evaluator, std::size_t layer,
                                                 const std::vector<WeightChange>& changes) const;
    /// Up to `count` of the plan's faults of a layer by class, at random.
    [[nodiscard]] std::vector<std::vector<WeightChange>> changes_of(std::size_t layer,
                                                                    std::uint64_t count) const;

    const Campaign& campaign_;
    const std::vector<BitClasses>& classes_;  ///< by layer id
    EvaluationMode mode_;
    int threads_;
    bool cuda_;
    std::uint64_t seed_;
    StopConditions* stop_;  ///< may be null
    std::function<bool()> give_up_;
};

}  // namespace flipstorm
