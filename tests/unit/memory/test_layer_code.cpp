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
        {{"copies of the sign", 0, 0, std::nullopt, 0, 1, 0, OnDetected::keep, 0x60}, 8},
        {{"majority of the signs", 0, 0, CodeKind::triplication, 0x80, 1, 0x60, OnDetected::keep, 0x60}, 8},
        {{"sec-ded in copies of eight words", 0, 0, CodeKind::hsiao_sec_ded, 0xBE, 8, 0x40, OnDetected::keep,
          0x40},
         8},
        {{"sec in a low bit of nine words", 0x01, 0x01, CodeKind::hamming_sec, 0xFC, 9, 0x01}, 8},
        {{"sec, interleaved", 0, 0, CodeKind::hamming_sec, 0xC0, 57, 0, OnDetected::keep, 0, true}, 8},
        {{"sec-ded, interleaved in the words", 0x3F, 0x20, CodeKind::hsiao_sec_ded, 0xF0000000, 4, 0x3F,
          OnDetected::keep, 0, true},
         32},
    };
}

TEST(LayerCode, ReadsBackWhatWasWritten)
{
    for (const Case& each : cases())
    {
        for (const std::size_t count : {1U, 9U, 64U, 121U})
        {
            if (!has_places(each.code, count)) continue;
            const auto words = random_words(each.word_bits, count);
            const ProtectedWords memory(each.code, each.word_bits, words);
            DecodedCounts counts;
            EXPECT_EQ(memory.decode(&counts), golden_words(each.code, each.word_bits, words))
                << each.code.name;
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
        const auto words = random_words(each.word_bits, has_places(code, 19) ? 19 : 24);
        const auto golden = golden_words(code, each.word_bits, words);
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
            const std::uint32_t top = std::uint32_t{1} << static_cast<unsigned>(each.word_bits - 1);
            const bool checked = (mask & code.covered) != 0 || !data;
            if (checked && code.code && !corrects)
            {
                const std::size_t first = data ? word : static_cast<std::size_t>(bit - memory.data_bits());
                if (code.on_detected == OnDetected::zero) expected[first] = 0;
            }
            else if ((mask & code.check_places) != 0 && code.on_detected == OnDetected::zero)
            {
                expected[word] = 0;
            }
            else if ((mask & ~code.forced & ~code.copies & ~code.covered) != 0)
            {
                expected[word] ^= mask == top ? mask | code.copies : mask;
            }
            ASSERT_EQ(found, expected) << code.name << ", bit " << bit;
            // The block alone says the same.
            const ProtectedWords::Block block = memory.decode_block_of(bit);
            for (std::size_t i = 0; i < block.words.size(); ++i)
                ASSERT_EQ(block.words[i], found[block.first + i]);
            if (checked)
            {
                EXPECT_EQ(block.verdict != Verdict::clean, code.code.has_value()) << code.name;
            }
            const ProtectedWords untouched(code, each.word_bits, words);
            EXPECT_EQ(untouched.decode_upset({bit}).words, block.words);
            EXPECT_NE(untouched.bit(bit), memory.bit(bit));
            EXPECT_TRUE(!data || (block.first <= word && word < block.first + block.words.size()));
        }
    }
}

// What no code over neighbouring bits can do: all bits of a word at once.
TEST(LayerCode, InterleavedCodesCorrectAWholeWord)
{
    const LayerCode code{"sec", 0, 0, CodeKind::hamming_sec, 0xFF, 57, 0, OnDetected::keep, 0, true};
    const auto words = random_words(8, 130);
    for (std::size_t word = 0; word < words.size(); ++word)
    {
        ProtectedWords memory(code, 8, words);
        for (std::uint64_t bit = 0; bit < 8; ++bit)
            memory.flip(word * 8 + bit);
        ASSERT_EQ(memory.decode(), words);
    }
    EXPECT_EQ(extra_bits(code, 130), 3U * 8 * 6);
}

// 0.5 and more do not fit into seven bits: they become the next that does.
TEST(LayerCode, NumbersOutOfRangeBecomeTheNearest)
{
    const LayerCode copies{"copies", 0, 0, std::nullopt, 0, 1, 0, OnDetected::keep, 0x40};
    const std::vector<std::uint32_t> words{0x3F, 0x40, 0x7F, 0xC0, 0xBF, 0x80};
    EXPECT_EQ(golden_words(copies, 8, words),
              (std::vector<std::uint32_t>{0x3F, 0x3F, 0x3F, 0xC0, 0xC0, 0xC0}));
    // fp32 between 2^-31 and 2, and the last bit 1.
    const LayerCode exponent{"exponent", 0x70000001, 0x30000001};
    const std::vector<std::uint32_t> floats{0x3F800000, 0x40000000, 0xFF800000, 0x80000000, 0x2FFFFFFF};
    EXPECT_EQ(golden_words(exponent, 32, floats),
              (std::vector<std::uint32_t>{0x3F800001, 0x3FFFFFFF, 0xBFFFFFFF, 0xB0000001, 0x30000001}));
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
        EXPECT_THROW(require_possible(code, bits, 9), Error) << code.name;
    };
    refuses({"forced and covered", 1, 0, CodeKind::hamming_sec, 3}, 8);
    refuses({"beyond the word", 0, 0, CodeKind::hamming_sec, 0x1FF}, 8);
    refuses({"a value of no forced bit", 1, 2}, 8);
    refuses({"a code over nothing", 0, 0, CodeKind::hamming_sec, 0}, 8);
    refuses({"bits under no code", 0, 0, std::nullopt, 1}, 8);
    refuses({"too many bits", 0, 0, CodeKind::hamming_sec, 0xFFFFFFFF, 3}, 32);
    refuses({"too few places", 7, 0, CodeKind::hamming_sec, 0xF8, 1, 7}, 8);
    refuses({"places that are not forced", 0, 0, CodeKind::parity, 0xFE, 1, 1}, 8);
    refuses({"blocks without places", 1, 0, CodeKind::hamming_sec, 0xF0, 4, 1}, 8);
    refuses({"zeroed blocks", 0, 0, CodeKind::parity, 0xFF, 2, 0, OnDetected::zero}, 8);
    refuses({"a copy apart from the sign", 0, 0, std::nullopt, 0, 1, 0, OnDetected::keep, 0x20}, 8);
    refuses({"a forced copy", 0x40, 0, std::nullopt, 0, 1, 0, OnDetected::keep, 0x40}, 8);
    EXPECT_THROW(ProtectedWords({"none"}, 8, {256}), Error);
    ProtectedWords memory({"none"}, 8, {255});
    EXPECT_THROW(memory.flip(8), Error);
}

}  // namespace
}  // namespace flipstorm
