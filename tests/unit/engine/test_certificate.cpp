#include <gtest/gtest.h>

#include <cmath>

#include "engine/base/philox.hpp"
#include "engine/compute/torch/spectral_norm.hpp"
#include "engine/evaluate/certificate.hpp"

namespace flipstorm
{
namespace
{

TEST(SpectralNorm, OfMatricesWithAKnownOne)
{
    EXPECT_EQ(spectral_norm_bound({0, 0, 0, 0}, 2, 2), 0);
    EXPECT_NEAR(spectral_norm_bound({3, 0, 0, 0, 4, 0}, 2, 3), 4, 0.04);
    // Rank one: the norm is the product of the lengths, whichever side is longer.
    EXPECT_NEAR(spectral_norm_bound({1, 2, 2, 2, 4, 4}, 2, 3), 3 * std::sqrt(5.0), 1e-6);
    EXPECT_NEAR(spectral_norm_bound({1, 2, 2, 4, 2, 4}, 3, 2), 3 * std::sqrt(5.0), 1e-6);
}

TEST(SpectralNorm, IsAnUpperBoundThatIsNearlyReached)
{
    RandomStream random(1, RandomPurpose::test);
    constexpr std::int64_t kRows = 20;
    constexpr std::int64_t kColumns = 35;
    std::vector<float> matrix(kRows * kColumns);
    for (float& value : matrix)
        value = static_cast<float>(random.normal());
    // Power iteration reaches the norm from below.
    std::vector<double> x(kColumns, 1.0);
    double norm = 0;
    for (int iteration = 0; iteration < 2000; ++iteration)
    {
        std::vector<double> y(kRows, 0.0);
        std::vector<double> back(kColumns, 0.0);
        for (std::int64_t r = 0; r < kRows; ++r)
        {
            for (std::int64_t c = 0; c < kColumns; ++c)
                y[r] += static_cast<double>(matrix[r * kColumns + c]) * x[c];
        }
        for (std::int64_t r = 0; r < kRows; ++r)
        {
            for (std::int64_t c = 0; c < kColumns; ++c)
                back[c] += static_cast<double>(matrix[r * kColumns + c]) * y[r];
        }
        double length = 0;
        for (const double value : back)
            length += value * value;
        length = std::sqrt(length);
        norm = std::sqrt(length);
        for (std::int64_t c = 0; c < kColumns; ++c)
            x[c] = back[c] / length;
    }
    const double bound = spectral_norm_bound(matrix, kRows, kColumns);
    EXPECT_GE(bound, norm);
    EXPECT_LE(bound, 1.05 * norm);
}

// fc1 (2 neurons) → ReLU → batch norm → fc2 (3 logits), by hand.
TEST(LogitGains, OfALinearNetwork)
{
    Graph graph({2});
    const NodeId fc1 = graph.add("fc1", LinearOp{2, 2, false}, {NodeId(0)});
    NodeId at = graph.add("relu", ReluOp{}, {fc1});
    at = graph.add("bn", BatchNormOp{2, 0.0}, {at});
    const NodeId fc2 = graph.add("fc2", LinearOp{2, 3, false}, {at});
    Network network{"test", NumberFormat::fp32, graph, 3, {{0.0F}, {1.0F}}, {}};
    for (const ParameterSpec& spec : graph.parameters())
        network.parameters.push_back(
            {spec.name, spec.shape,
             std::vector<float>(static_cast<std::size_t>(elements(spec.shape)), 1.0F)});
    const auto set = [&](const std::string& name, std::vector<float> values) {
        for (Parameter& parameter : network.parameters)
        {
            if (parameter.name == name) parameter.set_values(std::move(values));
        }
    };
    set("bn.weight", {-3, 1});
    set("bn.running_var", {4, 25});
    set("fc2.weight", {1, 0, -1, 2, 4, 2});
    LogitGains gains(network);
    // Neuron 0 is scaled by 3/2, and its logit weights 1, −1, 4 differ by 5 at most; neuron 1 by 1/5 and 2.
    const std::vector<double> of_fc1 = gains.of_layer(change_flow(graph, fc1), fc1);
    ASSERT_EQ(of_fc1.size(), 2U);
    EXPECT_NEAR(of_fc1[0], 1.5 * 5, 1e-9);
    EXPECT_NEAR(of_fc1[1], 0.2 * 2, 1e-9);
    // A neuron of the last layer moves one logit.
    EXPECT_EQ(gains.of_layer(change_flow(graph, fc2), fc2), (std::vector<double>{1, 1, 1}));
}

}  // namespace
}  // namespace flipstorm
