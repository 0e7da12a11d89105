#include "engine/memory/stored_tensor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// Whole numbers of a byte, two's complement, times a scale: a format of the tests whose words are not the
/// values, so that what holds for such formats is tried whatever formats there are.
FormatTraits toy_format(Scaling scaling)
{
    FormatTraits traits;
    traits.format = static_cast<NumberFormat>(200);
    traits.name = "toy";
    traits.bits = 8;
    traits.fields = {{BitMeaning::sign, 1}, {BitMeaning::integer, 7}};
    traits.classes = {{"all", 8, 1}};
    traits.scaling = scaling;
    traits.encode = [](float value, float scale) {
        const long code =
            std::clamp(std::lrint(static_cast<double>(value) / static_cast<double>(scale)), -128L, 127L);
        return static_cast<std::uint32_t>(code) & 0xFFU;
    };
    traits.decode = [](std::uint32_t word, float scale) {
        return static_cast<float>(word < 128 ? static_cast<int>(word) : static_cast<int>(word) - 256) * scale;
    };
    return traits;
}

const FormatTraits kToy = toy_format(Scaling::any);
const FormatTraits kFixed = toy_format(Scaling::power_of_two);

float flipped(float value, int bit)
{
    return StoredTensor({1}, {value}).faulty_value(0, bit_flip(bit));
}

TEST(StoredTensor, FaultsOfBinary32)
{
    EXPECT_EQ(flipped(1.0F, 31), -1.0F);
    EXPECT_EQ(flipped(1.0F, 23), 0.5F);
    EXPECT_EQ(flipped(1.0F, 22), 1.5F);
    EXPECT_EQ(flipped(1.0F, 0), 1.0F + std::numeric_limits<float>::epsilon());
    EXPECT_EQ(flipped(0.5F, 30), std::ldexp(1.0F, 127));
    EXPECT_TRUE(std::isinf(flipped(1.0F, 30)));
    EXPECT_TRUE(std::isnan(flipped(1.5F, 30)));
    EXPECT_TRUE(std::signbit(flipped(0.0F, 31)));
    EXPECT_THROW(flipped(1.0F, 32), Error);
    const StoredTensor one({1}, {1.0F});
    EXPECT_EQ(one.faulty_value(0, {1U << 23U | 1U << 31U, BitEffect::flipped}), -0.5F);
    EXPECT_EQ(one.faulty_value(0, {1U << 23U, BitEffect::stuck_at_1}), 1.0F);
    EXPECT_EQ(one.faulty_value(0, {1U << 23U, BitEffect::stuck_at_0}), 0.5F);
}

TEST(StoredTensor, AFlipIsItsOwnInverse)
{
    const float value = -0.0371F;
    for (int bit = 0; bit < 32; ++bit)
    {
        StoredTensor tensor({1}, {value});
        tensor.set_value(0, tensor.faulty_value(0, bit_flip(bit)));
        const float back = tensor.faulty_value(0, bit_flip(bit));
        EXPECT_EQ(std::memcmp(&back, &value, sizeof value), 0) << bit;
    }
}

TEST(StoredTensor, OfFloatsHoldsOneArrayThatCopiesShare)
{
    const SharedValues values{1.5F, -2.0F, 0.0F, 4.0F};
    StoredTensor tensor({2, 2}, values);
    EXPECT_EQ(tensor.values().data(), values.data());
    EXPECT_EQ(tensor.word(1), 0xC0000000U);
    const StoredTensor copy = tensor;
    EXPECT_EQ(copy.values().data(), tensor.values().data());
    tensor.set_word(1, 0xC0400000U);
    EXPECT_EQ(tensor.values()[1], -3.0F);
    EXPECT_EQ(copy.values()[1], -2.0F);
    EXPECT_EQ(values[1], -2.0F);
    EXPECT_EQ(StoredTensor().size(), 0U);
    EXPECT_EQ(StoredTensor().format(), NumberFormat::fp32);
}

TEST(StoredTensor, OfOtherWordsReadsWhatTheyAre)
{
    StoredTensor tensor({2, 2}, {0.26F, -0.74F, 100.0F, -100.0F}, kFixed, {0.5F});
    EXPECT_EQ(tensor.values(), (std::vector<float>{0.5F, -0.5F, 63.5F, -64.0F}));
    EXPECT_EQ(tensor.word(0), 0x01U);
    EXPECT_EQ(tensor.word(1), 0xFFU);
    EXPECT_EQ(tensor.word(2), 0x7FU);
    EXPECT_EQ(tensor.word(3), 0x80U);
    EXPECT_EQ(tensor.decoded(0, 0x82U), -63.0F);
    EXPECT_EQ(tensor.faulty_value(0, bit_flip(7)), -63.5F);
    EXPECT_THROW(static_cast<void>(tensor.faulty_value(0, bit_flip(8))), Error);

    const StoredTensor copy = tensor;
    tensor.set_word(0, 0x03U);
    tensor.set_value(1, 2.1F);
    EXPECT_EQ(tensor.values(), (std::vector<float>{1.5F, 2.0F, 63.5F, -64.0F}));
    EXPECT_EQ(tensor.word(1), 4U);
    EXPECT_EQ(copy.word(0), 0x01U);
    EXPECT_EQ(copy.values()[1], -0.5F);
    tensor.set_values({3, 1, 0.24F, -0.26F});
    EXPECT_EQ(tensor.values(), (std::vector<float>{3, 1, 0, -0.5F}));
    EXPECT_EQ(tensor.word(3), 0xFFU);
}

