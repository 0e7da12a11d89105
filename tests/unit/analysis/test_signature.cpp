#include "analysis/signature.hpp"

#include <gtest/gtest.h>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

TEST(Signature, EliasFanoByHand)
{
    EXPECT_EQ(elias_fano_bits(0, 100), 0U);
    // l = 3: 4 * 3 lower bits; four ones and 32 / 8 + 1 zeros above.
    EXPECT_EQ(elias_fano_bits(4, 32), 12U + 4 + 5);
    EXPECT_EQ(elias_fano_bits(8, 8), 8U + 8 + 1);
    EXPECT_THROW(static_cast<void>(elias_fano_bits(9, 8)), Error);
}

TEST(Signature, RunLengthsByHand)
{
    EXPECT_EQ(run_length_bits({0, 0, 0}), 5U);
    // Gaps 0, 0, 3: with k = 0 1 + 1 + 4, with k = 1 2 + 2 + 3.
    EXPECT_EQ(run_length_bits({1, 1, 0, 0, 0, 1}), 5U + 6);
    // A gap of 7: k = 2: 1 + 1 + 2, k = 3: 0 + 1 + 3.
    EXPECT_EQ(run_length_bits({0, 0, 0, 0, 0, 0, 0, 1}), 5U + 4);
}

TEST(Signature, SizesByHand)
{
    // Two output channels of two input channels with kernels of two; words of eight bits.
    FlaggedLayer layer{{1, 0, 0, 0, 0, 0, 0, 0}, {0, 1, 0, 0, 0, 0, 1, 1}, 8, 2, 2};
    const std::vector<SignatureSize> sizes = signature_sizes({layer});
    ASSERT_EQ(sizes.size(), 5U);
    EXPECT_EQ(sizes[0].encoding, "raw");
    EXPECT_EQ(sizes[0].bits, 8U);
    EXPECT_EQ(sizes[0].check_bits, 8U);
    EXPECT_EQ(sizes[0].parity_bits, 4U);
    EXPECT_EQ(sizes[0].flagged_share, 0.125);
    EXPECT_DOUBLE_EQ(sizes[0].total_overhead, 100.0 * 20 / 64);
    EXPECT_EQ(sizes[1].encoding, "elias_fano");
    EXPECT_EQ(sizes[1].bits, 1 + elias_fano_bits(1, 8));
    EXPECT_EQ(sizes[2].bits, 1 + 5 + 1U);
    // The cell of output 0, input 0 and the positive sign has one parameter only.
    EXPECT_EQ(sizes[3].encoding, "cells");
    EXPECT_EQ(sizes[3].bits, 8U);
    EXPECT_EQ(sizes[3].parity_bits, 4U);
    EXPECT_EQ(sizes[4].encoding, "channels");
    EXPECT_EQ(sizes[4].bits, 2U);
    EXPECT_EQ(sizes[4].flagged_share, 0.5);
    EXPECT_EQ(sizes[4].parity_bits, 16U);
    layer.negative.clear();
    EXPECT_EQ(signature_sizes({layer}).size(), 4U);
    layer.channels = 3;
    EXPECT_THROW(static_cast<void>(signature_sizes({layer})), Error);
}

}  // namespace
}  // namespace flipstorm
