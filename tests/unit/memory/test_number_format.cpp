#include "engine/memory/number_format.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"
#include "engine/memory/bit_class.hpp"

namespace flipstorm
{
namespace
{

/// Every word of a format of up to 16 bits; of a longer one, those with one or two bits set or cleared, and
/// 100,000 random ones.
std::vector<std::uint32_t> words_of(const FormatTraits& traits)
{
    const std::uint64_t end = std::uint64_t{1} << static_cast<unsigned>(traits.bits);
    std::vector<std::uint32_t> words;
    if (traits.bits <= 16)
    {
        for (std::uint64_t word = 0; word < end; ++word)
            words.push_back(static_cast<std::uint32_t>(word));
        return words;
    }
    for (int a = 0; a < traits.bits; ++a)
    {
        for (int b = a; b < traits.bits; ++b)
        {
            const std::uint64_t mask =
                std::uint64_t{1} << static_cast<unsigned>(a) | std::uint64_t{1} << static_cast<unsigned>(b);
            words.push_back(static_cast<std::uint32_t>(mask));
            words.push_back(static_cast<std::uint32_t>(end - 1 - mask));
        }
    }
    RandomStream random(1, RandomPurpose::test, 0);
    for (int i = 0; i < 100'000; ++i)
        words.push_back(static_cast<std::uint32_t>(random.below(end)));
    return words;
}

/// A scale that a format may have: not 1 where it may be another.
float scale_for(const FormatTraits& traits)
{
    switch (traits.scaling)
    {
        case Scaling::none:
            return 1;
        case Scaling::power_of_two:
            return 0.0078125F;
        case Scaling::any:
            return traits.bits == 32 ? 0.25F : 0.0123F;  // floats of the longer words' digits
    }
    return 0;
}

class EveryFormat : public ::testing::TestWithParam<NumberFormat>
{
  protected:
    const FormatTraits& traits_ = format_traits(GetParam());
    const float scale_ = scale_for(traits_);
};

TEST_P(EveryFormat, HasAWholeRow)
{
    EXPECT_EQ(traits_.format, GetParam());
    EXPECT_TRUE(traits_.bits == 8 || traits_.bits == 16 || traits_.bits == 32) << traits_.bits;
    ASSERT_NE(traits_.encode, nullptr);
    ASSERT_NE(traits_.decode, nullptr);
    EXPECT_EQ(find_format(traits_.name), &traits_);
    if (traits_.of_weights)
    {
        EXPECT_EQ(number_format(traits_.name), GetParam());
    }
    EXPECT_EQ(to_string(GetParam()), traits_.name);
    EXPECT_EQ(word_bits(GetParam()), traits_.bits);
    int bits = 0;
    for (const BitField& field : traits_.fields)
    {
        EXPECT_GT(field.bits, 0);
        bits += field.bits;
    }
    EXPECT_EQ(bits, traits_.bits);
    EXPECT_EQ(traits_.fields.front().meaning, BitMeaning::sign);
    EXPECT_EQ(traits_.fields.front().bits, 1);
}

TEST_P(EveryFormat, HasItsBitsInClasses)
{
    const BitClasses classes = bit_classes(GetParam());
    ASSERT_EQ(classes.of_bit.size(), static_cast<std::size_t>(traits_.bits));
    ASSERT_EQ(classes.followed.size(), classes.size());
    std::set<std::size_t> used;
    for (std::size_t bit = 0; bit < classes.of_bit.size(); ++bit)
    {
        used.insert(classes.of_bit[bit]);
        EXPECT_LE(classes.of_bit[bit], classes.of_bit[bit > 0 ? bit - 1 : 0]);
    }
    EXPECT_EQ(used.size(), classes.size());
    EXPECT_EQ(std::set<std::string>(classes.names.begin(), classes.names.end()).size(), classes.size());
    for (const double share : classes.followed)
        EXPECT_TRUE(share > 0 && share <= 1) << share;
}

/// Whether a float holds all digits of a word; not of a whole number beyond 2^24.
bool reads_exactly(const FormatTraits& traits, std::uint32_t word, float scale)
{
    if (!traits.whole_numbers) return true;
    return static_cast<double>(traits.decode(word, scale)) ==
           static_cast<double>(whole_number(word, traits.bits)) * static_cast<double>(scale);
}

// A word that reads as a number is the word of that number, and the number of its value again.
TEST_P(EveryFormat, WordsComeBack)
{
    std::size_t finite = 0;
    for (const std::uint32_t word : words_of(traits_))
    {
        const float value = traits_.decode(word, scale_);
        if (!std::isfinite(value) || !reads_exactly(traits_, word, scale_)) continue;
        ++finite;
        EXPECT_EQ(traits_.encode(value, scale_), word) << traits_.name << std::hex << " " << word;
    }
    EXPECT_GT(finite, std::size_t{90});
}

// No neighbour is nearer; of two that are as near, the even one is taken.
TEST_P(EveryFormat, EncodesToTheNearest)
{
    const std::uint64_t end = std::uint64_t{1} << static_cast<unsigned>(traits_.bits);
    RandomStream random(2, RandomPurpose::test, 0);
    for (int i = 0; i < 20'000; ++i)
    {
        const auto value = static_cast<float>(random.normal() * 0.3);
        const std::uint32_t word = traits_.encode(value, scale_);
        ASSERT_LT(word, end);
        const double error =
            std::abs(static_cast<double>(traits_.decode(word, scale_)) - static_cast<double>(value));
        for (const std::uint64_t step : {end - 1, std::uint64_t{1}})
        {
            const auto neighbour = static_cast<std::uint32_t>((word + step) & (end - 1));
            const double other =
                std::abs(static_cast<double>(traits_.decode(neighbour, scale_)) - static_cast<double>(value));
            if (std::isnan(other)) continue;
            EXPECT_TRUE(error < other || (error == other && (word & 1U) == 0))
                << traits_.name << " " << value;
        }
    }
}

// Half way between two neighbours, where a float lies there (of fp32 none does).
TEST_P(EveryFormat, TiesGoToTheEvenWord)
{
    const float scale = traits_.scaling == Scaling::none ? 1.0F : 0.25F;  // ties are exact
    std::size_t ties = 0;
    for (const std::uint32_t word : words_of(traits_))
    {
        const auto next = static_cast<std::uint32_t>(
            (word + std::uint64_t{1}) & ((std::uint64_t{1} << static_cast<unsigned>(traits_.bits)) - 1));
        if (!reads_exactly(traits_, word, scale) || !reads_exactly(traits_, next, scale)) continue;
        const double low = traits_.decode(word, scale);
        const double high = traits_.decode(next, scale);
        const double middle = (low + high) / 2;
        if (!std::isfinite(middle) || traits_.encode(static_cast<float>(high), scale) != next) continue;
        if (std::signbit(low) != std::signbit(high) ||
            static_cast<double>(static_cast<float>(middle)) != middle || middle - low != high - middle)
        {
            continue;
        }
        ++ties;
        EXPECT_EQ(traits_.encode(static_cast<float>(middle), scale), (word & 1U) == 0 ? word : next)
            << traits_.name << " " << middle;
    }
    EXPECT_EQ(ties > 0, !traits_.words_are_values);
}

TEST_P(EveryFormat, SaturatesAndIsOdd)
{
    for (const float value : {0.25F, 0.7F, 1.0F, 1e6F, std::numeric_limits<float>::max()})
    {
        const float positive = traits_.decode(traits_.encode(value, scale_), scale_);
        const float negative = traits_.decode(traits_.encode(-value, scale_), scale_);
        EXPECT_TRUE(std::isfinite(positive) && std::isfinite(negative)) << traits_.name << " " << value;
        EXPECT_GT(positive, 0);
        EXPECT_LT(negative, 0);
        EXPECT_LE(positive, value * 1.1F);
    }
    EXPECT_EQ(traits_.decode(traits_.encode(0, scale_), scale_), 0);
}

INSTANTIATE_TEST_SUITE_P(Formats, EveryFormat, ::testing::ValuesIn(number_formats()),
                         [](const auto& instance) { return to_string(instance.param); });

TEST(NumberFormat, NamesAreKnownAndOthersAreNot)
{
    const std::vector<std::string> names = number_format_names();
    EXPECT_EQ(names, (std::vector<std::string>{"fp32", "fp16", "bf16", "fp8_e4m3", "fp8_e5m2", "fxp32",
                                               "fxp16", "fxp8", "int8"}));
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
    EXPECT_EQ(names.front(), "fp32");
    try
    {
        static_cast<void>(number_format("fp12"));
        FAIL();
    }
    catch (const JobError& error)
    {
        for (const std::string& name : names)
            EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
    }
    EXPECT_THROW(static_cast<void>(number_format("int32")), JobError) << "of biases alone";
    EXPECT_NE(find_format("int32"), nullptr);
    EXPECT_EQ(find_format("fp12"), nullptr);
    EXPECT_THROW(static_cast<void>(format_traits(static_cast<NumberFormat>(number_formats().size()))), Error);
}

// IEEE 754-2008, 3.4: sign 1, exponent 8 with bias 127, trailing significand 23.
TEST(Fp32, WordsOfTheStandard)
{
    const FormatTraits& fp32 = format_traits(NumberFormat::fp32);
    EXPECT_EQ(fp32.encode(1.0F, 1), 0x3F800000U);
    EXPECT_EQ(fp32.encode(-0.15625F, 1), 0xBE200000U);
    EXPECT_EQ(fp32.encode(-0.0F, 1), 0x80000000U);
    EXPECT_EQ(fp32.decode(0x7F7FFFFFU, 1), std::numeric_limits<float>::max());
    EXPECT_EQ(fp32.decode(0xFF800000U, 1), -std::numeric_limits<float>::infinity());
    EXPECT_EQ(fp32.decode(1, 1), std::numeric_limits<float>::denorm_min());
    EXPECT_TRUE(fp32.floating());
    EXPECT_EQ(fields_text(NumberFormat::fp32), "fp32=sign:1,exponent:8,mantissa:23");
    // The payload of a NaN comes through both ways.
    const float nan = fp32.decode(0x7FC01234U, 1);
    EXPECT_TRUE(std::isnan(nan));
    EXPECT_EQ(fp32.encode(nan, 1), 0x7FC01234U);
}

// IEEE 754-2008, table 3.5: binary16.
TEST(Fp16, WordsOfTheStandard)
{
    const FormatTraits& fp16 = format_traits(NumberFormat::fp16);
    EXPECT_EQ(fp16.encode(1.0F, 1), 0x3C00U);
    EXPECT_EQ(fp16.encode(-2.0F, 1), 0xC000U);
    EXPECT_EQ(fp16.decode(0x7BFFU, 1), 65504.0F);
    EXPECT_EQ(fp16.encode(1e6F, 1), 0x7BFFU);
    EXPECT_EQ(fp16.decode(1, 1), std::ldexp(1.0F, -24));
    EXPECT_EQ(fp16.encode(std::ldexp(1.0F, -25), 1), 0U);
    EXPECT_EQ(fp16.encode(std::ldexp(1.5F, -25), 1), 1U);
    EXPECT_TRUE(std::isinf(fp16.decode(0xFC00U, 1)));
    EXPECT_TRUE(std::isnan(fp16.decode(0x7C01U, 1)));
    EXPECT_EQ(fields_text(NumberFormat::fp16), "fp16=sign:1,exponent:5,mantissa:10");
}

// The upper half of a binary32 word.
TEST(Bf16, IsTheUpperHalfOfBinary32)
{
    const FormatTraits& bf16 = format_traits(NumberFormat::bf16);
    const FormatTraits& fp32 = format_traits(NumberFormat::fp32);
    for (std::uint32_t word = 0; word < 0x10000U; ++word)
    {
        const float value = bf16.decode(word, 1);
        const float upper = fp32.decode(word << 16U, 1);
        if (std::isnan(upper))
            EXPECT_TRUE(std::isnan(value)) << std::hex << word;
        else
            EXPECT_EQ(fp32.encode(value, 1), word << 16U) << std::hex << word;
    }
}

// OCP 8-bit Floating Point Specification, revision 1.0, table 2.
TEST(Fp8, WordsOfTheSpecification)
{
    const FormatTraits& e4m3 = format_traits(NumberFormat::fp8_e4m3);
    const FormatTraits& e5m2 = format_traits(NumberFormat::fp8_e5m2);
    EXPECT_EQ(e4m3.decode(0x7EU, 1), 448.0F);
    EXPECT_EQ(e4m3.decode(0x08U, 1), std::ldexp(1.0F, -6));
    EXPECT_EQ(e4m3.decode(0x01U, 1), std::ldexp(1.0F, -9));
    EXPECT_TRUE(std::isnan(e4m3.decode(0x7FU, 1)) && std::isnan(e4m3.decode(0xFFU, 1)));
    EXPECT_EQ(e4m3.encode(1e9F, 1), 0x7EU);
    EXPECT_EQ(e5m2.decode(0x7BU, 1), 57344.0F);
    EXPECT_EQ(e5m2.decode(0x04U, 1), std::ldexp(1.0F, -14));
    EXPECT_EQ(e5m2.decode(0x01U, 1), std::ldexp(1.0F, -16));
    EXPECT_TRUE(std::isinf(e5m2.decode(0x7CU, 1)));
    for (const std::uint32_t word : {0x7DU, 0x7EU, 0x7FU})
        EXPECT_TRUE(std::isnan(e5m2.decode(word, 1)));
}

// Two's complement, value = code · 2^−(b − 1) with one integer bit.
TEST(FixedPoint, WordsAndTheirFaults)
{
    const FormatTraits& fxp8 = format_traits(NumberFormat::fxp8);
    const float scale = 0.0078125F;
    EXPECT_EQ(fxp8.decode(0x80U, scale), -1.0F);
    EXPECT_EQ(fxp8.decode(0x7FU, scale), 1 - scale);
    EXPECT_EQ(fxp8.encode(1.0F, scale), 0x7FU);
    EXPECT_EQ(fxp8.encode(-3.0F, scale), 0x80U);
    EXPECT_EQ(fxp8.encode(std::nanf(""), scale), 0U);
    EXPECT_EQ(format_traits(NumberFormat::fxp32).encode(-1.0F, std::ldexp(1.0F, -31)), 0x80000000U);
    EXPECT_EQ(whole_number(0xFFFFFFFFU, 32), -1);
    EXPECT_EQ(whole_number(0x8000U, 16), -32768);
    EXPECT_FALSE(fxp8.floating());
    EXPECT_EQ(fields_text(NumberFormat::fxp8), "fxp8=sign:1,fraction:7");
    EXPECT_EQ(fields_text(NumberFormat::int8), "int8=sign:1,integer:7");
}

}  // namespace
}  // namespace flipstorm