TEST(StoredTensor, ScalesOfOutputChannels)
{
    const StoredTensor tensor({2, 3}, {1, 2, 3, 1, 2, 3}, kToy, {1.0F, 0.25F});
    EXPECT_EQ(tensor.word(2), 3U);
    EXPECT_EQ(tensor.word(3), 4U);
    EXPECT_EQ(tensor.word(5), 12U);
    EXPECT_EQ(tensor.faulty_value(5, bit_flip(0)), 3.25F);
    const StoredTensor read = StoredTensor::of_words({2, 3}, {1, 2, 3, 4, 8, 12}, kToy, {1.0F, 0.25F});
    EXPECT_EQ(read.values(), tensor.values());
    EXPECT_EQ(read.word(4), 8U);
    EXPECT_EQ(read.words(), (std::vector<std::uint32_t>{1, 2, 3, 4, 8, 12}));
    const StoredTensor empty = StoredTensor::of_words({0, 3}, {}, kToy, {1.0F});
    EXPECT_EQ(empty.size(), 0U);
}

TEST(StoredTensor, OfFloatsCanBeReadFromWords)
{
    const StoredTensor read =
        StoredTensor::of_words({2}, {0x3F800000U, 0xC0000000U}, format_traits(NumberFormat::fp32));
    EXPECT_EQ(read.values(), (std::vector<float>{1, -2}));
    EXPECT_TRUE(read.words().empty());
    EXPECT_EQ(read.word(1), 0xC0000000U);
}

TEST(ScalesProblem, SaysWhatWouldBeRight)
{
    const FormatTraits& fp16 = format_traits(NumberFormat::fp16);
    EXPECT_EQ(scales_problem(fp16, {}, {2, 2}), "");
    EXPECT_EQ(scales_problem(fp16, {1}, {2, 2}), "1 scales for fp16 of shape [2, 2]; none would be right");
    EXPECT_EQ(scales_problem(kFixed, {0.25F}, {2, 2}), "");
    EXPECT_EQ(scales_problem(kFixed, {0.25F, 0.25F}, {2, 2}),
              "2 scales for toy of shape [2, 2]; one would be right");
    EXPECT_EQ(scales_problem(kFixed, {0.3F}, {2}), "scale 0 is 0.3; the scale of toy is a power of two");
    EXPECT_EQ(scales_problem(kToy, {1, 2, 3}, {2, 2}),
              "3 scales for toy of shape [2, 2]; one, or one of each output channel, would be right");
    EXPECT_EQ(scales_problem(kToy, {1, 0}, {2}), "scale 1 is 0; a scale is finite and above 0");
    EXPECT_NE(scales_problem(kToy, {std::numeric_limits<float>::infinity()}, {2}), "");
}

TEST(StoredTensor, RefusesWhatDoesNotFit)
{
    EXPECT_THROW(StoredTensor({2}, {1.0F}), Error);
    EXPECT_THROW(StoredTensor({-1}, {}), Error);
    EXPECT_THROW(StoredTensor({1}, {1.0F}, format_traits(NumberFormat::fp32), {1.0F}), Error);
    EXPECT_THROW(StoredTensor({1}, {1.0F}, kFixed), Error);
    EXPECT_THROW(StoredTensor({1}, {1.0F}, kFixed, {0.3F}), Error);
    EXPECT_THROW(StoredTensor({2, 1}, {1.0F, 1.0F}, kFixed, {0.5F, 0.5F}), Error);
    EXPECT_THROW(StoredTensor({2, 2}, {1, 1, 1, 1}, kToy, {0.5F, 0.5F, 0.5F}), Error);
    EXPECT_THROW(StoredTensor({1}, {1.0F}, kToy, {0.0F}), Error);
    EXPECT_THROW(StoredTensor({1}, {1.0F}, kToy, {std::nanf("")}), Error);
    EXPECT_THROW(static_cast<void>(StoredTensor::of_words({1}, {256}, kToy, {1.0F})), Error);
    StoredTensor tensor({1}, {1.0F}, kToy, {1.0F});
    EXPECT_THROW(tensor.set_word(1, 0), Error);
    EXPECT_THROW(tensor.set_word(0, 256), Error);
    EXPECT_THROW(tensor.set_value(1, 0), Error);
    EXPECT_THROW(tensor.set_values({1, 2}), Error);
}

}  // namespace
}  // namespace flipstorm
