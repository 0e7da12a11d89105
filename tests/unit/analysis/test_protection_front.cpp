#include "analysis/protection_front.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"

namespace flipstorm
{
namespace
{

std::vector<std::vector<LayerChoice>> random_layers(std::size_t layers, std::size_t options,
                                                    std::uint64_t seed)
{
    RandomStream random(seed, RandomPurpose::test);
    std::vector<std::vector<LayerChoice>> all(layers);
    for (std::vector<LayerChoice>& layer : all)
    {
        const double risk = std::exp(6 * random.uniform());
        layer.push_back({0, risk});
        for (std::size_t o = 1; o < options; ++o)
            layer.push_back({random.below(1000), risk * random.uniform() * random.uniform()});
    }
    return all;
}

/// Every combination of options.
void for_each_plan(const std::vector<std::vector<LayerChoice>>& layers,
                   const std::function<void(std::uint64_t, double)>& visit, std::size_t layer = 0,
                   std::uint64_t bits = 0, double risk = 0)
{
    if (layer == layers.size()) return visit(bits, risk);
    for (const LayerChoice& choice : layers[layer])
        for_each_plan(layers, visit, layer + 1, bits + choice.bits, risk + choice.risk);
}

TEST(ProtectionFront, IsTheBestOfAllCombinations)
{
    for (std::uint64_t seed = 1; seed <= 20; ++seed)
    {
        const auto layers = random_layers(5, 6, seed);
        const std::vector<ProtectionPlan> front = protection_front(layers);
        for (std::size_t i = 0; i < front.size(); ++i)
        {
            std::uint64_t bits = 0;
            double risk = 0;
            for (std::size_t l = 0; l < layers.size(); ++l)
            {
                bits += layers[l][front[i].choice[l]].bits;
                risk += layers[l][front[i].choice[l]].risk;
            }
            EXPECT_EQ(front[i].bits, bits);
            EXPECT_NEAR(front[i].risk, risk, 1e-9 * risk);
            EXPECT_TRUE(i == 0 || (front[i].bits > front[i - 1].bits && front[i].risk < front[i - 1].risk));
        }
        for (const std::uint64_t budget : {0ULL, 300ULL, 900ULL, 2000ULL, 100000ULL})
        {
            double best = std::numeric_limits<double>::infinity();
            for_each_plan(layers, [&](std::uint64_t bits, double risk) {
                if (bits <= budget) best = std::min(best, risk);
            });
            EXPECT_NEAR(safest_within(front, budget).risk, best, 1e-9 * best);
            // The other way round.
            std::uint64_t fewest = std::numeric_limits<std::uint64_t>::max();
            for_each_plan(layers, [&](std::uint64_t bits, double risk) {
                if (risk <= best * (1 + 1e-9)) fewest = std::min(fewest, bits);
            });
            EXPECT_EQ(cheapest_within(front, best * (1 + 1e-9)).bits, fewest);
        }
    }
}

TEST(ProtectionFront, OfManyLayersStaysWithinItsResolution)
{
    // Costs that are sums of powers of two: hardly a plan beats another.
    std::vector<std::vector<LayerChoice>> layers;
    for (unsigned l = 0; l < 16; ++l)
        layers.push_back({{0, std::ldexp(1.0, static_cast<int>(l))}, {std::uint64_t{1} << l, 0}});
    const std::vector<ProtectionPlan> front = protection_front(layers);
    EXPECT_LE(front.size(), 4098U);
    EXPECT_EQ(front.front().bits, 0U);
    EXPECT_EQ(front.back().risk, 0);
    for (const ProtectionPlan& plan : front)
    {
        // Exactly, bits + risk = 2^16 - 1.
        const double best = 65535.0 - static_cast<double>(plan.bits);
        EXPECT_LE(plan.risk, best * std::pow(1 + std::log(65535.0) / 4096 * 1.01, 16) + 1e-9);
        EXPECT_GE(plan.risk, best - 1e-9);
    }
}

TEST(ProtectionFront, ByHand)
{
    const std::vector<ProtectionPlan> front = protection_front({{{0, 10}, {5, 1}}, {{0, 2}, {8, 0}, {9, 1}}});
    ASSERT_EQ(front.size(), 3U);  // 8 bits leave 10, which 5 beat
    EXPECT_EQ(front[0].choice, (std::vector<std::size_t>{0, 0}));
    EXPECT_EQ(front[1].choice, (std::vector<std::size_t>{1, 0}));
    EXPECT_EQ(front[2].choice, (std::vector<std::size_t>{1, 1}));
    EXPECT_EQ(cheapest_within(front, 3).bits, 5U);
    EXPECT_EQ(cheapest_within(front, 0.5).bits, 13U);  // nothing does: the safest
    EXPECT_EQ(safest_within(front, 12).bits, 5U);
    EXPECT_EQ(protection_front({}).size(), 1U);
    EXPECT_THROW(protection_front({{}}), Error);
    EXPECT_THROW(protection_front({{{0, -1}}}), Error);
}

}  // namespace
}  // namespace flipstorm
