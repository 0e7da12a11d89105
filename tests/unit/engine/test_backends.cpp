// Every backend against the reference, on networks of all operations: with the same faults, the same
// outcomes.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "engine/base/error.hpp"
#include "engine/base/tolerance.hpp"
#include "engine/network/builders.hpp"
#include "engine/train/train.hpp"
#include "sample_networks.hpp"

namespace flipstorm
{
namespace
{

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/**
 * Random flips, and values that are hard to compute with. No infinities where a convolution pads: whether
 * zeros of the padding are multiplied by an infinite weight is up to the algorithm that LibTorch chooses.
 */
std::vector<WeightChange> hard_changes(const Network& network, const InjectableLayer& layer, int flips)
{
    std::vector<WeightChange> changes = random_flips(network, layer, flips);
    const auto* conv = std::get_if<Conv2dOp>(&network.graph.node(layer.node).operation);
    const bool pads = conv != nullptr && conv->padding > 0;
    std::uint64_t parameter = 0;
    for (const float value : {std::nanf(""), kInfinity, -kInfinity, 3e38F, -1e30F, 0.0F})
    {
        if (pads && std::isinf(value)) continue;
        parameter = (parameter + 7) % layer.weights;
        changes.push_back({parameter, value, changes.size()});
    }
    changes.push_back({0, network.parameters[layer.weight].values()[0], changes.size()});
    return changes;
}

EvaluationOptions options_for(Backend backend, EvaluationMode mode = EvaluationMode::exact)
{
    EvaluationOptions options = evaluation_options(mode);
    options.backend = backend;
    options.seed = 5;
    return options;
}

const char* name_of(Backend backend)
{
    if (backend == Backend::automatic) return "auto";
    return backend == Backend::native ? "native" : "libtorch";
}

void expect_equal(const Outcome& got, const Outcome& want, const std::string& where)
{
    EXPECT_TRUE(got.tally == want.tally)
        << where << ": correct " << got.tally.correct << " / " << want.tally.correct << ", mismatches "
        << got.tally.mismatches << " / " << want.tally.mismatches << ", non-finite " << got.tally.nonfinite
        << " / " << want.tally.nonfinite << " of " << got.tally.evaluated << " / " << want.tally.evaluated;
    EXPECT_EQ(got.drop, want.drop) << where;
    EXPECT_FALSE(got.stopped) << where;
}

/// The same became of the pairs, but for those on which rounding decides.
void expect_alike(const WorkCount& a, const WorkCount& b)
{
    const auto close = [&](std::uint64_t x, std::uint64_t y) {
        return std::abs(static_cast<double>(x) - static_cast<double>(y)) <=
               2 + 1e-3 * static_cast<double>(a.pairs);
    };
    EXPECT_EQ(a.pairs, b.pairs);
    EXPECT_TRUE(close(a.stopped, b.stopped)) << a.stopped << " / " << b.stopped;
    EXPECT_TRUE(close(a.masked, b.masked)) << a.masked << " / " << b.masked;
    EXPECT_TRUE(close(a.proven, b.proven)) << a.proven << " / " << b.proven;
    EXPECT_TRUE(close(a.screened, b.screened)) << a.screened << " / " << b.screened;
    EXPECT_TRUE(close(a.rescreened, b.rescreened)) << a.rescreened << " / " << b.rescreened;
    EXPECT_TRUE(close(a.finished, b.finished)) << a.finished << " / " << b.finished;
    EXPECT_TRUE(close(a.audited, b.audited)) << a.audited << " / " << b.audited;
    // What may overflow is given up at one operation or a few later.
    EXPECT_NEAR(b.macs / a.macs, 1, 0.15);
}

/// The backends' outcomes in mode `exact` must be those of `reference`. So few images that nothing stops
/// early.
void expect_backends_equal_reference(const Network& network, const std::vector<Backend>& backends,
                                     int flips_per_layer, std::int64_t image_count = 40)
{
    check_network(network, "test");
    const ImageSet images = images_for(network, image_count);
    Evaluator reference(network, images, options_for(Backend::automatic, EvaluationMode::reference));
    std::vector<std::unique_ptr<Evaluator>> evaluators;
    for (const Backend backend : backends)
        evaluators.push_back(std::make_unique<Evaluator>(network, images, options_for(backend)));
    std::uint64_t mismatches = 0;
    std::uint64_t nonfinite = 0;
    for (const InjectableLayer& layer : injectable_layers(network))
    {
        const std::vector<WeightChange> changes = hard_changes(network, layer, flips_per_layer);
        const std::vector<Outcome> want = reference.evaluate(layer.id, changes);
        for (std::size_t b = 0; b < backends.size(); ++b)
        {
            const std::vector<Outcome> got = evaluators[b]->evaluate(layer.id, changes);
            for (std::size_t f = 0; f < changes.size(); ++f)
            {
                expect_equal(got[f], want[f],
                             fmt::format("{}: {} parameter {} = {}", name_of(backends[b]), layer.name,
                                         changes[f].parameter, changes[f].value));
                mismatches += want[f].tally.mismatches;
                nonfinite += want[f].tally.nonfinite;
            }
        }
    }
    EXPECT_GT(mismatches, nonfinite) << "no finite fault changed a prediction: the comparison says little";
    EXPECT_GT(nonfinite, 0U);
    for (const auto& evaluator : evaluators)
    {
        const WorkCount work = evaluator->work();
        EXPECT_GT(work.masked, 0U);
        EXPECT_GT(work.finished, 0U);
        EXPECT_EQ(work.pairs, work.masked + work.proven + work.finished);
        EXPECT_GT(work.macs, 0);
        EXPECT_LE(work.peak_bytes, options_for(Backend::native).memory_budget);
        expect_alike(evaluators.front()->work(), work);
    }
}

const std::vector<Backend> kBoth = {Backend::native, Backend::libtorch};

NodeId conv(Graph& graph, const std::string& name, NodeId from, Conv2dOp op)
{
    return graph.add(name, op, {from});
}

TEST(Backends, BatchNormsActivationsAndPools)
{
    Graph graph({2, 13, 11});
    NodeId at = conv(graph, "conv1", NodeId(0), {2, 7, 3, 1, 1, 1, false});
    at = graph.add("bn1", BatchNormOp{7}, {at});
    at = graph.add("relu6", Relu6Op{}, {at});
    at = graph.add("overlapping", MaxPool2dOp{3, 2, 1}, {at});
    at = conv(graph, "conv2", at, {7, 18, 3, 2, 0, 1, true});
    at = graph.add("relu", ReluOp{}, {at});
    at = graph.add("bn2", BatchNormOp{18}, {at});
    at = graph.add("edge", PadOp{0, 0, 1, 0, 2, 1}, {at});
    at = graph.add("mean", AvgPool2dOp{2, 1}, {at});
    at = conv(graph, "conv3", at, {18, 5, 1, 1, 0, 1, true});
    at = graph.add("relu3", ReluOp{}, {at});
    at = graph.add("global", GlobalAvgPoolOp{}, {at});
    at = graph.add("flatten", FlattenOp{}, {at});
    graph.add("fc", LinearOp{5, 6, true}, {at});
    expect_backends_equal_reference(with_parameters(std::move(graph), 6, 21), kBoth, 25);
}

TEST(Backends, GroupsStridesAndKernels)
{
    Graph graph({3, 12, 10});
    NodeId at = conv(graph, "stem", NodeId(0), {3, 12, 5, 1, 2, 3, true});
    at = graph.add("relu0", ReluOp{}, {at});
    at = conv(graph, "depthwise", at, {12, 12, 3, 1, 1, 12, false});
    at = graph.add("bn", BatchNormOp{12}, {at});
    at = graph.add("relu1", Relu6Op{}, {at});
    at = conv(graph, "pointwise", at, {12, 20, 1, 2, 0, 1, false});
    at = graph.add("relu2", ReluOp{}, {at});
    at = conv(graph, "grouped", at, {20, 40, 3, 2, 2, 2, true});
    at = graph.add("relu3", ReluOp{}, {at});
    at = conv(graph, "double", at, {40, 10, 2, 1, 0, 5, false});
    at = graph.add("flatten", FlattenOp{}, {at});
    at = graph.add("relu4", ReluOp{}, {at});
    const std::int64_t features = graph.node(at).shape[0];
    at = graph.add("fc1", LinearOp{features, 19, true}, {at});
    at = graph.add("bn5", BatchNormOp{19}, {at});
    at = graph.add("relu5", ReluOp{}, {at});
    graph.add("fc2", LinearOp{19, 6, true}, {at});
    expect_backends_equal_reference(with_parameters(std::move(graph), 6, 22), kBoth, 20);
}

/// Slices of every dimension, zeros on every side, sums and concatenations of what changes and what does not.
Network branched_network()
{
    Graph graph({2, 12, 12});
    const NodeId stem = conv(graph, "stem", NodeId(0), {2, 8, 3, 1, 1, 1, true});
    const NodeId relu = graph.add("relu0", ReluOp{}, {stem});
    NodeId cut = graph.add("rows", SliceOp{1, 0, 12, 2}, {relu});
    cut = graph.add("columns", SliceOp{2, 1, 12, 2}, {cut});
    const NodeId padded = graph.add("channels", PadOp{3, 5, 0, 0, 0, 0}, {cut});
    NodeId body = conv(graph, "a", relu, {8, 16, 3, 2, 1, 1, false});
    body = graph.add("bn", BatchNormOp{16}, {body});
    const NodeId sum = graph.add("sum", AddOp{}, {padded, body});
    const NodeId half = graph.add("half", SliceOp{0, 3, 14, 2}, {sum});
    const NodeId side = conv(graph, "side", cut, {8, 4, 1, 1, 0, 1, true});
    const NodeId side_relu = graph.add("relu1", ReluOp{}, {side});
    const NodeId joined = graph.add("joined", ConcatOp{}, {half, side_relu, cut});
    NodeId at = graph.add("relu2", ReluOp{}, {joined});
    const NodeId twice = graph.add("twice", AddOp{}, {at, at});
    const NodeId both = graph.add("both", ConcatOp{}, {twice, at});
    at = conv(graph, "b", both, {2 * graph.node(at).shape[0], 9, 3, 1, 0, 1, true});
    at = graph.add("pool", MaxPool2dOp{2, 1}, {at});
    at = graph.add("flatten", FlattenOp{}, {at});
    graph.add("fc", LinearOp{81, 6, true}, {at});
    return with_parameters(std::move(graph), 6, 23);
}

TEST(Backends, PadsSlicesSumsAndConcatenations)
{
    expect_backends_equal_reference(branched_network(), kBoth, 25);
}

// A change that stays within one channel across a sum and a concatenation with what does not change.
TEST(Backends, OneChannelThroughBranches)
{
    Graph graph({2, 9, 9});
    const NodeId left = conv(graph, "left", NodeId(0), {2, 5, 3, 1, 1, 1, true});
    const NodeId right = conv(graph, "right", NodeId(0), {2, 5, 3, 1, 1, 1, true});
    const NodeId left_relu = graph.add("relu_left", ReluOp{}, {left});
    const NodeId right_bn = graph.add("bn_right", BatchNormOp{5}, {right});
    const NodeId sum = graph.add("sum", AddOp{}, {left_relu, right_bn});
    const NodeId padded = graph.add("pad", PadOp{2, 1, 1, 1, 1, 1}, {sum});
    const NodeId third = conv(graph, "third", NodeId(0), {2, 3, 1, 1, 1, 1, false});
    const NodeId joined = graph.add("joined", ConcatOp{}, {third, padded});
    NodeId at = graph.add("relu", ReluOp{}, {joined});
    at = graph.add("pool", MaxPool2dOp{3, 3, 1}, {at});
    at = graph.add("flatten", FlattenOp{}, {at});
    at = graph.add("relu_flat", Relu6Op{}, {at});
    graph.add("fc", LinearOp{176, 6, true}, {at});
    expect_backends_equal_reference(with_parameters(std::move(graph), 6, 24), kBoth, 25);
}

TEST(Backends, ResidualNetworksWithOptionAShortcuts)
{
    Network network = build_network("resnet20", {3, 16, 16}, 6, {{0.3F, 0.3F, 0.3F}, {0.3F, 0.3F, 0.3F}}, 7);
    expect_backends_equal_reference(network, kBoth, 3, 24);
}

TEST(Backends, ResidualNetworksWithProjectionsAndRelu6)
{
    Network network = build_network("resnet20", {3, 16, 16}, 6, {{0.3F, 0.3F, 0.3F}, {0.3F, 0.3F, 0.3F}}, 8,
                                    {Activation::relu6, LayerOrder::conv_act_norm, Shortcut::projection});
    expect_backends_equal_reference(network, kBoth, 3, 24);
}

// Behind ReLU6 an infinite weight on positive inputs does what a huge one does; in the padding neither does
// anything.
TEST(Backends, PaddingIsNotMultipliedByInfinity)
{
    Graph graph({1, 6, 6});
    NodeId at = conv(graph, "conv", NodeId(0), {1, 3, 3, 1, 1, 1, true});
    at = graph.add("relu6", Relu6Op{}, {at});
    at = graph.add("flatten", FlattenOp{}, {at});
    graph.add("fc", LinearOp{108, 6, true}, {at});
    Network network = with_parameters(std::move(graph), 6, 27);
    network.normalisation = {{0.0F}, {1.0F}};
    ImageSet images = images_for(network, 40);
    for (std::uint8_t& pixel : images.pixels)
        pixel = std::max<std::uint8_t>(pixel, 10);
    std::vector<WeightChange> huge;
    std::vector<WeightChange> infinite;
    for (std::uint64_t w = 0; w < 27; ++w)
    {
        const float sign = w % 2 == 0 ? 1.0F : -1.0F;
        huge.push_back({w, sign * 1e38F, w});
        infinite.push_back({w, sign * kInfinity, w});
    }
    Evaluator reference(network, images, options_for(Backend::automatic, EvaluationMode::reference));
    const std::vector<Outcome> want = reference.evaluate(LayerId(0), huge);
    for (const Backend backend : kBoth)
    {
        Evaluator evaluator(network, images, options_for(backend));
        const std::vector<Outcome> got = evaluator.evaluate(LayerId(0), infinite);
        for (std::size_t f = 0; f < want.size(); ++f)
        {
            EXPECT_EQ(want[f].tally.nonfinite, 0U);
            expect_equal(got[f], want[f], fmt::format("{}: weight {}", name_of(backend), f));
        }
    }
}

/// A network whose flattened map goes through a batch norm: not for the native kernels.
Network flat_network()
{
    Graph graph({2, 8, 8});
    NodeId at = conv(graph, "conv", NodeId(0), {2, 4, 3, 1, 1, 1, true});
    at = graph.add("relu", ReluOp{}, {at});
    at = graph.add("pool", MaxPool2dOp{2, 2}, {at});
    at = graph.add("flatten", FlattenOp{}, {at});
    const NodeId norm = graph.add("flat_norm", BatchNormOp{64}, {at});
    at = graph.add("flat_sum", AddOp{}, {at, norm});
    at = graph.add("flat_relu", ReluOp{}, {at});
    graph.add("fc", LinearOp{64, 6, true}, {at});
    return with_parameters(std::move(graph), 6, 25);
}

TEST(Backends, LibtorchEvaluatesWhatNativeCannot)
{
    const Network network = flat_network();
    expect_backends_equal_reference(network, {Backend::automatic, Backend::libtorch}, 30);
    const ImageSet images = images_for(network, 20);
    try
    {
        const Evaluator evaluator(network, images, options_for(Backend::native));
        FAIL() << "native took a network that it cannot evaluate";
    }
    catch (const JobError& error)
    {
        EXPECT_NE(std::string(error.what()).find("flat_norm"), std::string::npos) << error.what();
    }
    // Nothing native is needed for the reference.
    EXPECT_NO_THROW(Evaluator(network, images, options_for(Backend::native, EvaluationMode::reference)));
}

// Of a flattened map only the pixel with the largest factor matters: what is provably harmless depends on it.
TEST(Backends, PixelsOfAFlattenedMapHaveFactorsOfTheirOwn)
{
    Graph graph({1, 1, 4});
    NodeId at = conv(graph, "conv", NodeId(0), {1, 1, 1, 1, 0, 1, false});
    at = graph.add("flatten", FlattenOp{}, {at});
    at = graph.add("norm", BatchNormOp{4, 0}, {at});
    graph.add("fc", LinearOp{4, 2, true}, {at});
    Network network{"test", NumberFormat::fp32, std::move(graph), 2, {{0.0F}, {1.0F}}, {}};
    const std::vector<float> ones(4, 1.0F);
    const std::vector<float> zeros(4, 0.0F);
    network.parameters = {
        {"conv.weight", {1, 1, 1, 1}, {1}}, {"norm.weight", {4}, {1e-6F, 1e-6F, 1e-6F, 100}},
        {"norm.bias", {4}, zeros},          {"norm.running_mean", {4}, zeros},
        {"norm.running_var", {4}, ones},    {"fc.weight", {2, 4}, {0, 0, 0, 1, 0, 0, 0, 0}},
        {"fc.bias", {2}, {0, 50}}};
    check_network(network, "test");
    // z = (100 w x₃, 50): class 0 while w x₃ > 0.5.
    const ImageSet images{1, 1, 4, {9, 9, 9, 255, 9, 9, 9, 153}, {0, 0}};
    Evaluator evaluator(network, images, options_for(Backend::automatic));
    const std::vector<Outcome> outcomes =
        evaluator.evaluate(LayerId(0), {{0, 0.9999F, 0}, {0, 0.7F, 1}, {0, 0.4F, 2}});
    EXPECT_EQ(outcomes[0].tally.mismatches, 0U);
    EXPECT_EQ(outcomes[1].tally.mismatches, 1U);
    EXPECT_EQ(outcomes[2].tally.mismatches, 2U);
    // Both images at 0.9999; at 0.7 the brighter one, whose margin of 50 is more than the 30 it loses.
    EXPECT_EQ(evaluator.work().proven, 3U);
}

TEST(Backends, LogitsMayBeAFlattenedMap)
{
    Graph graph({2, 8, 8});
    NodeId at = conv(graph, "conv", NodeId(0), {2, 4, 3, 1, 1, 1, true});
    at = graph.add("relu", ReluOp{}, {at});
    at = graph.add("pool", AvgPool2dOp{4, 4}, {at});
    at = conv(graph, "map", at, {4, 2, 1, 1, 0, 1, true});
    graph.add("flatten", FlattenOp{}, {at});
    expect_backends_equal_reference(with_parameters(std::move(graph), 8, 26), {Backend::automatic}, 60);
}

/// Screened: both backends find the same outcomes, screen the same pairs but for rounding, and audit the
/// same.
void expect_backends_screen_alike(const Network& network, const ImageSet& images, int flips_per_layer,
                                  const Screen& screen)
{
    set_compute_threads(1);
    Evaluator native(network, images, options_for(Backend::native, EvaluationMode::screened));
    EvaluationOptions threaded = options_for(Backend::libtorch, EvaluationMode::screened);
    threaded.threads = 2;
    Evaluator libtorch(network, images, threaded);
    const std::vector<double> tolerances = options_for(Backend::native).tolerances;
    std::uint64_t audited = 0;
    for (const InjectableLayer& layer : injectable_layers(network))
    {
        const std::vector<WeightChange> changes = hard_changes(network, layer, flips_per_layer);
        const std::vector<Outcome> want = native.evaluate(layer.id, changes, screen);
        const std::vector<Outcome> got = libtorch.evaluate(layer.id, changes, screen);
        std::int64_t apart = 0;
        std::int64_t screened = 0;
        std::int64_t audits_apart = 0;
        for (std::size_t f = 0; f < changes.size(); ++f)
        {
            for (const double tolerance : tolerances)
                EXPECT_EQ(exceeds(got[f].drop, tolerance), exceeds(want[f].drop, tolerance)) << layer.name;
            apart += std::abs(static_cast<std::int64_t>(got[f].screen.screened) - want[f].screen.screened);
            audits_apart +=
                std::abs(static_cast<std::int64_t>(got[f].screen.audited) - want[f].screen.audited);
            screened += want[f].screen.screened;
            audited += want[f].screen.audited;
        }
        // Nothing is screened in the last layer.
        EXPECT_EQ(screened > 0, layer.node != network.graph.output()) << layer.name;
        EXPECT_LE(apart, 2 + screened / 1000) << layer.name;
        EXPECT_LE(audits_apart, 2 + screened / 1000) << layer.name;
    }
    EXPECT_GT(audited, 0U);
    const WorkCount a = native.work();
    const WorkCount b = libtorch.work();
    expect_alike(a, b);
    EXPECT_GT(b.rescreened, 0U);
}

TEST(Backends, ScreenALenetAlike)
{
    const Dataset data = make_synthetic_dataset(3, {800, 420, 1, 28, 28, 10});
    Network network = build_network("lenet5", {1, 28, 28}, 10, data.normalisation, 3);
    TrainOptions training;
    training.epochs = 3;
    training.batch = 32;
    training.lr = 0.05;
    set_compute_threads(1);
    ASSERT_TRUE(train(
        network, data.train, training, [](const EpochReport&) {}, [] { return false; }));
    expect_backends_screen_alike(network, data.test, 60, {8, 0.1, 0.05});
}

TEST(Backends, ScreenAResidualNetworkAlike)
{
    const Network network =
        build_network("resnet20", {3, 16, 16}, 6, {{0.3F, 0.3F, 0.3F}, {0.3F, 0.3F, 0.3F}}, 7,
                      {Activation::relu, LayerOrder::conv_norm_act, Shortcut::projection});
    expect_backends_screen_alike(network, images_for(network, 40), 12, {8, 0.1, 0.05});
}

// A GPU rounds otherwise than a CPU: a prediction that hangs on the last bit may differ.
TEST(Backends, AGpuEqualsTheCpuUpToNearTies)
{
    if (visible_cuda_devices() == 0) GTEST_SKIP() << "no GPU, or a LibTorch without CUDA";
    for (const EvaluationMode mode :
         {EvaluationMode::reference, EvaluationMode::exact, EvaluationMode::screened})
    {
        const Network network = branched_network();
        const ImageSet images = images_for(network, 450);
        EvaluationOptions on_gpu = options_for(Backend::automatic, mode);
        on_gpu.device = {true, 0};
        Evaluator gpu(network, images, on_gpu);
        Evaluator cpu(network, images, options_for(Backend::native, mode));
        for (const InjectableLayer& layer : injectable_layers(network))
        {
            const std::vector<WeightChange> changes = random_flips(network, layer, 100);
            const std::vector<Outcome> got = gpu.evaluate(layer.id, changes, {8, 0.1, 0.05});
            const std::vector<Outcome> want = cpu.evaluate(layer.id, changes, {8, 0.1, 0.05});
            std::size_t apart = 0;
            for (std::size_t f = 0; f < changes.size(); ++f)
            {
                apart += got[f].tally == want[f].tally ? 0U : 1U;
                EXPECT_NEAR(got[f].drop, want[f].drop, 3.0 / 450) << layer.name << " fault " << f;
            }
            EXPECT_LE(apart, changes.size() / 20) << layer.name;
        }
    }
}

TEST(Backends, NativeIsNotForAGpu)
{
    const Network network = branched_network();
    const ImageSet images = images_for(network, 20);
    EvaluationOptions options = options_for(Backend::native);
    options.device = {true, 0};
    EXPECT_THROW(Evaluator(network, images, options), JobError);
}

// The smallest budget that is accepted: a few pairs at a time wait for each other at the checkpoints.
TEST(Backends, LibtorchKeepsWithinASmallMemoryBudget)
{
    set_compute_threads(1);
    const Network network = branched_network();
    const ImageSet images = images_for(network, 250);
    EvaluationOptions tight = options_for(Backend::libtorch, EvaluationMode::screened);
    std::unique_ptr<Evaluator> small;
    for (std::uint64_t budget = 1U << 20U; !small; budget += budget / 8)
    {
        ASSERT_LT(budget, 1U << 30U);
        tight.memory_budget = budget;
        try
        {
            small = std::make_unique<Evaluator>(network, images, tight);
        }
        catch (const JobError&)
        {}
    }
    Evaluator large(network, images, options_for(Backend::libtorch, EvaluationMode::screened));
    const InjectableLayer layer = injectable_layers(network)[0];
    const std::vector<WeightChange> changes = hard_changes(network, layer, 40);
    const Screen screen{8, 0.1, 0.1};
    const std::vector<Outcome> a = small->evaluate(layer.id, changes, screen);
    const std::vector<Outcome> b = large.evaluate(layer.id, changes, screen);
    std::int64_t apart = 0;
    for (std::size_t f = 0; f < changes.size(); ++f)
    {
        expect_equal(a[f], b[f], fmt::format("fault {}", f));
        apart += std::abs(static_cast<std::int64_t>(a[f].screen.screened) - b[f].screen.screened);
    }
    EXPECT_LE(apart, 2);
    EXPECT_LE(small->work().peak_bytes, tight.memory_budget);
    EXPECT_LT(small->work().peak_bytes, large.work().peak_bytes);
}

}  // namespace
}  // namespace flipstorm
