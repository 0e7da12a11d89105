// Quantisation-aware training: fake quantisation against stored words, its gradients, the ranges it learns,
// and what networks trained with it are worth.

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"
#include "engine/compute/torch/executor.hpp"
#include "engine/compute/torch/fake_quantise.hpp"
#include "engine/compute/torch/golden_pass.hpp"
#include "engine/data/synthetic.hpp"
#include "engine/network/builders.hpp"
#include "engine/train/calibrate.hpp"
#include "engine/train/quantised_forward.hpp"
#include "engine/train/train.hpp"
#include "engine/train/trainer.hpp"
#include "thread_ranks.hpp"

namespace flipstorm
{
namespace
{

/// Of all magnitudes and both signs; zeros, ties of whole numbers, and the largest floats.
std::vector<float> trying_values()
{
    RandomStream random(1, RandomPurpose::test, 0);
    std::vector<float> values{0.0F, -0.0F, std::numeric_limits<float>::max(),
                              std::numeric_limits<float>::lowest(), std::numeric_limits<float>::denorm_min()};
    for (int k = -300; k <= 300; ++k)
        values.push_back(static_cast<float>(k) / 2);
    while (values.size() < 4800)
        values.push_back(static_cast<float>(random.normal() * std::exp2(40 * random.uniform() - 30)));
    return values;
}

torch::Tensor tensor_of(const std::vector<float>& values, std::int64_t rows)
{
    return torch::tensor(values).view({rows, -1});
}

std::vector<float> floats_of(const torch::Tensor& tensor)
{
    const torch::Tensor values = tensor.detach().contiguous();
    return {values.data_ptr<float>(), values.data_ptr<float>() + values.numel()};
}

/// Number of floats whose bits differ.
int differing(const std::vector<float>& a, const std::vector<float>& b)
{
    int count = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        count += a[i] != b[i] || std::signbit(a[i]) != std::signbit(b[i]) ? 1 : 0;
    return count;
}

TEST(FakeQuantise, OfParametersIsWhatTheirWordsReadAs)
{
    constexpr std::int64_t kOutputs = 6;
    const std::vector<float> values = trying_values();
    for (const NumberFormat format : number_formats())
    {
        const FormatTraits& traits = format_traits(format);
        for (const double factor : {1.0, 0.37, 1e-3})
        {
            std::vector<float> scales;
            if (traits.scaling == Scaling::power_of_two) scales = {0.25F};
            for (int i = 0; traits.scaling == Scaling::any && i < kOutputs; ++i)
                scales.push_back(static_cast<float>(factor * std::exp2(i)));
            const StoredTensor stored({kOutputs, 800}, values, traits, scales);
            const torch::Tensor fake =
                fake_quantise(tensor_of(values, kOutputs), traits, torch::tensor(scales).to(torch::kFloat64));
            // A whole number has one zero, a tensor of floats has two.
            std::vector<float> found = floats_of(fake);
            if (traits.whole_numbers) std::replace(found.begin(), found.end(), -0.0F, 0.0F);
            EXPECT_EQ(differing(found, stored.values()), 0) << traits.name;
        }
    }
}

TEST(FakeQuantise, OfValuesIsWhatTheirWordsReadAs)
{
    const std::vector<float> values = trying_values();
    for (const auto& [format, scale] :
         {std::pair{NumberFormat::fxp8, 0.25F}, std::pair{NumberFormat::fxp16, 0.125F},
          std::pair{NumberFormat::fxp32, 0.5F}, std::pair{NumberFormat::int8, 0.3F}})
    {
        const FormatTraits& traits = format_traits(format);
        const StoredTensor stored({4800}, values, traits, {scale});
        const std::vector<float> found =
            floats_of(fake_quantise(torch::tensor(values), StoredActivation{scale, traits.bits}));
        for (std::size_t i = 0; i < values.size(); ++i)
        {
            const double units = static_cast<double>(values[i]) / static_cast<double>(scale);
            const bool tie = std::abs(units - std::floor(units) - 0.5) < 1e-6 * std::abs(units);
            if (traits.scaling == Scaling::any && tie) continue;
            ASSERT_NEAR(found[i], stored.values()[i], 1e-6F * std::abs(stored.values()[i]))
                << traits.name << " of " << values[i];
        }
        if (traits.scaling == Scaling::any) continue;
        std::vector<float> plain = found;
        std::replace(plain.begin(), plain.end(), -0.0F, 0.0F);
        EXPECT_EQ(differing(plain, stored.values()), 0) << traits.name;
    }
}

TEST(FakeQuantise, ScalesOfWeightsAreThoseOfStoredOnes)
{
    const torch::Tensor weights = torch::randn({6, 3, 5, 5});
    weights[2].zero_();
    for (const bool per_channel : {true, false})
    {
        FormatChoice choice;
        choice.scale_per_channel = per_channel;
        choice.integer_bits = 2;
        for (const NumberFormat format : {NumberFormat::int8, NumberFormat::fxp8, NumberFormat::fxp32})
        {
            const std::vector<float> expected = weight_scales(choice, format, floats_of(weights), 6);
            const torch::Tensor found = weight_scales(choice, format_traits(format), weights);
            EXPECT_EQ(differing(floats_of(found.to(torch::kFloat32)), expected), 0);
            EXPECT_EQ(found.numel(), static_cast<std::int64_t>(expected.size()));
        }
        EXPECT_FALSE(weight_scales(choice, format_traits(NumberFormat::bf16), weights).defined());
    }
}

TEST(FakeQuantise, GradientsPassStraightThroughUnlessClipped)
{
    const std::vector<float> values{-40.F, -32.F, -31.9F, -0.1F, 0.F, 0.13F, 5.F, 31.7F, 31.75F, 32.F, 40.F};
    const std::vector<float> passes{0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0};
    const torch::Tensor slopes = torch::arange(1, 12).to(torch::kFloat32);
    const auto gradient = [&](const auto& quantise) {
        const torch::Tensor input = torch::tensor(values).requires_grad_(true);
        (quantise(input) * slopes).sum().backward();
        return floats_of(input.grad() / slopes);
    };
    EXPECT_EQ(gradient([](const torch::Tensor& v) { return fake_quantise(v, {0.25F, 8}); }), passes);
    EXPECT_EQ(gradient([](const torch::Tensor& v) {
                  return fake_quantise(v, format_traits(NumberFormat::fxp8),
                                       torch::full({1}, 0.25, torch::kFloat64));
              }),
              passes);
    // Nothing of these is clipped.
    for (const NumberFormat format : {NumberFormat::fp16, NumberFormat::bf16, NumberFormat::fp8_e4m3,
                                      NumberFormat::fp8_e5m2, NumberFormat::int8})
    {
        EXPECT_EQ(gradient([&](const torch::Tensor& v) {
                      const FormatTraits& traits = format_traits(format);
                      return fake_quantise(v.view({1, -1}), traits,
                                           weight_scales({}, traits, v.view({1, -1})))
                          .view(-1);
                  }),
                  std::vector<float>(11, 1.0F));
    }
    const torch::Tensor large = torch::tensor({1000.F, -449.F, 447.F}).requires_grad_(true);
    fake_quantise(large, format_traits(NumberFormat::fp8_e4m3), {}).sum().backward();
    EXPECT_EQ(floats_of(large.grad()), (std::vector<float>{0, 0, 1}));
    // Nothing is kept for a gradient that nobody wants.
    EXPECT_FALSE(fake_quantise(torch::tensor(values), {0.25F, 8}).requires_grad());
}

/// conv → ReLU6 → linear.
Network small_network()
{
    Graph graph({1, 6, 6});
    graph.add("conv", Conv2dOp{1, 3, 3, 1, 1, 1, true}, {NodeId(0)});
    graph.add("relu6", Relu6Op{}, {NodeId(1)});
    graph.add("flatten", FlattenOp{}, {NodeId(2)});
    graph.add("fc", LinearOp{108, 4, true}, {NodeId(3)});
    Network network{"test", NumberFormat::fp32, graph, 4, {{0.F}, {1.F}}, {}};
    torch::manual_seed(3);
    for (const ParameterSpec& spec : graph.parameters())
        network.parameters.emplace_back(spec.name, spec.shape, floats_of(torch::randn(spec.shape) * 0.4));
    return network;
}

TEST(StoredForward, RoundsEveryValueToItsScale)
{
    FormatChoice choice;
    choice.format = NumberFormat::int8;
    const Network network = stored_as(small_network(), choice, {3, 7, 0, 0, 20});
    const Executor executor(network, torch::kCPU);
    torch::manual_seed(4);
    const torch::Tensor images = torch::randn({5, 1, 6, 6});
    const auto scale = [&](int node) {
        return static_cast<double>(network.activations[static_cast<std::size_t>(node)].scale);
    };
    const auto rounded = [&](const torch::Tensor& value, int node, double most) {
        return (value / scale(node)).round().clamp(-most - 1, most) * scale(node);
    };
    const auto parameter = [&](std::size_t i) { return executor.parameters()[i]; };
    const torch::Tensor input = rounded(images, 0, 127);
    const torch::Tensor conv = rounded(torch::conv2d(input, parameter(0), parameter(1), 1, 1), 1, 127);
    const torch::Tensor relu6 = rounded(conv.clamp(0, 6), 2, 127);
    const torch::Tensor logits =
        rounded(torch::linear(relu6.flatten(1), parameter(2), parameter(3)), 4, 32767);
    const std::vector<torch::Tensor> values =
        executor.forward_to(images, {NodeId(0), NodeId(1), NodeId(2), NodeId(4)});
    EXPECT_LT((values[0] - input).abs().max().item<double>(), 1e-6);
    EXPECT_LT((values[1] - conv).abs().max().item<double>(), 1e-6);
    EXPECT_LT((values[2] - relu6).abs().max().item<double>(), 1e-6);
    EXPECT_LT((executor.forward(images) - logits).abs().max().item<double>(), 1e-4);
    EXPECT_EQ(scale(2), scale(1));

    // A margin's gradient is that of the float network of the same parameters, here where nothing is clipped.
    GoldenRequest request;
    request.layer = NodeId(1);
    request.gradients = {NodeId(1)};
    const GoldenPass pass = golden_pass(executor, images, request);
    ASSERT_FALSE(pass.gradients[1].empty());
    const torch::Tensor& gradient = pass.gradients[1][0];
    EXPECT_GT(gradient.abs().max().item<double>(), 0.01);
    EXPECT_EQ(gradient.masked_select(conv.le(0).logical_or(conv.ge(6))).abs().sum().item<double>(), 0);
}

TEST(Calibration, IsTheLargestMagnitudeThatMatters)
{
    const Dataset data = make_synthetic_dataset(5, {60, 20, 1, 6, 6, 4});
    Network network = small_network();
    network.normalisation = data.normalisation;
    const std::vector<float> ranges = calibrate_ranges(network, data.train, {}, 1000);
    const Executor executor(network, torch::kCPU);
    std::vector<std::int64_t> all(60);
    for (std::size_t i = 0; i < all.size(); ++i)
        all[i] = static_cast<std::int64_t>(i);
    const std::vector<torch::Tensor> values = executor.forward_to(
        image_batch(data.train, all, data.normalisation, torch::kCPU), {NodeId(0), NodeId(1), NodeId(4)});
    EXPECT_FLOAT_EQ(ranges[0], values[0].abs().max().item<float>());
    EXPECT_FLOAT_EQ(ranges[1], values[1].max().item<float>());  // a ReLU alone reads it
    EXPECT_EQ(ranges[2], 0);
    EXPECT_EQ(ranges[3], 0);
    EXPECT_FLOAT_EQ(ranges[4], 2 * values[4].abs().max().item<float>());
    EXPECT_LE(calibrate_ranges(network, data.train, {}, 5)[1], ranges[1]);
}

class QuantisedTraining : public ::testing::Test
{
  protected:
    QuantisedTraining()
        : data_(make_synthetic_dataset(2, {600, 400, 1, 28, 28, 10})),
          network_(build_network("lenet5", {1, 28, 28}, 10, data_.normalisation, 2))
    {
        set_compute_threads(1);
        options_.epochs = 3;
        options_.batch = 64;
        options_.lr = 0.05;
    }

