// What the operations of a graph compute: against values worked out by hand, and against LibTorch's own
// modules where a network learns.

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <limits>

#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"
#include "engine/compute/torch/executor.hpp"
#include "engine/network/builders.hpp"
#include "engine/train/train.hpp"

namespace flipstorm
{
namespace
{

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Value of one operation for one image, and the shape it has.
std::vector<float> value_of(const Operation& operation, const Shape& shape, std::vector<float> image,
                            const std::vector<std::vector<float>>& parameters = {})
{
    Graph graph(shape);
    const NodeId id = graph.add("x", operation, {NodeId(0)});
    Network network{"one", NumberFormat::fp32, graph, 0, {}, {}};
    const std::vector<ParameterSpec> specs = graph.parameters();
    EXPECT_EQ(specs.size(), parameters.size());
    for (std::size_t i = 0; i < specs.size(); ++i)
        network.parameters.push_back({specs[i].name, specs[i].shape, parameters[i]});
    std::vector<std::int64_t> sizes = shape;
    sizes.insert(sizes.begin(), 1);
    const torch::Tensor input = torch::from_blob(image.data(), sizes, torch::kFloat32).clone();
    const c10::InferenceMode no_gradients;
    const torch::Tensor value = Executor(network, torch::kCPU).forward(input).contiguous();
    Shape found(value.sizes().begin() + 1, value.sizes().end());
    EXPECT_EQ(found, graph.node(id).shape);
    return {value.data_ptr<float>(), value.data_ptr<float>() + value.numel()};
}

/// 0, 1, 2, …
std::vector<float> counting(std::size_t count)
{
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i)
        values[i] = static_cast<float>(i);
    return values;
}

using Values = std::vector<float>;

TEST(Executor, NormalisesWithRunningStatistics)
{
    // (x − mean) / √(var + epsilon) · weight + bias, with √(15 + 1) = 4 and √(3 + 1) = 2.
    EXPECT_EQ(value_of(BatchNormOp{2, 1}, {2, 1, 2}, {5, 9, -1, 3}, {{2, 3}, {10, 0}, {1, -1}, {15, 3}}),
              (Values{12, 14, 0, 6}));
    EXPECT_EQ(value_of(BatchNormOp{2, 1}, {2}, {5, 3}, {{2, 3}, {10, 0}, {1, -1}, {15, 3}}), (Values{12, 6}));
}

TEST(Executor, ClipsAtSix)
{
    EXPECT_EQ(value_of(Relu6Op{}, {6}, {-kInfinity, -1, 0, 5.5F, 6, kInfinity}),
              (Values{0, 0, 0, 5.5F, 6, 6}));
    EXPECT_TRUE(std::isnan(value_of(Relu6Op{}, {1}, {std::nanf("")})[0]));
}

TEST(Executor, ComputesSmoothActivations)
{
    const std::vector<float> gate = value_of(SigmoidOp{}, {4}, {0, std::log(3.0F), -kInfinity, kInfinity});
    EXPECT_EQ(gate[0], 0.5F);
    EXPECT_FLOAT_EQ(gate[1], 0.75F);
    EXPECT_EQ(gate[2], 0);
    EXPECT_EQ(gate[3], 1);
    const std::vector<float> swish = value_of(SiluOp{}, {3}, {0, std::log(3.0F), -std::log(3.0F)});
    EXPECT_EQ(swish[0], 0);
    EXPECT_FLOAT_EQ(swish[1], 0.75F * std::log(3.0F));
    EXPECT_FLOAT_EQ(swish[2], -0.25F * std::log(3.0F));
}

TEST(Executor, MultipliesPixelByPixelAndChannelByChannel)
{
    Graph graph({2, 1, 2});
    const NodeId pooled = graph.add("mean", GlobalAvgPoolOp{}, {NodeId(0)});
    const NodeId square = graph.add("square", MulOp{}, {NodeId(0), NodeId(0)});
    const NodeId scaled = graph.add("scaled", MulOp{}, {pooled, square});
    EXPECT_EQ(graph.node(scaled).shape, (Shape{2, 1, 2}));
    const Executor executor({"multiply", NumberFormat::fp32, graph, 0, {}, {}}, torch::kCPU);
    const c10::InferenceMode no_gradients;
    const torch::Tensor image = torch::tensor({1.F, 3.F, -2.F, 0.F}).view({1, 2, 1, 2});
    // Means 2 and -1.
    EXPECT_TRUE(executor.forward(image).view(-1).equal(torch::tensor({2.F, 18.F, -4.F, 0.F})));
    const NodeId channel = graph.add("channel", SliceOp{0, 0, 1, 1}, {NodeId(0)});
    EXPECT_THROW(graph.add("x", MulOp{}, {NodeId(0), channel}), DataError) << "one channel for all";
}

TEST(Executor, DilatesConvolutions)
{
    // Elements 0, 2 and 4 of 5×5, in each direction; then the same with padding.
    const Values weight{1, 0, 0, 0, 10, 0, 0, 0, 100};
    EXPECT_EQ(value_of(Conv2dOp{1, 1, 3, 1, 0, 1, false, 2}, {1, 5, 5}, counting(25), {weight}),
              (Values{0 + 10 * 12 + 100 * 24}));
    EXPECT_EQ(value_of(Conv2dOp{1, 1, 3, 1, 2, 1, false, 2}, {1, 3, 3}, counting(9), {weight}),
              (Values{800, 10, 20, 30, 40, 50, 60, 70, 80}));
}

TEST(Executor, PoolsWindows)
{
    Values image = counting(16);
    EXPECT_EQ(value_of(AvgPool2dOp{2, 2}, {1, 4, 4}, image), (Values{2.5F, 4.5F, 10.5F, 12.5F}));
    EXPECT_EQ(value_of(AvgPool2dOp{3, 1}, {1, 4, 4}, image), (Values{5, 6, 9, 10}));
    EXPECT_EQ(value_of(MaxPool2dOp{3, 2, 1}, {1, 4, 4}, image), (Values{5, 7, 13, 15}));
    for (float& pixel : image)
        pixel = -1 - pixel;
    // Were padding zero, all would be 0.
    EXPECT_EQ(value_of(MaxPool2dOp{3, 2, 1}, {1, 4, 4}, image), (Values{-1, -2, -5, -6}));
    EXPECT_EQ(value_of(GlobalAvgPoolOp{}, {2, 2, 2}, counting(8)), (Values{1.5F, 5.5F}));
}

TEST(Executor, PadsAndSlices)
{
    EXPECT_EQ(value_of(PadOp{1, 0, 0, 0, 0, 0}, {1, 1, 2}, {3, 4}), (Values{0, 0, 3, 4}));
    EXPECT_EQ(value_of(PadOp{0, 2, 0, 0, 0, 0}, {1, 1, 1}, {3}), (Values{3, 0, 0}));
    EXPECT_EQ(value_of(PadOp{0, 0, 1, 0, 0, 2}, {1, 1, 1}, {3}), (Values{0, 0, 0, 3, 0, 0}));
    EXPECT_EQ(value_of(PadOp{0, 0, 0, 1, 1, 0}, {1, 1, 1}, {3}), (Values{0, 3, 0, 0}));
    const Values image = counting(18);  // 2 × 3 × 3
    EXPECT_EQ(value_of(SliceOp{0, 1, 2, 1}, {2, 3, 3}, image), (Values{9, 10, 11, 12, 13, 14, 15, 16, 17}));
    EXPECT_EQ(value_of(SliceOp{1, 0, 3, 2}, {2, 3, 3}, image),
              (Values{0, 1, 2, 6, 7, 8, 9, 10, 11, 15, 16, 17}));
    EXPECT_EQ(value_of(SliceOp{2, 1, 3, 2}, {2, 3, 3}, image), (Values{1, 4, 7, 10, 13, 16}));
}

TEST(Executor, JoinsAlongTheChannels)
{
    Graph graph({1, 1, 2});
    const NodeId zeros = graph.add("pad", PadOp{1, 0, 0, 0, 0, 0}, {NodeId(0)});
    graph.add("join", ConcatOp{}, {zeros, NodeId(0)});
    const Executor executor({"join", NumberFormat::fp32, graph, 0, {}, {}}, torch::kCPU);
    const torch::Tensor joined = executor.forward(torch::tensor({1.F, 2.F, 3.F, 4.F}).view({2, 1, 1, 2}));
    EXPECT_TRUE(joined.equal(
        torch::tensor({0.F, 0.F, 1.F, 2.F, 1.F, 2.F, 0.F, 0.F, 3.F, 4.F, 3.F, 4.F}).view({2, 3, 1, 2})));
}

// Slice, slice and pad make the shortcut that the usual modules write as
// F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, planes // 4, planes // 4)).
TEST(Executor, ComputesTheShortcutWithoutParameters)
{
    const Network network = build_network("resnet20", {3, 8, 8}, 10, {}, 1);
    NodeId block(-1);
    NodeId shortcut(-1);
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(network.graph.nodes().size()); ++i)
    {
        if (network.graph.node(NodeId(i)).name == "layer1.2.relu2") block = NodeId(i);
        if (network.graph.node(NodeId(i)).name == "layer2.0.shortcut.pad") shortcut = NodeId(i);
    }
    const c10::InferenceMode no_gradients;
    torch::manual_seed(1);
    const std::vector<torch::Tensor> values =
        Executor(network, torch::kCPU).forward_to(torch::randn({2, 3, 8, 8}), {block, shortcut});
    const torch::Tensor& x = values[static_cast<std::size_t>(block.value())];
    const torch::Tensor& padded = values[static_cast<std::size_t>(shortcut.value())];
    ASSERT_EQ(padded.sizes().vec(), (std::vector<std::int64_t>{2, 32, 4, 4}));
    torch::Tensor expected = torch::zeros({2, 32, 4, 4});
    for (std::int64_t row = 0; row < 4; ++row)
    {
        for (std::int64_t column = 0; column < 4; ++column)
        {
            expected.narrow(1, 8, 16).select(2, row).select(2, column).copy_(
                x.select(2, 2 * row).select(2, 2 * column));
        }
    }
    EXPECT_GT(x.abs().sum().item<float>(), 0);
    EXPECT_TRUE(padded.equal(expected));
}

