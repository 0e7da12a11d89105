#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"
#include "engine/memory/codes/code.hpp"
#include "engine/memory/codes/hamming.hpp"
#include "engine/memory/codes/hsiao.hpp"
#include "engine/memory/codes/parity.hpp"
#include "engine/memory/codes/protection_scheme.hpp"
#include "engine/memory/codes/triplication.hpp"

namespace flipstorm
{
namespace
{

std::uint64_t bit(int at)
{
    return std::uint64_t{1} << static_cast<unsigned>(at);
}

std::uint64_t ones(int bits)
{
    return bits == 64 ? ~std::uint64_t{0} : bit(bits) - 1;
}

/// All data of up to 8 bits; of more, none, all, each bit alone, and random ones.
std::vector<std::uint64_t> data_of(int bits)
{
    std::vector<std::uint64_t> all;
    if (bits <= 8)
    {
        for (std::uint64_t data = 0; data < bit(bits); ++data)
            all.push_back(data);
        return all;
    }
    all = {0, ones(bits)};
    for (int b = 0; b < bits; ++b)
        all.push_back(bit(b));
    RandomStream random(3, RandomPurpose::test, static_cast<std::uint64_t>(bits));
    for (int i = 0; i < 64; ++i)
        all.push_back((random.below(std::uint64_t{1} << 32U) << 32U | random.below(std::uint64_t{1} << 32U)) &
                      ones(bits));
    return all;
}

/// A word under a code in memory; places are the data bits, then the check bits.
struct CodedWord
{
    std::uint64_t data = 0;
    std::uint64_t check = 0;