    Network trained(NumberFormat format)
    {
        options_.format.format = format;
        Network network = network_;
        EXPECT_TRUE(train(
            network, data_.train, options_, [](const EpochReport&) {}, [] { return false; }));
        return network;
    }

    Dataset data_;
    Network network_;
    TrainOptions options_;
};

TEST_F(QuantisedTraining, CostsFewPoints)
{
    const double floats = accuracy(trained(NumberFormat::fp32), data_.test, {});
    EXPECT_GT(floats, 0.9);
    for (const NumberFormat format : number_formats())
    {
        if (format == NumberFormat::fp32 || format == NumberFormat::int32) continue;
        const Network network = trained(format);
        check_network(network, "the trained network");
        EXPECT_EQ(network.format, format);
        EXPECT_EQ(network.computes_in_integers(), format_traits(format).whole_numbers);
        const double found = accuracy(network, data_.test, {});
        EXPECT_GT(found, floats - 0.03) << to_string(format);
    }
}

TEST_F(QuantisedTraining, CalibrationAloneIsNotFarOff)
{
    const Network floats = trained(NumberFormat::fp32);
    const double before = accuracy(floats, data_.test, {});
    const std::vector<float> ranges = calibrate_ranges(floats, data_.train, {});
    for (const NumberFormat format :
         {NumberFormat::fxp32, NumberFormat::fxp16, NumberFormat::fxp8, NumberFormat::int8})
    {
        FormatChoice choice;
        choice.format = format;
        const double after = accuracy(stored_as(floats, choice, ranges), data_.test, {});
        EXPECT_GT(after, before - (format == NumberFormat::fxp8 ? 0.1 : 0.03)) << to_string(format);
    }
}

TEST_F(QuantisedTraining, TakesFormatsOfSingleLayers)
{
    options_.epochs = 1;
    options_.format.of_layer = {{"conv1", NumberFormat::fxp16}};
    const Network network = trained(NumberFormat::fxp8);
    EXPECT_EQ(network.parameter("conv1.weight").format(), NumberFormat::fxp16);
    EXPECT_EQ(network.parameter("conv2.weight").format(), NumberFormat::fxp8);
    options_.format.of_layer = {{"conv9", NumberFormat::fxp16}};
    EXPECT_THROW(trained(NumberFormat::fxp8), JobError);
}

TEST_F(QuantisedTraining, RefusesStoredNetworks)
{
    options_.epochs = 1;
    network_ = trained(NumberFormat::int8);
    EXPECT_THROW(trained(NumberFormat::int8), Error);
}

/// On several ranks, and interrupted.
class QuantisedTogether : public ::testing::Test
{
  protected:
    QuantisedTogether()
        : data_(make_synthetic_dataset(4, {43, 20, 3, 16, 16, 10})),
          network_(build_network("resnet8", {3, 16, 16}, 10, data_.normalisation, 3))
    {
        set_compute_threads(1);
        options_.epochs = 2;
        options_.batch = 10;  // 43 images: the last batch has three
        options_.lr = 0.001;
        options_.clip = 1;
        options_.augment = Augment::crop_flip;
        options_.fault_aware.rule = FaultRule::paper;
        options_.format.format = NumberFormat::int8;
    }

