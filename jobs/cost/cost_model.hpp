#pragma once
// What a campaign costs: seconds by layer and class of bits, and what follows for its chunks and files. Pure
// functions; cost_measurement.cpp measures the seconds.

#include <cstdint>
#include <vector>

#include "engine/evaluate/evaluator.hpp"
#include "engine/faults/plan.hpp"
#include "engine/memory/bit_class.hpp"
#include "mpi/queue_simulation.hpp"

namespace flipstorm
{

/// Seconds of one thread on all test images.
struct LayerCost
{
    double shared = 0;           ///< golden and gradient passes of a chunk
    std::vector<double> faults;  ///< of one fault, by class of the layer's bits
};

/// How much faster several threads are than one.
struct ThreadSpeed
{
    int threads = 1;
    double speed = 1;  ///< of all of them, measured

    /// Of `busy` of them: linear in between.
    [[nodiscard]] double of(std::uint64_t busy) const;
};

/// The cost of a campaign on one rank.
struct CostModel
{
    std::vector<BitClasses> classes;  ///< by layer id
    std::vector<LayerCost> layers;    ///< by layer id
    std::vector<LayerMemory> memory;  ///< by layer id; says how threads share the work, and what is kept
    ThreadSpeed threads;
};

/// Faults of a chunk by class of its layer's bits. In strata of one bit they are counted; in others each is
/// looked up.
[[nodiscard]] std::vector<std::uint64_t> class_counts(const Plan& plan, const Chunk& chunk,
                                                      const BitClasses& classes);

/**
 * A chunk's seconds.
 *
 *     shared(layer) / speed(tiles together) + Σ counts[c] · faults(layer, c) / speed(tiles · groups)
 *
 * A rank that comes from a chunk of the same layer computes the tiles again that its memory did not keep.
 */
[[nodiscard]] QueuedChunk cost_of(const CostModel& model, LayerId layer,
                                  const std::vector<std::uint64_t>& counts);

/// All chunks in the order of the queue.
[[nodiscard]] std::vector<QueuedChunk> queue_of(const Plan& plan, const CostModel& model);

/**
 * A model without a measurement: multiply-accumulates over speed.
 *
 * \param classes  by layer id \param macs_per_second  of one thread. \param options  those of the plan
 */
[[nodiscard]] std::vector<LayerCost> costs_by_macs(const std::vector<InjectableLayer>& layers,
                                                   const std::vector<BitClasses>& classes,
                                                   const PlanOptions& options, double macs_per_second);

/// What a measurement found for some faults of a layer and class.
struct ClassSample
{
    double seconds = 0;             ///< of one thread, beside the shared passes; without audits
    std::vector<Outcome> outcomes;  ///< on the images of the measurement, without a stop
    std::uint64_t finished = 0;     ///< pairs that were followed to the logits

    [[nodiscard]] std::uint64_t pairs(std::uint64_t images) const { return outcomes.size() * images; }
    /// Share of the pairs that the screen took.
    [[nodiscard]] double screened(std::uint64_t images) const;
};

/**
 * Share of the test images that a fault is evaluated on before it stops.
 *
 * Images come in waves: first those that the golden network gets wrong, then the others. If the fault leaves
 * the share `correct` of them right, alike among both, its drop exceeds the tolerance for certain after
 *
 *     (1 − golden) + (tolerance + correct · (1 − golden)) / (1 − correct)          of the images
 *
 * rounded up to a wave of 400. Images of small margin come early and turn sooner, so rather too much.
 *
 * \param golden, correct  shares in [0, 1]
 */
[[nodiscard]] double share_before_stop(double golden, double correct, double tolerance, std::uint64_t images);

/**
 * Seconds of a fault of the class on all images, on the mean.
 *
 * The seconds of the sample, in proportion to the images; spread over its faults by the pairs that the screen
 * left, because the faults that stop are those that are followed on every image.
 *
 * \param golden  share of the images of the measurement that the golden network gets right
 */
[[nodiscard]] double seconds_of_fault(const ClassSample& sample, std::uint64_t measured_images, double golden,
                                      double tolerance, std::uint64_t images);

/**
 * Seconds to follow a pair to the logits: those of the classes of which a fifth of the pairs or more were,
 * over their number; NaN if there is none.
 */
[[nodiscard]] double seconds_per_finished_pair(const std::vector<ClassSample>& samples, std::uint64_t images);

/**
 * Add the audits, of which a short measurement sees too few to count: `share` of the pairs that the screen
 * takes is followed to the logits.
 *
 * \param screened  share of the pairs by class
 */
void add_audits(LayerCost& cost, const std::vector<double>& screened, double share, double pair_seconds,
                std::uint64_t images);

/**
 * Fill in the cells that were not measured (NaN): from the same layer's other classes, in proportion to what
 * these classes cost in the layers of the same classes where both are known; a layer without any from the
 * others, by multiply-accumulates. \param classes  by layer id \throws Error if nothing was measured.
 */
void fill_gaps(std::vector<LayerCost>& costs, const std::vector<InjectableLayer>& layers,
               const std::vector<BitClasses>& classes);

/// Memory of the process of a rank, in bytes.
struct RankMemory
{
    std::uint64_t standing = 0;    ///< program, libraries, images, and all copies of the parameters
    std::uint64_t parameters = 0;  ///< one copy; while an evaluator is made, it has one more
    std::uint64_t start = 0;       ///< beside `standing`, of the passes at the start (start_bytes)
    LayerMemory layer;             ///< of the layer that takes most of the budget
    bool on_host = true;           ///< the layer's is the host's memory, too, not a GPU's

    /// standing + the largest of: one copy of the parameters, the start, the layer
    [[nodiscard]] std::uint64_t peak() const;
};

/// The layer whose faults take most memory. \pre not empty
[[nodiscard]] std::size_t largest_layer(const std::vector<LayerMemory>& layers);

/// Sizes of what a campaign writes, in bytes.
struct FileSizes
{
    double journal = 0;
    double campaign = 0;
};

/**
 * Sizes for a plan: of the journal without the headers of its segments, from its codec; of campaign.h5 from
 * the entropy of the columns (places are drawn evenly, so log2 of their number) and what compression takes.
 */
[[nodiscard]] FileSizes file_sizes(const Plan& plan, const std::vector<InjectableLayer>& layers,
                                   std::uint64_t images);

}  // namespace flipstorm