TEST(Executor, SharesTheParametersUntilSomeoneEditsThem)
{
    Network network = build_network("lenet5", {1, 28, 28}, 10, {}, 1);
    const Executor executor(network, torch::kCPU);
    const Network copy = network;
    const float before = network.parameters[0].values()[0];
    EXPECT_EQ(executor.parameters()[0].data_ptr<float>(), network.parameters[0].values().data());
    EXPECT_EQ(copy.parameters[0].values().data(), network.parameters[0].values().data());
    network.parameters[0].set_value(0, before + 1);
    EXPECT_EQ(network.parameters[0].values()[0], before + 1);
    EXPECT_EQ(copy.parameters[0].values()[0], before);
    EXPECT_EQ(executor.parameters()[0].view(-1)[0].item<float>(), before);
}

// Two values per channel, 1 and 3: mean 2, variance 1, unbiased 2. With momentum 0.1 the running mean goes
// from 0 to 0.2 and the running variance from 1 to 0.9 + 0.2.
TEST(ExecutorTraining, GathersTheStatisticsOfTheBatch)
{
    Graph graph({1, 1, 1});
    graph.add("bn", BatchNormOp{1, 0}, {NodeId(0)});
    const Network network{"bn",
                          NumberFormat::fp32,
                          graph,
                          0,
                          {},
                          {{"bn.weight", {1}, {3}},
                           {"bn.bias", {1}, {5}},
                           {"bn.running_mean", {1}, {0}},
                           {"bn.running_var", {1}, {1}}}};
    Executor executor(network, torch::kCPU);
    const torch::Tensor images = torch::tensor({1.F, 3.F}).view({2, 1, 1, 1});
    EXPECT_THROW(executor.forward_training(images), Error) << "it would change the network's own values";
    executor.own_parameters();
    EXPECT_TRUE(executor.forward_training(images).view(-1).allclose(torch::tensor({2.F, 8.F})));
    Network learned = network;
    executor.store(learned);
    EXPECT_EQ(network.parameters[2].values()[0], 0);
    EXPECT_FLOAT_EQ(learned.parameters[2].values()[0], 0.2F);
    EXPECT_FLOAT_EQ(learned.parameters[3].values()[0], 1.1F);
    // Fault-free inference uses what was gathered: (1 − 0.2) / √1.1 · 3 + 5.
    EXPECT_NEAR(executor.forward(images).view(-1)[0].item<double>(), 0.8 / std::sqrt(1.1) * 3 + 5, 1e-6);
    EXPECT_THROW(executor.forward_training(images.narrow(0, 0, 1)), DataError);
}

