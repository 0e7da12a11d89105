#include "engine/train/fault_aware.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// `count` of the positions 0 … batch − 1 without replacement, ascending.
std::vector<std::int64_t> draw_images(std::int64_t count, std::int64_t batch, RandomStream& random)
{
    std::vector<std::int64_t> images(static_cast<std::size_t>(batch));
    std::iota(images.begin(), images.end(), std::int64_t{0});
    for (std::int64_t i = 0; i < count; ++i)
    {
        const auto swap_with = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(batch - i)));
        std::iter_swap(images.begin() + i, images.begin() + i + swap_with);
    }
    images.resize(static_cast<std::size_t>(count));
    std::sort(images.begin(), images.end());
    return images;
}

}  // namespace

FaultRule fault_rule_from(std::string_view name)
{
    if (name == "none") return FaultRule::none;
    if (name == "paper") return FaultRule::paper;
    if (name == "diehardnet") return FaultRule::diehardnet;
    throw JobError("train.fault_aware.rule: '{}' is not known; this build has: none, paper, diehardnet",
                   name);
}

std::vector<NodeId> fault_sites(const Graph& graph)
{
    std::vector<NodeId> sites;
    for (std::size_t i = 0; i < graph.nodes().size(); ++i)
    {
        const Operation& operation = graph.nodes()[i].operation;
        if (std::holds_alternative<Conv2dOp>(operation) || std::holds_alternative<LinearOp>(operation))
            sites.emplace_back(static_cast<std::int32_t>(i));
    }
    return sites;
}

TrainingFault draw_training_fault(const FaultAwareOptions& options, const Graph& graph, std::uint64_t seed,
                                  std::int64_t step, std::int64_t epoch, std::int64_t batch)
{
    FS_REQUIRE(options.rule != FaultRule::none, "a fault is drawn for a training without faults");
    const std::vector<NodeId> sites = fault_sites(graph);
    FS_REQUIRE(!sites.empty(), "the network has neither convolutions nor linear layers");
    RandomStream random(seed, RandomPurpose::corrupt, static_cast<std::uint64_t>(step));
    TrainingFault fault;
    fault.node = sites[random.below(sites.size())];
    const auto struck = std::llround(options.image_share * static_cast<double>(batch));
    fault.images = draw_images(std::min<std::int64_t>(struck, batch), batch, random);
    const double magnitude = random.uniform() * options.magnitude;
    const double sign = random.below(2) == 0 ? 1 : -1;
    if (options.rule == FaultRule::paper)
        fault.shift = sign * magnitude * static_cast<double>(epoch);
    else
        fault.factor = sign * magnitude;
    fault.region =
        draw_region(options.geometry, graph.node(fault.node).shape, options.channel_probability, random);
    return fault;
}

}  // namespace flipstorm
