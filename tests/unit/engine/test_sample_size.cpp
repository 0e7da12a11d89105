#include "engine/faults/sample_size.hpp"

#include <gtest/gtest.h>

#include <tuple>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

TEST(SampleSize, ReproducesPublishedTotals)
{
    const Precision precision{0.01, 2.58, 0.5};
    EXPECT_EQ(sample_size(4800, precision), 3726U);
    // LeNet-5, layer-wise and data-unaware, by bits of a word.
    const std::uint64_t weights[] = {150, 2400, 48000, 10080, 840};
    for (const auto& [bits, layer_wise, data_unaware] :
         {std::tuple(32U, 59971U, 693856U), std::tuple(16U, 52518U, 346928U),
          std::tuple(8U, 44568U, 173464U)})
    {
        std::uint64_t layers = 0;
        std::uint64_t unaware = 0;
        for (const std::uint64_t count : weights)
        {
            layers += sample_size(count * bits, precision);
            unaware += bits * sample_size(count, precision);
        }
        EXPECT_EQ(layers, layer_wise);
        EXPECT_EQ(unaware, data_unaware);
    }
    EXPECT_EQ(sample_size(17174144, precision), 16625U);  // ResNet-20, network-wise, two polarities
}

TEST(SampleSize, KeepsItsLimits)
{
    EXPECT_EQ(sample_size(0, {}), 0U);
    EXPECT_EQ(sample_size(1, {}), 1U);
    EXPECT_EQ(sample_size(1000000, {0.01, 2.58, 0.0}), 1U);
    EXPECT_EQ(sample_size(1000000, {0.01, 2.58, 1.0}), 1U);
    EXPECT_EQ(sample_size(std::uint64_t{1} << 60U, {0.01, 2.58, 0.5}), 16641U);
    std::uint64_t before = 0;
    for (std::uint64_t population = 1; population < 100000; population += 37)
    {
        const std::uint64_t size = sample_size(population, {});
        EXPECT_GE(size, before);
        EXPECT_LE(size, population);
        before = size;
    }
    EXPECT_THROW(sample_size(10, {0.0, 2.58, 0.5}), JobError);
    EXPECT_THROW(sample_size(10, {1.0, 2.58, 0.5}), JobError);
    EXPECT_THROW(sample_size(10, {0.01, -1, 0.5}), JobError);
    EXPECT_THROW(sample_size(10, {0.01, 2.58, 1.5}), JobError);
}

}  // namespace
}  // namespace flipstorm