/// The same small residual network as PyTorch modules.
struct Modules : torch::nn::Module
{
    Modules()
    {
        using namespace torch::nn;
        const auto conv = [](int in, int out, int kernel, int stride) {
            return Conv2d(Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false));
        };
        conv1 = register_module("conv1", conv(2, 4, 3, 1));
        bn1 = register_module("bn1", BatchNorm2d(4));
        conv2 = register_module("conv2", conv(4, 6, 3, 2));
        bn2 = register_module("bn2", BatchNorm2d(6));
        projection = register_module("projection", conv(4, 6, 1, 2));
        bn3 = register_module("bn3", BatchNorm2d(6));
        linear = register_module("linear", Linear(6, 3));
    }

    torch::Tensor forward(const torch::Tensor& images)
    {
        const torch::Tensor x = torch::relu6(bn1(conv1(images)));
        const torch::Tensor sum = bn2(torch::relu(conv2(x))) + bn3(projection(x));
        return linear(torch::adaptive_avg_pool2d(sum, {1, 1}).flatten(1));
    }

    torch::nn::Conv2d conv1{nullptr}, conv2{nullptr}, projection{nullptr};
    torch::nn::BatchNorm2d bn1{nullptr}, bn2{nullptr}, bn3{nullptr};
    torch::nn::Linear linear{nullptr};
};

