#pragma once
// Rounds of growing numbers of images and faults, as long as there is time, and the costs that follow. The
// measurement behind calibrate(), which is what others call.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/base/timing.hpp"
#include "engine/evaluate/evaluator.hpp"
#include "jobs/campaign/campaign.hpp"
#include "jobs/cost/calibration.hpp"
#include "jobs/cost/cost_model.hpp"
#include "jobs/cost/layer_probe.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// A round of a measurement.
struct MeasurementRound
{
    std::uint64_t images = 0;
    std::uint64_t faults = 0;  ///< per layer and class
};

/// Seconds of a round by what they grow with.
struct RoundTime
{
    double setup = 0;
    double shared = 0;
    double faults = 0;

    /// Seconds that another round would take.
    [[nodiscard]] double scaled(const MeasurementRound& from, const MeasurementRound& to) const;
};

/// \see calibrate
class CostMeasurement
{
  public:
    /// The campaign and the classes, by layer id, outlive it. \param seconds  that it may take
    CostMeasurement(const Context& context, const Campaign& campaign, const std::vector<BitClasses>& classes,
                    double seconds);
    CostMeasurement(const CostMeasurement&) = delete;
    CostMeasurement& operator=(const CostMeasurement&) = delete;

    /// An evaluator of so few images that nothing but its construction takes time.
    [[nodiscard]] std::unique_ptr<Evaluator> smallest() const { return evaluator(1, options_.memory_budget); }

    /// Fills in what the start of a campaign takes, and how much was measured in what time. \throws Stopped
    /// if asked to
    void run(Calibration& result);

    /// By layer, with the audits; NaN where nothing was measured.
    [[nodiscard]] std::vector<LayerCost> costs() const;

  private:
    /// What the audits of a layer will cost.
    struct Audits
    {
        double pair_seconds = kUnknownSeconds;
        std::vector<double> screened;  ///< share of the pairs, by class
    };

    [[nodiscard]] std::unique_ptr<Evaluator> evaluator(std::uint64_t images, std::uint64_t bytes) const;
    /// Forward passes at the start: logits of all images and, for a screen, the values of the first 1,000.
    [[nodiscard]] double golden_images(std::uint64_t images) const;
    /// The largest round for which there is time, after one that is done; none if that was the largest.
    [[nodiscard]] std::optional<MeasurementRound> next_round(const MeasurementRound& done,
                                                             std::uint64_t most_images) const;
    /// Images whose prepared tiles all fit into memory, at least one tile.
    [[nodiscard]] std::uint64_t images_in_memory(const Evaluator& small, std::uint64_t all) const;
    /// \return seconds until the evaluator was ready
    double run_round(const MeasurementRound& round, bool warm_up);
    void measure_layer(Evaluator& evaluator, std::size_t layer, const MeasurementRound& round, double golden);
    /// What a layer's samples say about a campaign on all images.
    void keep(std::size_t layer, std::uint64_t images, double golden, const LayerSamples& samples);
    /// Something has to be measured, however long it takes.
    [[nodiscard]] bool out_of_time(double factor = 1) const
    {
        return measured_ && watch_.seconds() > factor * budget_;
    }
    [[nodiscard]] std::uint64_t all_images() const
    {
        return static_cast<std::uint64_t>(campaign_.images.size());
    }

    const Campaign& campaign_;
    EvaluationOptions options_;
    double tolerance_;
    double budget_;
    LayerProbe probe_;
    std::uint64_t budget_bytes_ = 0;
    Stopwatch watch_;
    RoundTime time_;
    double slowdown_ = 1;  ///< seconds that pass while the process works for one
    std::uint64_t faults_ = 0;
    bool measured_ = false;
    bool interrupted_ = false;
    std::vector<LayerCost> costs_;
    std::vector<Audits> audits_;  ///< by layer
};

}  // namespace flipstorm