    void flip(int place, int data_bits)
    {
        if (place < data_bits)
            data ^= bit(place);
        else
            check ^= bit(place - data_bits);
    }
};

class EveryCode : public ::testing::TestWithParam<CodeKind>
{
  protected:
    const CodeTraits& code_ = code_traits(GetParam());
};

TEST_P(EveryCode, HasAWholeRow)
{
    EXPECT_EQ(code_.kind, GetParam());
    EXPECT_FALSE(code_.name.empty());
    EXPECT_FALSE(code_.title.empty());
    ASSERT_NE(code_.check_bits, nullptr);
    ASSERT_NE(code_.encode, nullptr);
    ASSERT_NE(code_.decode, nullptr);
    ASSERT_NE(code_.xors, nullptr);
    EXPECT_GE(code_.detects, code_.corrects);
}

TEST_P(EveryCode, LeavesWordsOfItsOwnAlone)
{
    for (int bits = 1; bits <= code_.most_data_bits; ++bits)
    {
        for (const std::uint64_t data : data_of(bits))
        {
            const std::uint64_t check = code_.encode(data, bits);
            ASSERT_EQ(check & ~ones(code_.check_bits(bits)), 0U) << bits;
            ASSERT_EQ(code_.decode(data, check, bits), (Decoded{data, Verdict::clean})) << bits;
        }
        EXPECT_EQ(protected_size(GetParam(), 10, bits).data, 10U * static_cast<unsigned>(bits));
        EXPECT_EQ(protected_size(GetParam(), 10, bits).check,
                  10U * static_cast<unsigned>(code_.check_bits(bits)));
    }
}

TEST_P(EveryCode, CorrectsEverySingleUpsetOfEveryWidth)
{
    ASSERT_GE(code_.corrects, 0);
    if (code_.corrects == 0) GTEST_SKIP() << code_.name << " corrects none";
    for (int bits = 1; bits <= code_.most_data_bits; ++bits)
    {
        for (const std::uint64_t data : data_of(bits))
        {
            for (int place = 0; place < bits + code_.check_bits(bits); ++place)
            {
                CodedWord word{data, code_.encode(data, bits)};
                word.flip(place, bits);
                ASSERT_EQ(code_.decode(word.data, word.check, bits), (Decoded{data, Verdict::corrected}))
                    << bits << " bits, place " << place;
            }
        }
    }
}

TEST_P(EveryCode, NeverTakesAsManyUpsetsAsItDetectsForOthers)
{
    for (int bits = 1; bits <= code_.most_data_bits; ++bits)
    {
        const std::uint64_t data = 0x9E3779B97F4A7C15U & ones(bits);
        const int places = bits + code_.check_bits(bits);
        for (int a = 0; a < places; ++a)
        {
            // With itself: one upset.
            for (int b = a; b < (code_.detects >= 2 ? places : a + 1); ++b)
            {
                CodedWord word{data, code_.encode(data, bits)};
                word.flip(a, bits);
                if (b != a) word.flip(b, bits);
                const Decoded found = code_.decode(word.data, word.check, bits);
                ASSERT_NE(found.verdict, Verdict::clean) << bits << ": " << a << ", " << b;
                if (b != a || code_.corrects == 0)
                    ASSERT_EQ(found, (Decoded{word.data, Verdict::detected}))
                        << bits << ": " << a << ", " << b;
                else
                    ASSERT_EQ(found, (Decoded{data, Verdict::corrected}));
            }
        }
    }
}

TEST_P(EveryCode, RefusesWhatDoesNotFit)
{
    const int most = code_.most_data_bits;
    EXPECT_THROW(static_cast<void>(code_.check_bits(0)), Error);
    EXPECT_THROW(static_cast<void>(code_.encode(0, 0)), Error);
    EXPECT_THROW(static_cast<void>(code_.encode(0, most + 1)), Error);
    EXPECT_THROW(static_cast<void>(code_.encode(256, 8)), Error);
    EXPECT_THROW(static_cast<void>(code_.decode(256, 0, 8)), Error);
    EXPECT_THROW(static_cast<void>(code_.decode(0, bit(code_.check_bits(8)), 8)), Error);
    EXPECT_THROW(static_cast<void>(code_.xors(most + 1)), Error);
}

INSTANTIATE_TEST_SUITE_P(Codes, EveryCode, ::testing::ValuesIn(codes()),
                         [](const auto& instance) { return code_traits(instance.param).name; });

TEST(Codes, NamesAreDifferent)
{
    const std::vector<std::string> names = protection_scheme_names();
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
    EXPECT_EQ(names.front(), "none");
    EXPECT_EQ(sec_all_scheme().coverage, Coverage::all);
    EXPECT_EQ(sec_critical_scheme().coverage, Coverage::critical);
    EXPECT_EQ(find_protection_scheme("sec_ded_64")->code_word_bits, 64);
    for (const std::string& name : names)
        EXPECT_EQ(find_protection_scheme(name)->name, name);
    EXPECT_FALSE(find_protection_scheme("none")->code);
    EXPECT_EQ(find_protection_scheme("sec"), nullptr);
    for (const std::string& name : names)
        EXPECT_NE(protection_schemes_text().find("`" + name + "`"), std::string::npos) << name;
    EXPECT_EQ(protection_scheme_choices('\''),
              "'none', 'sec_all', 'sec_64', 'sec_ded_64', 'sec_critical' or 'optimized'");
    EXPECT_THROW(static_cast<void>(code_traits(static_cast<CodeKind>(codes().size()))), Error);
}

TEST(Hamming, CheckBits)
{
    const CodeTraits& sec = hamming_sec_code();
    EXPECT_EQ(sec.check_bits(8), 4);
    EXPECT_EQ(sec.check_bits(16), 5);
    EXPECT_EQ(sec.check_bits(32), 6);
    EXPECT_EQ(sec.check_bits(64), 7);
    EXPECT_EQ(sec.check_bits(128), 8);
    EXPECT_EQ(sec.check_bits(1), 2);
    EXPECT_EQ(sec.check_bits(4), 3);   // Hamming (7, 4)
    EXPECT_EQ(sec.check_bits(11), 4);  // (15, 11)
    EXPECT_EQ(sec.check_bits(12), 5);
    EXPECT_THROW(sec.check_bits(0), Error);
}

// (7, 4), by hand: the data bits 0 to 3 are at the positions 3, 5, 6, 7.
TEST(Hamming, WordsByHand)
{
    const CodeTraits& sec = hamming_sec_code();
    EXPECT_EQ(sec.encode(0b0001, 4), 3U);            // 3
    EXPECT_EQ(sec.encode(0b1000, 4), 7U);            // 7
    EXPECT_EQ(sec.encode(0b1011, 4), 3U ^ 5U ^ 7U);  // 3, 5, 7
    EXPECT_EQ(sec.encode(0b1111, 4), 3U ^ 5U ^ 6U ^ 7U);
    EXPECT_EQ(sec.decode(0b1010, 3U ^ 5U ^ 7U, 4), (Decoded{0b1011, Verdict::corrected}));
    EXPECT_EQ(sec.decode(0b1011, 3U ^ 5U ^ 7U ^ 4U, 4), (Decoded{0b1011, Verdict::corrected}));
}

// The code has distance 3: two upsets never leave a word of the code, and are never put right. Where the code
// is whole (k + r + 1 = 2^r) each is taken for a single one; a shortened code detects some.
TEST(Hamming, NeverTakesTwoUpsetsForNone)
{
    const CodeTraits& sec = hamming_sec_code();
    for (const int bits : {4, 8, 11, 16, 26, 32, 57, 64})
    {
        const std::uint64_t data = 0x9E3779B97F4A7C15U & ones(bits);
        const int places = bits + sec.check_bits(bits);
        int detected = 0;
        for (int a = 0; a < places; ++a)
        {
            for (int b = a + 1; b < places; ++b)
            {
                CodedWord word{data, sec.encode(data, bits)};
                word.flip(a, bits);
                word.flip(b, bits);
                const Decoded found = sec.decode(word.data, word.check, bits);
                ASSERT_NE(found.verdict, Verdict::clean);
                ASSERT_TRUE(a >= bits || found.data != data) << bits << ": " << a << ", " << b;
                if (found.verdict == Verdict::detected)
                {
                    ++detected;
                    ASSERT_EQ(found.data, word.data);
                }
            }
        }
        const bool whole = places + 1 == 1 << sec.check_bits(bits);
        EXPECT_EQ(detected == 0, whole) << bits;
    }
}

// One exclusive or for each one of the matrix.
TEST(Hamming, CostOfTheDecoder)
{
    EXPECT_EQ(hamming_sec_code().xors(4), 2 + 2 + 2 + 3);  // positions 3, 5, 6, 7
}

TEST(Hsiao, CheckBitsAndCostAreThoseOfThePaper)
{
    const CodeTraits& code = hsiao_sec_ded_code();
    EXPECT_EQ(code.check_bits(8), 5);
    EXPECT_EQ(code.check_bits(16), 6);
    EXPECT_EQ(code.check_bits(32), 7);
    EXPECT_EQ(code.check_bits(64), 8);
    // (72, 64): 56 columns of weight 3 and 8 of weight 5; (39, 32): 32 of weight 3; (22, 16): 16 of weight 3.
    EXPECT_EQ(code.xors(64), 56 * 3 + 8 * 5);
    EXPECT_EQ(code.xors(32), 32 * 3);
    EXPECT_EQ(code.xors(16), 16 * 3);
}

// Hsiao's codes have rows as even as they can be: 26 or 27 data ones in each of (72, 64).
TEST(Hsiao, RowsAreEven)
{
    const CodeTraits& code = hsiao_sec_ded_code();
    for (const int bits : {8, 16, 32, 64})
    {
        std::vector<int> row(static_cast<std::size_t>(code.check_bits(bits)), 0);
        for (int at = 0; at < bits; ++at)
        {
            const std::uint64_t column = code.encode(bit(at), bits);
            for (std::size_t r = 0; r < row.size(); ++r)
                row[r] += (column >> r & 1U) != 0 ? 1 : 0;
        }
        const auto [least, most] = std::minmax_element(row.begin(), row.end());
        EXPECT_LE(*most - *least, 1) << bits;
    }
}

TEST(Triplication, TakesTheMajorityOfEachBit)
{
    const CodeTraits& code = triplication_code();
    EXPECT_EQ(code.encode(0b101, 3), 0b101101U);
    EXPECT_EQ(code.decode(0b100, 0b101101, 3), (Decoded{0b101, Verdict::corrected}));
    // Three upsets of three bits.
    EXPECT_EQ(code.decode(0b100, 0b001111, 3), (Decoded{0b101, Verdict::corrected}));
    // Two of the same bit win.
    EXPECT_EQ(code.decode(0b100, 0b101100, 3), (Decoded{0b100, Verdict::corrected}));
}

TEST(Parity, NoticesAnOddNumberOfUpsets)
{
    const CodeTraits& code = parity_code();
    EXPECT_EQ(code.encode(0b1011, 4), 1U);
    EXPECT_EQ(code.decode(0b1010, 1, 4), (Decoded{0b1010, Verdict::detected}));
    EXPECT_EQ(code.decode(0b1011, 0, 4), (Decoded{0b1011, Verdict::detected}));
    EXPECT_EQ(code.decode(0b1000, 1, 4), (Decoded{0b1000, Verdict::clean}));
}

}  // namespace
}  // namespace flipstorm
