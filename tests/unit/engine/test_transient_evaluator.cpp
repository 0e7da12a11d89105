// Transient faults against the plainest evaluation there is: one image at a time, the whole map corrupted,
// all that lies behind computed again. Predictions have to be equal. Whether a change as small as rounding
// outlives the sums behind it is up to the order of these sums, which a batch of one may change: such images
// may be masked in one evaluation and tolerable in the other.

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstring>

#include "engine/base/error.hpp"
#include "engine/compute/torch/executor.hpp"
#include "engine/evaluate/transient_evaluator.hpp"
#include "engine/network/builders.hpp"
#include "engine/network/layer_suffix.hpp"
#include "sample_networks.hpp"

namespace flipstorm
{
namespace
{

bool same_bits(const torch::Tensor& a, const torch::Tensor& b)
{
    return std::memcmp(a.data_ptr<float>(), b.data_ptr<float>(), static_cast<std::size_t>(a.nbytes())) == 0;
}

/// An outcome, and how many of its images have changed logits only as much as rounding may.
struct PlainOutcome : TransientOutcome
{
    std::uint32_t within_rounding = 0;
};

/// What the evaluator should find, the slow way.
PlainOutcome plain_outcome(const Network& network, const ImageSet& images, const Executor& executor,
                           const InjectableLayer& layer, const TransientStrike& strike)
{
    const c10::InferenceMode no_gradients;
    PlainOutcome outcome;
    std::int64_t lost = 0;
    for (const std::int64_t image : strike.images)
    {
        std::vector<torch::Tensor> values =
            executor.forward_to(image_batch(images, {image}, network.normalisation, torch::kCPU),
                                nodes_from(network.graph, NodeId(0)));
        const torch::Tensor golden = values.back().contiguous();
        torch::Tensor& output = values[static_cast<std::size_t>(layer.node.value())];
        const torch::Tensor before = output.contiguous();
        output = output.clone().contiguous();
        bool touched = true;
        const Node& node = network.graph.node(layer.node);
        if (const auto* map = std::get_if<FeatureMapFault>(&strike.fault))
        {
            corrupt(*map, node.shape, output.data_ptr<float>());
            touched = !same_bits(before, output);
        }
        else
        {
            const bool has_bias = parameters_of(node).size() > 1;
            const torch::Tensor input = values[static_cast<std::size_t>(node.inputs[0].value())].contiguous();
            corrupt(std::get<InstructionFault>(strike.fault), dot_products(network.graph, layer.node),
                    network.parameters[layer.weight].values().data(),
                    has_bias ? network.parameters[layer.weight + 1].values().data() : nullptr,
                    input.data_ptr<float>(), output.data_ptr<float>());
            // Behind the first layer, the emulation's own input may have been rounded otherwise.
            touched = node.inputs[0] != NodeId(0) || !same_bits(before, output);
        }
        const std::vector<NodeId> behind = nodes_from(network.graph, NodeId(layer.node.value() + 1));
        const torch::Tensor faulty =
            behind.empty() ? output : executor.resume(std::move(values), behind).contiguous();
        const auto label = static_cast<std::int64_t>(images.labels[static_cast<std::size_t>(image)]);
        const bool finite = torch::isfinite(faulty).all().item<bool>();
        const std::int64_t top1 = faulty.argmax().item<std::int64_t>();
        const std::int64_t golden_top1 = golden.argmax().item<std::int64_t>();
        ++outcome.tally.evaluated;
        outcome.tally.correct += finite && top1 == label ? 1 : 0;
        outcome.tally.mismatches += finite && top1 == golden_top1 ? 0 : 1;
        outcome.tally.nonfinite += finite ? 0 : 1;
        outcome.masked += same_bits(golden, faulty) ? 1 : 0;
        const float rounding = 1e-5F * golden.abs().max().item<float>();
        if (touched && (golden - faulty).abs().max().item<float>() <= rounding) ++outcome.within_rounding;
        lost += (golden_top1 == label ? 1 : 0) - (finite && top1 == label ? 1 : 0);
    }
    outcome.drop = static_cast<double>(lost) / static_cast<double>(outcome.tally.evaluated);
    return outcome;
}

struct Totals
{
    std::uint64_t masked = 0;
    std::uint64_t tolerable = 0;
    std::uint64_t critical = 0;
    std::uint64_t nonfinite = 0;
};

/// Compare all faults of a plan; returns what was among them.
Totals compare(const Network& network, const ImageSet& images, const TransientPlan& plan, EvaluationMode mode,
               int threads, Backend backend = Backend::automatic)
{
    EvaluationOptions options = evaluation_options(mode, threads);
    options.backend = backend;
    TransientEvaluator evaluator(network, images, options);
    const Executor executor(network, torch::kCPU);
    const std::vector<InjectableLayer> layers = injectable_layers(network);
    Totals totals;
    std::uint64_t pairs = 0;
    std::uint64_t differs = 0;
    for (const Chunk& chunk : plan.plan().chunks())
    {
        std::vector<TransientStrike> strikes;
        for (std::uint64_t i = 0; i < chunk.count; ++i)
            strikes.push_back(plan.strike(FaultIndex(chunk.first.value() + i)));
        const auto outcomes = evaluator.evaluate(chunk.layer, strikes);
        for (std::size_t k = 0; k < strikes.size(); ++k)
        {
            const InjectableLayer& layer = layers[static_cast<std::size_t>(chunk.layer.value())];
            const PlainOutcome want = plain_outcome(network, images, executor, layer, strikes[k]);
            const TransientOutcome& got = outcomes->at(k);
            const std::uint32_t apart = std::max(got.masked, want.masked) - std::min(got.masked, want.masked);
            differs += apart;
            EXPECT_TRUE(got.tally == want.tally && apart <= want.within_rounding && got.drop == want.drop)
                << layer.name << ", fault " << chunk.first.value() + k << ": masked " << got.masked << " / "
                << want.masked << ", mismatches " << got.tally.mismatches << " / " << want.tally.mismatches
                << ", non-finite " << got.tally.nonfinite << " / " << want.tally.nonfinite << ", drop "
                << got.drop << " / " << want.drop;
            totals.masked += got.masked;
            totals.tolerable += got.tolerable();
            totals.critical += got.tally.mismatches - got.tally.nonfinite;
            totals.nonfinite += got.tally.nonfinite;
            pairs += got.tally.evaluated;
        }
    }
    const WorkCount work = evaluator.work();
    EXPECT_EQ(work.pairs, pairs);
    EXPECT_EQ(work.masked + work.finished, pairs);
    EXPECT_LE(differs, 2 + pairs / 25);
    return totals;
}

TransientPlanOptions plan_of(TransientRules rules, std::uint64_t images, std::uint64_t per_fault,
                             std::uint64_t limit)
{
    TransientPlanOptions options;
    options.plan.seed = 3;
    options.plan.images = images;
    options.plan.limit = limit;
    options.rules = std::move(rules);
    options.images_per_fault = per_fault;
    return options;
}

TEST(TransientEvaluator, FeatureMapsAsTheNetworkRunAgain)
{
    const Network network = network_of_everything();
    const ImageSet images = images_for(network, 60);
    const std::vector<Geometry> all{Geometry::single, Geometry::row,     Geometry::column, Geometry::line,
                                    Geometry::block,  Geometry::channel, Geometry::random};
    const std::vector<double> probability(all.size(), 0.4);
    const TransientPlan added(
        network, plan_of(FeatureMapRules{all, probability, UniformError{60}, Combine::add}, 60, 1, 300));
    Totals totals;
    for (const Backend backend : {Backend::native, Backend::libtorch})
    {
        totals = compare(network, images, added, EvaluationMode::exact, 1, backend);
        EXPECT_GT(totals.masked, 0U);
        EXPECT_GT(totals.tolerable, 20U);
        EXPECT_GT(totals.critical, 20U);
    }
    const TransientPlan multiplied(
        network,
        plan_of(FeatureMapRules{all, probability, power_law("fadd_common"), Combine::multiply}, 60, 7, 60));
    totals = compare(network, images, multiplied, EvaluationMode::exact, 2);
    EXPECT_GT(totals.nonfinite, 0U);
    EXPECT_GT(totals.masked, 0U);
    const TransientPlan relative(
        network,
        plan_of(FeatureMapRules{all, probability, power_law("mufu_common"), Combine::relative}, 60, 0, 12));
    totals = compare(network, images, relative, EvaluationMode::exact, 2);
    EXPECT_GT(totals.masked, 0U);
    EXPECT_GT(totals.tolerable, 0U);
}

TEST(TransientEvaluator, InstructionsAsTheNetworkRunAgain)
{
    const Network network = network_of_everything();
    const ImageSet images = images_for(network, 60);
    const TransientPlan flips(network, plan_of(InstructionRules{}, 60, 2, 300));
    Totals totals;
    for (const Backend backend : {Backend::native, Backend::libtorch})
    {
        totals = compare(network, images, flips, EvaluationMode::exact, 1, backend);
        EXPECT_GT(totals.masked, 50U);
        EXPECT_GT(totals.tolerable, 50U);
        EXPECT_GT(totals.critical, 0U);
        EXPECT_GT(totals.nonfinite, 0U);
    }
    const TransientPlan warps(
        network,
        plan_of(InstructionRules{InstructionModel::warp_random_value, power_law("ffma_common")}, 60, 1, 120));
    totals = compare(network, images, warps, EvaluationMode::exact, 2);
    EXPECT_GT(totals.masked, 0U);
    EXPECT_GT(totals.critical, 0U);
}

TEST(TransientEvaluator, AResidualNetworkAndModeReference)
{
    const Network network =
        build_network("resnet20", {3, 8, 8}, 4, {{0.5F, 0.5F, 0.5F}, {0.3F, 0.3F, 0.3F}}, 2);
    const ImageSet images = images_for(network, 20);
    const TransientPlan plan(network, plan_of(InstructionRules{}, 20, 1, 100));
    compare(network, images, plan, EvaluationMode::exact, 1);
    compare(network, images, plan, EvaluationMode::reference, 2);
}

TEST(TransientEvaluator, OutcomesDoNotDependOnThreads)
{
    const Network network = network_of_everything();
    const ImageSet images = images_for(network, 60);
    const TransientPlan plan(network, plan_of(InstructionRules{}, 60, 4, 700));
    TransientEvaluator one(network, images, evaluation_options(EvaluationMode::exact, 1));
    TransientEvaluator two(network, images, evaluation_options(EvaluationMode::exact, 2));
    for (const Chunk& chunk : plan.plan().chunks())
    {
        std::vector<TransientStrike> strikes;
        for (std::uint64_t i = 0; i < chunk.count; ++i)
            strikes.push_back(plan.strike(FaultIndex(chunk.first.value() + i)));
        const auto a = *one.evaluate(chunk.layer, strikes);
        const auto b = *two.evaluate(chunk.layer, strikes);
        for (std::size_t k = 0; k < strikes.size(); ++k)
        {
            EXPECT_TRUE(a[k].tally == b[k].tally && a[k].masked == b[k].masked && a[k].drop == b[k].drop);
        }
    }
}

TEST(TransientEvaluator, StopsAndRefuses)
{
    const Network network = network_of_everything();
    const ImageSet images = images_for(network, 10);
    const TransientPlan plan(network, plan_of(InstructionRules{}, 10, 1, 6));
    TransientEvaluator evaluator(network, images, evaluation_options(EvaluationMode::exact));
    TransientStrike strike = plan.strike(FaultIndex(0));
    EXPECT_FALSE(evaluator.evaluate(LayerId(0), {strike}, [] { return true; }).has_value());
    EXPECT_TRUE(evaluator.evaluate(LayerId(0), {strike}, [] { return false; }).has_value());
    strike.images = {10};
    EXPECT_THROW(static_cast<void>(evaluator.evaluate(LayerId(0), {strike})), Error);
    EvaluationOptions options = evaluation_options(EvaluationMode::exact);
    options.memory_budget = 1000;
    EXPECT_THROW(TransientEvaluator(network, images, options), JobError);
    EXPECT_THROW(TransientEvaluator(network, images, evaluation_options(EvaluationMode::screened)), Error);
}

TEST(LayerSuffix, CutsWhereAllPathsPass)
{
    const Network network = network_of_everything();
    const Graph& graph = network.graph;
    const auto names = [&](const std::vector<NodeId>& nodes) {
        std::string text;
        for (const NodeId id : nodes)
            text += (text.empty() ? "" : " ") + graph.node(id).name;
        return text;
    };
    const auto suffix = [&](const char* layer) {
        for (std::int32_t i = 0; i <= graph.output().value(); ++i)
        {
            if (graph.node(NodeId(i)).name == layer) return layer_suffix(graph, NodeId(i));
        }
        throw Error("no node '{}'", layer);
    };
    // Behind relu0 the paths part.
    LayerSuffix found = suffix("stem");
    EXPECT_EQ(graph.node(found.cut).name, "relu0");
    EXPECT_EQ(names(found.near_nodes), "relu0");
    EXPECT_EQ(found.far_nodes.size(), graph.nodes().size() - 3);
    EXPECT_EQ(names(found.far_sides), "");
    // The shortcut comes from the side; behind relu6 there is a layer, and a path past it.
    found = suffix("grouped");
    EXPECT_EQ(graph.node(found.cut).name, "relu6");
    EXPECT_EQ(names(found.near_nodes), "bn sum relu6");
    EXPECT_EQ(names(found.near_sides), "channels");
    EXPECT_EQ(names(found.far_sides), "");
    found = suffix("left");
    EXPECT_EQ(names(found.near_nodes), "joined mean");
    EXPECT_EQ(names(found.near_sides), "max");
    found = suffix("conv");
    EXPECT_EQ(names(found.near_nodes), "global flatten relu");
    found = suffix("fc2");
    EXPECT_EQ(graph.node(found.cut).name, "fc2");
    EXPECT_TRUE(found.near_nodes.empty() && found.far_nodes.empty());
}

}  // namespace
}  // namespace flipstorm