    /// Parameters and ranges at the end of a training on so many ranks; all end with the same ones.
    TrainingState trained_on(int size, Network* network = nullptr) const
    {
        std::vector<TrainingState> states(static_cast<std::size_t>(size));
        on_threads(size, [&](TrainingRanks& ranks) {
            Network copy = network_;
            EXPECT_TRUE(train(copy, data_.train, options_, ranks,
                              states[static_cast<std::size_t>(ranks.rank())], {}));
            if (ranks.rank() == 0 && network != nullptr) *network = copy;
        });
        for (const TrainingState& state : states)
        {
            EXPECT_EQ(state.parameters, states[0].parameters);
            EXPECT_EQ(state.ranges, states[0].ranges);
        }
        return states[0];
    }

    /// Largest difference relative to the largest value of all, of the trainable parameters.
    double distance(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b) const
    {
        double difference = 0;
        double largest = 0;
        const std::vector<ParameterSpec> specs = network_.graph.parameters();
        for (std::size_t i = 0; i < a.size(); ++i)
        {
            for (std::size_t k = 0; specs[i].trainable && k < a[i].size(); ++k)
            {
                difference = std::max(difference, std::abs(static_cast<double>(a[i][k] - b[i][k])));
                largest = std::max(largest, std::abs(static_cast<double>(a[i][k])));
            }
        }
        return difference / largest;
    }

