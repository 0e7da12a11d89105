#pragma once
// Fault-aware training after Cavagnero et al., IOLTS 2022: while a batch goes forward, a transient fault
// corrupts the output of one of its convolutions or linear layers, so that the network learns to live with
// it. Which fault is a pure function of (seed, step); no LibTorch.

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/faults/geometry.hpp"
#include "engine/network/graph.hpp"

namespace flipstorm
{

/// What a fault does to a value.
enum class FaultRule
{
    none,        ///< no faults
    paper,       ///< value + e, |e| uniform on [0, magnitude · epoch], either sign
    diehardnet,  ///< value · e, e uniform on ±[0, magnitude): what the authors' published code does
};

/// Rule of that name ("none", "paper", "diehardnet"). \throws JobError naming the known ones.
[[nodiscard]] FaultRule fault_rule_from(std::string_view name);

/// How a training meets faults.
struct FaultAwareOptions
{
    FaultRule rule = FaultRule::none;
    Geometry geometry = Geometry::block;
    double image_share = 0.75;         ///< of the images of a batch that are struck
    double channel_probability = 0.3;  ///< of each channel of the layer's output
    double magnitude = 1;              ///< see FaultRule
};

/// The fault of one batch: in all struck images the same elements, changed to value · factor + shift.
struct TrainingFault
{
    NodeId node;                       ///< whose output is corrupted
    std::vector<std::int64_t> images;  ///< struck, as positions in the whole batch, ascending
    FaultRegion region;
    double factor = 1;
    double shift = 0;
};

/// The convolutions and linear layers of a graph.
[[nodiscard]] std::vector<NodeId> fault_sites(const Graph& graph);

/**
 * The fault of a batch: layer uniform among `fault_sites`; round(image_share · batch) of the images, without
 * replacement; then one magnitude and one region for all of them.
 *
 * \param step   of the whole training, from 0
 * \param epoch  from 1
 * \param batch  images of the whole batch, of all ranks
 * \throws Error if the rule is `none` or there is no site. Thread-safe.
 */
[[nodiscard]] TrainingFault draw_training_fault(const FaultAwareOptions& options, const Graph& graph,
                                                std::uint64_t seed, std::int64_t step, std::int64_t epoch,
                                                std::int64_t batch);

}  // namespace flipstorm
