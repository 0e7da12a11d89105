#include "engine/memory/codes/layer_code.hpp"

#include <gtest/gtest.h>

#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"

namespace flipstorm
{
namespace
{

std::vector<std::uint32_t> random_words(int bits, std::size_t count, std::uint32_t equal_mask = 0,
                                        std::uint32_t equal_value = 0)
{
    RandomStream random(17, RandomPurpose::test, static_cast<std::uint64_t>(bits));
    std::vector<std::uint32_t> words;
    for (std::size_t i = 0; i < count; ++i)
    {
        const auto word =
            static_cast<std::uint32_t>(random.below(std::uint64_t{1} << static_cast<unsigned>(bits)));
        words.push_back((word & ~equal_mask) | equal_value);
    }
    return words;
}

struct Case
{
    LayerCode code;
    int word_bits;
};

/// Ways of all kinds: by word and by groups, whole words and parts of them, beside and within.
std::vector<Case> cases()
{
    return {
        {{"none"}, 8},
        {{"constant", 0x40000000, 0}, 32},
        {{"constant of both values", 0x43, 0x41}, 8},
        {{"sec", 0, 0, CodeKind::hamming_sec, 0xFF}, 8},
        {{"sec of a part", 0, 0, CodeKind::hamming_sec, 0xFF800000}, 32},
        {{"sec of 64 bits", 0, 0, CodeKind::hamming_sec, 0xFF, 8}, 8},
        {{"sec-ded of 64 bits", 0, 0, CodeKind::hsiao_sec_ded, 0xFFFFFFFF, 2}, 32},
        {{"sec-ded of parts", 0x40000000, 0, CodeKind::hsiao_sec_ded, 0xBF800000, 7}, 32},
        {{"tmr of two bits", 0, 0, CodeKind::triplication, 0xC0}, 8},
        {{"parity and zero", 0, 0, CodeKind::parity, 0xFF, 1, 0, OnDetected::zero}, 8},
        {{"sec in the word", 0x4000000F, 0, CodeKind::hamming_sec, 0xBF800000, 1, 0xF}, 32},
        {{"sec-ded in the word", 0x1F, 0, CodeKind::hsiao_sec_ded, 0xFFC00000, 1, 0x1F}, 32},
        {{"parity in a constant bit", 0x40000000, 0, CodeKind::parity, 0xBF800000, 1, 0x40000000,
          OnDetected::zero},
         32},
        {{"repeated in the word", 0x3F, 0, CodeKind::triplication, 0x70000000, 1, 0x3F}, 32},
    };
}

TEST(LayerCode, ReadsBackWhatWasWritten)
{
    for (const Case& each : cases())
    {
        for (const std::size_t count : {1U, 7U, 64U})
        {
            const auto words = random_words(each.word_bits, count);
            const ProtectedWords memory(each.code, each.word_bits, words);
            DecodedCounts counts;
            EXPECT_EQ(memory.decode(&counts), golden_words(each.code, words)) << each.code.name;
            EXPECT_EQ(counts.corrected + counts.detected, 0U);
            EXPECT_EQ(memory.bits(),
                      count * static_cast<unsigned>(each.word_bits) + extra_bits(each.code, count));
        }
    }
}

// Every bit of the memory, data, check or forced: what a single upset leaves.
TEST(LayerCode, EverySingleUpsetIsWhatTheCodeSays)
{
    for (const Case& each : cases())
    {
        const LayerCode& code = each.code;
        const auto words = random_words(each.word_bits, 19);
        const auto golden = golden_words(code, words);
        for (std::uint64_t bit = 0; bit < ProtectedWords(code, each.word_bits, words).bits(); ++bit)
        {
            ProtectedWords memory(code, each.word_bits, words);
            memory.flip(bit);
            const auto found = memory.decode();
            const bool data = bit < memory.data_bits();
            const auto word = static_cast<std::size_t>(bit / static_cast<unsigned>(each.word_bits));
            const std::uint32_t mask =
                data ? std::uint32_t{1} << static_cast<unsigned>(bit % static_cast<unsigned>(each.word_bits))
                     : 0;
            auto expected = golden;
            const bool corrects = code.code && code_traits(*code.code).corrects > 0;
            const bool checked = (mask & (code.covered | code.check_places)) != 0 || !data;
            if (checked && code.code && !corrects)
            {
                const std::size_t first = data ? word : static_cast<std::size_t>(bit - memory.data_bits());
                if (code.on_detected == OnDetected::zero) expected[first] = 0;
            }
            else if ((mask & ~code.forced & ~code.covered) != 0)
            {
                expected[word] ^= mask;
            }
            ASSERT_EQ(found, expected) << code.name << ", bit " << bit;
            // The group alone says the same.
            const ProtectedWords::Group group = memory.decode_group_of(bit);
            for (std::size_t i = 0; i < group.words.size(); ++i)
                ASSERT_EQ(group.words[i], found[group.first + i]);
            EXPECT_EQ(group.verdict != Verdict::clean, checked && code.code.has_value()) << code.name;
        }
    }
}

TEST(LayerCode, SizesAndCostsByHand)
{
    const LayerCode sec{"sec", 0, 0, CodeKind::hamming_sec, 0xFFFFFFFF, 2};
    EXPECT_EQ(data_bits(sec), 64);
    EXPECT_EQ(check_bits(sec), 7);
    EXPECT_EQ(extra_bits(sec, 5), 3U * 7);
    const LayerCode ded{"sec_ded", 0, 0, CodeKind::hsiao_sec_ded, 0xFFFFFFFF, 2};
    EXPECT_EQ(extra_bits(ded, 4), 2U * 8);
    EXPECT_DOUBLE_EQ(xors_per_word(ded), (56 * 3 + 8 * 5) / 2.0);
    EXPECT_EQ(extra_bits({"constant", 1, 0}, 100), 0U);
    EXPECT_EQ(xors_per_word({"constant", 1, 0}), 0);
    const LayerCode within{"within", 0xF, 0, CodeKind::hamming_sec, 0xFF0, 1, 0xF};
    EXPECT_EQ(extra_bits(within, 100), 0U);
}

TEST(LayerCode, RefusesWhatDoesNotGoTogether)
{
    const auto refuses = [](const LayerCode& code, int bits) {
        EXPECT_THROW(require_possible(code, bits), Error) << code.name;
    };
    refuses({"forced and covered", 1, 0, CodeKind::hamming_sec, 3}, 8);
    refuses({"beyond the word", 0, 0, CodeKind::hamming_sec, 0x1FF}, 8);
    refuses({"a value of no forced bit", 1, 2}, 8);
    refuses({"a code over nothing", 0, 0, CodeKind::hamming_sec, 0}, 8);
    refuses({"bits under no code", 0, 0, std::nullopt, 1}, 8);
    refuses({"too many bits", 0, 0, CodeKind::hamming_sec, 0xFFFFFFFF, 3}, 32);
    refuses({"too few places", 7, 0, CodeKind::hamming_sec, 0xF8, 1, 7}, 8);
    refuses({"places that are not forced", 0, 0, CodeKind::parity, 0xFE, 1, 1}, 8);
    refuses({"a group in a word", 1, 0, CodeKind::parity, 0xFE, 2, 1}, 8);
    EXPECT_THROW(ProtectedWords({"none"}, 8, {256}), Error);
    ProtectedWords memory({"none"}, 8, {255});
    EXPECT_THROW(memory.flip(8), Error);
}

}  // namespace
}  // namespace flipstorm