Graph graph_of_modules()
{
    Graph graph({2, 6, 6});
    NodeId at = graph.add("conv1", Conv2dOp{2, 4, 3, 1, 1, 1, false}, {NodeId(0)});
    at = graph.add("bn1", BatchNormOp{4}, {at});
    const NodeId stem = graph.add("relu1", Relu6Op{}, {at});
    at = graph.add("conv2", Conv2dOp{4, 6, 3, 2, 1, 1, false}, {stem});
    at = graph.add("relu2", ReluOp{}, {at});
    const NodeId body = graph.add("bn2", BatchNormOp{6}, {at});
    at = graph.add("projection", Conv2dOp{4, 6, 1, 2, 0, 1, false}, {stem});
    at = graph.add("bn3", BatchNormOp{6}, {at});
    at = graph.add("sum", AddOp{}, {body, at});
    at = graph.add("pool", GlobalAvgPoolOp{}, {at});
    at = graph.add("flatten", FlattenOp{}, {at});
    graph.add("linear", LinearOp{6, 3, true}, {at});
    return graph;
}

TEST(ExecutorTraining, LearnsAsPyTorchsModulesDo)
{
    set_compute_threads(1);
    torch::manual_seed(3);
    Modules modules;
    modules.to(torch::kFloat32);
    Network network{"modules", NumberFormat::fp32, graph_of_modules(), 3, {{0.4F, 0.5F}, {0.2F, 0.3F}}, {}};
    const auto tensor_of = [&](const std::string& name) {
        for (const auto& item : modules.named_parameters())
        {
            if (item.key() == name) return item.value();
        }
        return modules.named_buffers()[name];
    };
    for (const ParameterSpec& spec : network.graph.parameters())
    {
        const torch::Tensor value = tensor_of(spec.name).detach().contiguous();
        ASSERT_EQ(value.sizes().vec(), spec.shape) << spec.name;
        const float* data = value.data_ptr<float>();
        network.parameters.push_back({spec.name, spec.shape, std::vector<float>(data, data + value.numel())});
    }
    // All images in one batch: their order does not matter.
    ImageSet images{2, 6, 6, {}, {}};
    RandomStream random(1, RandomPurpose::test);
    for (int n = 0; n < 16; ++n)
    {
        for (int i = 0; i < 2 * 6 * 6; ++i)
            images.pixels.push_back(static_cast<std::uint8_t>(random.below(256)));
        images.labels.push_back(n % 3);
    }
    const Network before = network;
    TrainOptions options;
    options.epochs = 3;
    options.batch = 16;
    options.lr = 0.2;
    options.weight_decay = 1e-2;
    options.clip = 0.5;
    options.schedule = Schedule::constant;
    ASSERT_TRUE(train(
        network, images, options, [](const EpochReport&) {}, [] { return false; }));

    std::vector<std::int64_t> all(16);
    for (std::size_t n = 0; n < all.size(); ++n)
        all[n] = static_cast<std::int64_t>(n);
    const torch::Tensor batch = image_batch(images, all, network.normalisation, torch::kCPU);
    const torch::Tensor labels =
        torch::tensor(std::vector<std::int64_t>(images.labels.begin(), images.labels.end()));
    torch::optim::SGD sgd(modules.parameters(),
                          torch::optim::SGDOptions(0.2).momentum(0.9).weight_decay(1e-2));
    for (int epoch = 0; epoch < 3; ++epoch)
    {
        sgd.zero_grad();
        torch::nn::functional::cross_entropy(modules.forward(batch), labels).backward();
        torch::nn::utils::clip_grad_norm_(modules.parameters(), 0.5);
        sgd.step();
    }
    for (std::size_t i = 0; i < network.parameters.size(); ++i)
    {
        const Parameter& parameter = network.parameters[i];
        const torch::Tensor expected = tensor_of(parameter.name).detach().contiguous();
        double moved = 0;
        for (std::size_t k = 0; k < parameter.values().size(); ++k)
        {
            EXPECT_NEAR(parameter.values()[k], expected.data_ptr<float>()[k], 1e-5)
                << parameter.name << " " << k;
            moved += std::abs(parameter.values()[k] - before.parameters[i].values()[k]);
        }
        EXPECT_GT(moved, 1e-4) << parameter.name;
    }
    // And it infers as they do.
    modules.eval();
    const c10::InferenceMode no_gradients;
    EXPECT_TRUE(Executor(network, torch::kCPU).forward(batch).allclose(modules.forward(batch), 1e-4, 1e-4));
}

}  // namespace
}  // namespace flipstorm