    [[nodiscard]] std::vector<std::vector<float>> first_parameters() const
    {
        std::vector<std::vector<float>> values;
        for (const Parameter& parameter : network_.parameters)
            values.push_back(parameter.values());
        return values;
    }

    Dataset data_;
    Network network_;
    TrainOptions options_;
};

TEST_F(QuantisedTogether, TheNumberOfRanksDoesNotMatter)
{
    for (const NumberFormat format : {NumberFormat::fp8_e4m3, NumberFormat::fxp16, NumberFormat::int8})
    {
        options_.format.format = format;
        const TrainingState one = trained_on(1);
        for (const int size : {2, 4})
        {
            const TrainingState several = trained_on(size);
            const double apart = distance(one.parameters, several.parameters);
            const double learnt = distance(one.parameters, first_parameters());
            EXPECT_LT(apart, 2e-5) << to_string(format);  // a tie may be rounded the other way
            EXPECT_LT(apart, 0.1 * learnt) << to_string(format);
            // A range is one value's magnitude: what flipped ties move it by is steps of int8.
            for (std::size_t i = 0; i < one.ranges.size(); ++i)
                EXPECT_NEAR(several.ranges[i], one.ranges[i], 3.0F / 127 * one.ranges[i]);
        }
    }
}

TEST_F(QuantisedTogether, AnInterruptedTrainingEndsAsAnUninterruptedOne)
{
    for (const int size : {1, 2})
    {
        Network whole = network_;
        const TrainingState end = trained_on(size, &whole);
        for (const std::int64_t stop_after : {1, 7})
        {
            std::vector<TrainingState> saved(static_cast<std::size_t>(size));
            on_threads(size, [&](TrainingRanks& ranks) {
                Network copy = network_;
                TrainingState state;
                std::int64_t asked = 0;
                TrainObserver observer;
                observer.should_stop = [&] { return ++asked == stop_after; };
                observer.save = [&](const TrainingState& now) {
                    saved[static_cast<std::size_t>(ranks.rank())] = now;
                };
                EXPECT_FALSE(train(copy, data_.train, options_, ranks, state, observer));
                EXPECT_EQ(digest(copy), digest(network_)) << "a stopped training changed the network";
            });
            EXPECT_EQ(saved[0].step, stop_after);
            on_threads(size, [&](TrainingRanks& ranks) {
                Network copy = network_;
                TrainingState state = saved[0];
                EXPECT_TRUE(train(copy, data_.train, options_, ranks, state, {}));
                EXPECT_EQ(state.parameters, end.parameters);
                EXPECT_EQ(state.ranges, end.ranges);
                EXPECT_EQ(digest(copy), digest(whole));
            });
        }
    }
}

TEST_F(QuantisedTogether, StatesWithOtherRangesAreRefused)
{
    TrainingState state = trained_on(1);
    state.step = 1;
    state.curve.clear();
    state.ranges.pop_back();
    TrainingRanks alone;
    EXPECT_THROW(train(network_, data_.train, options_, alone, state, {}), DataError);
    options_.format.format = NumberFormat::fp32;
    EXPECT_THROW(train(network_, data_.train, options_, alone, state, {}), DataError);
}

TEST_F(QuantisedTogether, RangesAreNotLearntFromStruckImages)
{
    options_.fault_aware.magnitude = 1e4;
    const TrainingState struck = trained_on(1);
    options_.fault_aware.rule = FaultRule::none;
    const TrainingState plain = trained_on(1);
    for (std::size_t i = 0; i < plain.ranges.size(); ++i)
    {
        EXPECT_EQ(plain.ranges[i] > 0, has_own_scale(network_.graph.nodes()[i].operation));
        EXPECT_LT(struck.ranges[i], 20 * plain.ranges[i] + 1e-6F) << network_.graph.nodes()[i].name;
    }
    // Where all are struck, what no step spared is measured at the end.
    options_.fault_aware.rule = FaultRule::paper;
    options_.fault_aware.image_share = 1;
    Network network = network_;
    static_cast<void>(trained_on(1, &network));
    check_network(network, "the trained network");
}

TEST(QuantisedForward, LearnsAMovingAverageOverAllRanks)
{
    FormatChoice choice;
    choice.format = NumberFormat::int8;
    const Network network = small_network();
    QuantisedForward forward(choice, network.graph);
    // Two ranks: the larger one counts; the output gets twice as much; nothing was seen of the third node.
    forward.learn(std::vector<float>{1, 4, 0, 0, 3, 2, 3, 0, 0, 5}.data(), 2);
    EXPECT_EQ(forward.ranges(), (std::vector<float>{2, 4, 0, 0, 10}));
    forward.learn(std::vector<float>{1, 40, 0, 0, 0}.data(), 1);
    EXPECT_FLOAT_EQ(forward.ranges()[0], 1.9F);
    EXPECT_EQ(forward.ranges()[1], 40);
    EXPECT_EQ(forward.ranges()[4], 10);
    forward.learn(std::vector<float>{1, std::numeric_limits<float>::infinity(), 0, 0, 0}.data(), 1);
    EXPECT_EQ(forward.ranges()[1], 40);
    EXPECT_TRUE(QuantisedForward({}, network.graph).ranges().empty());
}

}  // namespace
}  // namespace flipstorm
