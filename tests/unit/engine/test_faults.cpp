#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "engine/base/error.hpp"
#include "engine/faults/fault_model.hpp"
#include "engine/faults/sample_size.hpp"

namespace flipstorm
{
namespace
{

TEST(FlipBit, ChangesTheBitsOfBinary32)
{
    EXPECT_EQ(flip_bit(NumberFormat::fp32, 1.0F, 31), -1.0F);
    EXPECT_EQ(flip_bit(NumberFormat::fp32, 1.0F, 23), 0.5F);
    EXPECT_EQ(flip_bit(NumberFormat::fp32, 1.0F, 22), 1.5F);
    EXPECT_EQ(flip_bit(NumberFormat::fp32, 1.0F, 0), 1.0F + std::numeric_limits<float>::epsilon());
    EXPECT_EQ(flip_bit(NumberFormat::fp32, 0.5F, 30), std::ldexp(1.0F, 127));
    EXPECT_TRUE(std::isinf(flip_bit(NumberFormat::fp32, 1.0F, 30)));
    EXPECT_TRUE(std::isnan(flip_bit(NumberFormat::fp32, 1.5F, 30)));
    EXPECT_TRUE(std::signbit(flip_bit(NumberFormat::fp32, 0.0F, 31)));
    EXPECT_THROW(flip_bit(NumberFormat::fp32, 1.0F, 32), Error);
}

TEST(FlipBit, IsItsOwnInverse)
{
    for (int bit = 0; bit < 32; ++bit)
    {
        const float value = -0.0371F;
        const float back = flip_bit(NumberFormat::fp32, flip_bit(NumberFormat::fp32, value, bit), bit);
        EXPECT_EQ(std::memcmp(&back, &value, sizeof value), 0) << bit;
    }
}

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
