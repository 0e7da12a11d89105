#include "engine/faults/transient_plan.hpp"

#include <algorithm>
#include <numeric>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// Elements of a population that stand for one instruction, or one unit of a layer's weight.
constexpr std::uint64_t kDraws = std::uint64_t{1} << 20U;

std::uint64_t weight_of(const Network& network, const InjectableLayer& layer,
                        const TransientPlanOptions& options)
{
    if (const auto* rules = std::get_if<InstructionRules>(&options.rules))
        return instruction_count(dot_products(network.graph, layer.node), rules->model);
    if (options.layers == LayerWeight::uniform) return std::uint64_t{1} << 20U;
    return static_cast<std::uint64_t>(network.graph.macs(layer.node));
}

/// The layers as the plan sees them: so many faults, each as dear as an inference.
std::vector<InjectableLayer> population(const Network& network, const TransientPlanOptions& options)
{
    std::int64_t macs = 0;
    for (std::int32_t i = 0; i <= network.graph.output().value(); ++i)
        macs += network.graph.macs(NodeId(i));
    std::vector<InjectableLayer> layers = injectable_layers(network);
    for (InjectableLayer& layer : layers)
    {
        layer.weights = kDraws * weight_of(network, layer, options);
        layer.word_bits = 1;
        layer.suffix_macs = std::max<std::int64_t>(macs, 1);
    }
    return layers;
}

std::uint64_t struck_images(const TransientPlanOptions& options)
{
    FS_CHECK(JobError, options.images_per_fault <= options.plan.images,
             "transient.images_per_fault is {}, but there are {} test images", options.images_per_fault,
             options.plan.images);
    return options.images_per_fault == 0 ? options.plan.images : options.images_per_fault;
}

PlanOptions plan_options(const TransientPlanOptions& options)
{
    FS_CHECK(JobError, options.plan.scheme != Scheme::data_unaware,
             "campaign.scheme = \"data_unaware\" samples each bit of a stored weight; transient faults are "
             "sampled network_wise or layer_wise");
    PlanOptions plan = options.plan;
    plan.images = struck_images(options);
    plan.followed_share = 2;  // once without the fault, once with it
    plan.shared_passes = 0;
    return plan;
}

}  // namespace

LayerWeight layer_weight_from(std::string_view name)
{
    if (name == "uniform") return LayerWeight::uniform;
    if (name == "macs") return LayerWeight::macs;
    throw JobError("transient.layers_by: '{}' is not known; it is one of: uniform, macs", name);
}

TransientPlan::TransientPlan(const Network& network, const TransientPlanOptions& options)
    : options_(options),
      images_per_fault_(struck_images(options)),
      plan_(population(network, options), plan_options(options))
{
    for (const InjectableLayer& layer : injectable_layers(network))
    {
        maps_.push_back(network.graph.node(layer.node).shape);
        map_bits_.push_back(network.computes_in_integers() ? network.activations[index(layer.node)].bits
                                                           : word_bits(NumberFormat::fp32));
        layers_.push_back(dot_products(network.graph, layer.node));
    }
}

TransientStrike TransientPlan::strike(FaultIndex index) const
{
    const WeightFault drawn = plan_.fault(index);
    const auto& draws = plan_.draws();
    const auto after =
        std::upper_bound(draws.begin(), draws.end(), index.value(),
                         [](std::uint64_t value, const Plan::Draw& draw) { return value < draw.first; });
    const std::uint64_t number = index.value() - std::prev(after)->first;
    constexpr std::uint64_t kLargestNumber = std::uint64_t{1} << 40U;
    FS_REQUIRE(number < kLargestNumber, "fault {} of a layer", number);
    const auto layer = static_cast<std::size_t>(drawn.layer.value());
    const std::uint64_t stream = static_cast<std::uint64_t>(layer) << 40U;
    RandomStream random(options_.plan.seed, RandomPurpose::transient, stream | number);
    TransientStrike strike{drawn.stratum, drawn.layer, {}, images_of(stream, number)};
    if (const auto* maps = std::get_if<FeatureMapRules>(&options_.rules))
        strike.fault = draw_feature_map_fault(*maps, maps_[layer], map_bits_[layer], random);
    else
        strike.fault = draw_instruction_fault(std::get<InstructionRules>(options_.rules), layers_[layer],
                                              drawn.parameter / kDraws, random);
    return strike;
}

std::vector<std::int64_t> TransientPlan::images_of(std::uint64_t stream, std::uint64_t number) const
{
    std::vector<std::int64_t> images(images_per_fault_);
    if (images_per_fault_ == options_.plan.images)
    {
        std::iota(images.begin(), images.end(), std::int64_t{0});
        return images;
    }
    const std::uint64_t faults = options_.plan.images / images_per_fault_;  // of one permutation
    const KeyedPermutation order(options_.plan.seed, RandomPurpose::struck, stream | (number / faults),
                                 options_.plan.images);
    for (std::uint64_t i = 0; i < images_per_fault_; ++i)
        images[i] = static_cast<std::int64_t>(order(number % faults * images_per_fault_ + i));
    std::sort(images.begin(), images.end());
    return images;
}

}  // namespace flipstorm
