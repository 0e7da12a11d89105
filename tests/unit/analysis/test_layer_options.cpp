#include "analysis/layer_options.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "analysis/layer_plan.hpp"
#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"
#include "engine/memory/number_format.hpp"

namespace flipstorm
{
namespace
{

/// Normal weights of that deviation in a format; of whole numbers with seven digits behind the point.
StoredTensor random_weights(NumberFormat format, std::size_t count, double deviation)
{
    RandomStream random(23, RandomPurpose::test, count);
    std::vector<float> values;
    for (std::size_t i = 0; i < count; ++i)
        values.push_back(static_cast<float>(deviation * random.normal()));
    const FormatTraits& traits = format_traits(format);
    SharedValues scales;
    if (traits.scaling != Scaling::none) scales = std::vector<float>{std::ldexp(1.0F, 1 - traits.bits)};
    return StoredTensor({static_cast<std::int64_t>(count)}, values, traits, scales);
}

/// Risk that doubles with every bit; the upper limits are a little more.
LayerRisk doubling_risk(std::uint64_t weights, int bits)
{
    LayerRisk risk{weights, {}, {}};
    for (int bit = 0; bit < bits; ++bit)
    {
        risk.of_bit.push_back(std::ldexp(static_cast<double>(weights) / 4, bit - bits));
        risk.of_bit_high.push_back(risk.of_bit.back() + 0.5);
    }
    return risk;
}

const std::vector<NumberFormat>& formats()
{
    static const std::vector<NumberFormat> all{
        NumberFormat::fp32,     NumberFormat::fp16,     NumberFormat::bf16,
        NumberFormat::fp8_e4m3, NumberFormat::fp8_e5m2, NumberFormat::fxp32,
        NumberFormat::fxp16,    NumberFormat::fxp8,     NumberFormat::int8};
    return all;
}

TEST(LayerOptions, RiskLeftByHand)
{
    const std::vector<double> of_bit{1, 2, 3, 4, 5, 6, 7, 8};
    const auto left = [&](const LayerCode& code, const UpsetRates& upsets = {}) {
        return risk_left(10, of_bit, code, upsets);
    };
    EXPECT_EQ(left({"none"}), 36);
    EXPECT_EQ(left({"forced", 0x83, 0x01}), 36 - 8 - 2 - 1);
    // The sign moves as far as the lowest copy does.
    EXPECT_EQ(left({"copies", 0, 0, std::nullopt, 0, 1, 0, OnDetected::keep, 0x60}), 15 + 6);
    const LayerCode sec{"sec", 0, 0, CodeKind::hamming_sec, 0xC0, 5};
    EXPECT_EQ(left(sec), 21);
    // Two code words of ten bits and four check bits: 91 pairs, as bad as three covered bits of 15 / 20.
    EXPECT_NEAR(left(sec, {0.001, 0}), 21 + 2 * 91 * 0.001 * 1, 1e-12);
    EXPECT_NEAR(left({"ded", 0, 0, CodeKind::hsiao_sec_ded, 0x01, 5}, {0.001, 0}),
                35 + 2 * 45 * 0.001 * 2 * (1.0 / 10), 1e-12);
    // Neighbours: bits 6 and 7 of a word, or two of the four check bits, taken for a data bit of 15 / 20.
    EXPECT_NEAR(left(sec, {0, 0.1}), 21 + 0.1 * (15 + 2 * 3 * 0.75), 1e-12);
    LayerCode interleaved = sec;
    interleaved.interleaved = true;
    EXPECT_NEAR(left(interleaved, {0, 0.1}), 21 + 0.1 * 4 * 3 * 0.75, 1e-12);
    interleaved.code = CodeKind::hsiao_sec_ded;
    EXPECT_NEAR(left(interleaved, {0, 0.1}), 21, 1e-12);
    interleaved.code = CodeKind::hamming_sec;
    // Four code words of five bits and four check bits, of 36 pairs each.
    EXPECT_NEAR(left(interleaved, {0.001, 0}), 21 + 4 * 36 * 0.001 * 1, 1e-12);
    const LayerCode tmr{"tmr", 0, 0, CodeKind::triplication, 0x80};
    EXPECT_NEAR(left(tmr, {0.001, 0.5}), 28 + 10 * 3 * 0.001 * 1, 1e-12);
    // The top bit of a word and the lowest of the next one: four of five words have one behind them.
    const LayerCode ends{"ends", 0, 0, CodeKind::hsiao_sec_ded, 0x81, 5};
    EXPECT_NEAR(left(ends, {0, 0.1}), 27 + 0.1 * 9 * 0.8, 1e-12);
    // Three bits of parity, each of which makes a zero of the word: as bad as the step of bit 5.
    const LayerCode parity{"parity", 0, 0, CodeKind::parity, 0x98, 1, 0x40, OnDetected::zero, 0x60};
    EXPECT_EQ(left(parity), 1 + 2 + 3 + 4 * 6);
    EXPECT_TRUE(std::isinf(zero_risk(of_bit, {"none"})));
}

TEST(LayerOptions, EqualBitsByHand)
{
    const auto floats = [](const std::vector<float>& values) {
        return StoredTensor({static_cast<std::int64_t>(values.size())}, values);
    };
    // Exponents 0x7E and 0x7B: bit 30 is 0, bits 29 to 26 are 1, bit 25 differs.
    const LayerCode two = equal_bits(floats({0.5F, -0.0625F}));
    EXPECT_EQ(two.forced, 0x7C000000U);
    EXPECT_EQ(two.forced_value, 0x3C000000U);
    EXPECT_EQ(two.copies, 0U);
    // A zero has nothing in common with them but bit 30; as the smallest number with the five bits it is
    // 2^-7.
    const StoredTensor with_zero = floats({0.5F, -0.0625F, 0});
    EXPECT_EQ(equal_bits(with_zero).forced, 0x40000000U);
    EXPECT_EQ(equal_bits(with_zero).forced_value, 0U);
    const LayerCode wide = equal_bits(with_zero, 4);
    EXPECT_EQ(wide.forced, 0x7C000000U);
    EXPECT_EQ(wide.forced_value, 0x3C000000U);
    EXPECT_NEAR(golden_change(with_zero, wide), std::ldexp(1.0, -7) / std::sqrt(0.25 + 1.0 / 256), 1e-9);
    EXPECT_EQ(golden_change(with_zero, equal_bits(with_zero)), 0);

    const StoredTensor whole({3}, std::vector<float>{0.2F, -0.25F, 0.1F}, format_traits(NumberFormat::fxp8),
                             std::vector<float>{1.0F / 128});
    EXPECT_EQ(equal_bits(whole).copies, 0x60U);  // -32 … 26 of 128
    EXPECT_EQ(equal_bits(whole).forced, 0U);
    EXPECT_EQ(equal_bits(whole, 1).copies, 0x70U);
    const StoredTensor large({2}, std::vector<float>{0.7F, 0}, format_traits(NumberFormat::fxp8),
                             std::vector<float>{1.0F / 128});
    EXPECT_EQ(equal_bits(large).copies, 0U);
}

// Every bit of the memory is upset once; what reads otherwise then is the risk that is left.
TEST(LayerOptions, TheMemoryLeavesTheRiskThatIsPredicted)
{
    for (const NumberFormat format : formats())
    {
        const StoredTensor weights = random_weights(format, 150, 0.1);
        const std::vector<std::uint32_t> words = words_of(weights);
        const int bits = weights.traits().bits;
        const LayerRisk risk = doubling_risk(weights.size(), bits);
        const auto options = layer_options(risk, &weights, {{}, 0.05});
        ASSERT_FALSE(options.empty());
        EXPECT_EQ(options.front().extra_bits, 0U);
        EXPECT_NEAR(options.back().risk, 0, 1e-4) << weights.traits().name;
        for (const LayerOption& option : options)
        {
            SCOPED_TRACE(weights.traits().name + ": " + option.code.name);
            ProtectedWords memory(option.code, bits, words);
            EXPECT_EQ(memory.bits() - memory.data_bits(), option.extra_bits);
            const auto golden = memory.decode();
            EXPECT_EQ(golden, golden_words(option.code, bits, words));
            double left = 0;
            for (std::uint64_t bit = 0; bit < memory.bits(); ++bit)
            {
                memory.flip(bit);
                const ProtectedWords::Block block = memory.decode_block_of(bit);
                memory.flip(bit);
                for (std::size_t i = 0; i < block.words.size(); ++i)
                {
                    const std::uint32_t difference = block.words[i] ^ golden[block.first + i];
                    if (difference == 0) continue;
                    // One bit, or a sign with its copies.
                    int lowest = 0;
                    while ((difference >> static_cast<unsigned>(lowest) & 1U) == 0)
                        ++lowest;
                    left +=
                        risk.of_bit[static_cast<std::size_t>(lowest)] / static_cast<double>(weights.size());
                }
            }
            if (option.code.on_detected == OnDetected::zero) continue;
            EXPECT_NEAR(left, option.risk,
                        1e-6 * std::accumulate(risk.of_bit.begin(), risk.of_bit.end(), 0.0));
        }
    }
}

TEST(LayerOptions, EachIsSaferThanTheCheaperOnesAndKeepsTheRules)
{
    for (const NumberFormat format : formats())
    {
        const StoredTensor weights = random_weights(format, 3000, 0.1);
        const LayerRisk risk = doubling_risk(weights.size(), weights.traits().bits);
        for (const double max_change : {0.0, 0.001, 0.1})
        {
            const auto options = layer_options(risk, &weights, {{1e-6, 0.05}, max_change});
            for (std::size_t i = 0; i < options.size(); ++i)
            {
                EXPECT_LE(options[i].change, max_change);
                EXPECT_EQ(options[i].change, golden_change(weights, options[i].code));
                if (i == 0) continue;
                EXPECT_GT(options[i].extra_bits, options[i - 1].extra_bits);
                EXPECT_LT(options[i].risk, options[i - 1].risk);
            }
        }
    }
}

// What the literature reaches: all of fp32, and bytes of small weights, without a bit of memory.
TEST(LayerOptions, SpareBitsHoldTheCodeOfAllOthers)
{
    const StoredTensor floats = random_weights(NumberFormat::fp32, 2000, 0.05);
    const auto of_floats = layer_options(doubling_risk(2000, 32), &floats, {{}, 0});
    EXPECT_EQ(of_floats.front().extra_bits, 0U);
    EXPECT_EQ(of_floats.front().change, 0);
    EXPECT_LT(of_floats.front().risk, 1e-6 * 2000);
    // |w| < 0.5: one bit of eight is the sign's copy, eight of them hold a code over 56 bits.
    const StoredTensor bytes = random_weights(NumberFormat::fxp8, 2000, 0.1);
    ASSERT_EQ(equal_bits(bytes).copies, 0x40U);
    const auto of_bytes = layer_options(doubling_risk(2000, 8), &bytes, {{}, 0});
    EXPECT_EQ(of_bytes.front().extra_bits, 0U);
    EXPECT_EQ(of_bytes.front().risk, 0);
    // Without its words nothing is spare.
    const auto blind = layer_options(doubling_risk(2000, 8), nullptr, {{}, 0});
    EXPECT_EQ(blind.front().code.name, "as it is");
    for (const LayerOption& option : blind)
        EXPECT_EQ(option.code.forced | option.code.copies | option.code.check_places, 0U);
    EXPECT_NEAR(blind.back().risk, 0, 1e-3);
}

TEST(LayerOptions, RefusesWhatDoesNotFit)
{
    const StoredTensor words = random_weights(NumberFormat::fp32, 10, 0.1);
    EXPECT_THROW(static_cast<void>(layer_options(doubling_risk(10, 8), &words, {})), Error);
    EXPECT_THROW(static_cast<void>(layer_options(doubling_risk(11, 32), &words, {})), Error);
    EXPECT_THROW(static_cast<void>(layer_options({10, {}, {}}, nullptr, {})), Error);
    EXPECT_THROW(static_cast<void>(plan_layers({doubling_risk(10, 32)}, {words, words}, {}, {})), Error);
}

// All ways to put options of three layers together.
TEST(LayerPlan, IsTheCheapestOfAllThatKeepTheBound)
{
    std::vector<StoredTensor> words;
    std::vector<LayerRisk> risks;
    for (const std::size_t count : {40U, 300U, 1500U})
    {
        words.push_back(random_weights(NumberFormat::fxp8, count, 0.3));
        risks.push_back(doubling_risk(count, 8));
    }
    const OptionRules rules{{1e-9, 0}, 0};
    for (const double most_risk : {0.0, 0.001, 1.0, 30.0, 100.0, 1e9})
    {
        const LayerPlan plan = plan_layers(risks, words, rules, {std::nullopt, most_risk});
        std::uint64_t cheapest = std::numeric_limits<std::uint64_t>::max();
        double safest = std::numeric_limits<double>::infinity();
        for (const LayerOption& a : plan.options[0])
        {
            for (const LayerOption& b : plan.options[1])
            {
                for (const LayerOption& c : plan.options[2])
                {
                    const double risk = a.risk + b.risk + c.risk;
                    const std::uint64_t bits = a.extra_bits + b.extra_bits + c.extra_bits;
                    safest = std::min(safest, risk);
                    if (risk <= most_risk) cheapest = std::min(cheapest, bits);
                }
            }
        }
        if (cheapest == std::numeric_limits<std::uint64_t>::max())
            EXPECT_NEAR(plan.chosen.risk, safest, 1e-12);
        else
            EXPECT_EQ(plan.chosen.bits, cheapest) << most_risk;
        // Within the bits first.
        const LayerPlan bounded = plan_layers(risks, words, rules, {100, most_risk});
        EXPECT_LE(bounded.chosen.bits, 100U);
        if (cheapest > 100) continue;
        EXPECT_EQ(bounded.chosen.bits, cheapest);
    }
    const LayerPlan free = plan_layers(risks, words, rules, {0, std::nullopt});
    EXPECT_EQ(free.chosen.bits, 0U);
    EXPECT_EQ(free.chosen.risk, free.front.front().risk);
}

}  // namespace
}  // namespace flipstorm
