#include "engine/memory/word_fault.hpp"

#include <gtest/gtest.h>

#include <bitset>
#include <set>
#include <utility>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

const UpsetModel kFlip{FaultModel::bit_flip, 1};
const UpsetModel kStuck{FaultModel::stuck_at, 1};
const UpsetModel kStuckAt0{FaultModel::stuck_at_0, 1};
const UpsetModel kStuckAt1{FaultModel::stuck_at_1, 1};

UpsetModel adjacent(int bits)
{
    return {FaultModel::adjacent_bits, bits};
}

UpsetModel random_bits(int bits)
{
    return {FaultModel::random_bits, bits};
}

TEST(WordFault, PopulationsOfAWord)
{
    EXPECT_EQ(faults_of_word(kFlip, 32), 32U);
    EXPECT_EQ(faults_of_word(kStuck, 32), 64U);
    EXPECT_EQ(faults_of_word(kStuckAt0, 16), 16U);
    EXPECT_EQ(faults_of_word(adjacent(2), 32), 31U);
    EXPECT_EQ(faults_of_word(adjacent(8), 8), 1U);
    EXPECT_EQ(faults_of_word(adjacent(9), 8), 0U);
    EXPECT_EQ(faults_of_word(random_bits(2), 32), 496U);
    EXPECT_EQ(faults_of_word(random_bits(3), 8), 56U);
    EXPECT_EQ(faults_of_word(random_bits(16), 32), 601'080'390U);
    EXPECT_EQ(faults_of_word(random_bits(9), 8), 0U);
}

/// All faults of a model, found by trying every mask of a short word.
std::set<std::pair<std::uint64_t, BitEffect>> all_faults(UpsetModel upset, int word_bits)
{
    std::set<std::pair<std::uint64_t, BitEffect>> all;
    for (std::uint32_t mask = 1; mask < (1U << static_cast<unsigned>(word_bits)); ++mask)
    {
        const auto hit = static_cast<int>(std::bitset<32>(mask).count());
        const std::uint32_t low = mask & (~mask + 1);  // lowest bit
        const bool burst = ((mask / low) & (mask / low + 1)) == 0;
        if (hit != upset.bits || (upset.model == FaultModel::adjacent_bits && !burst)) continue;
        if (upset.model == FaultModel::stuck_at || upset.model == FaultModel::stuck_at_0)
            all.emplace(mask, BitEffect::stuck_at_0);
        if (upset.model == FaultModel::stuck_at || upset.model == FaultModel::stuck_at_1)
            all.emplace(mask, BitEffect::stuck_at_1);
        if (upset.model == FaultModel::bit_flip || upset.bits > 1) all.emplace(mask, BitEffect::flipped);
    }
    return all;
}

TEST(WordFault, NumbersEveryFaultOnceByRisingHighestBit)
{
    for (const UpsetModel& upset : {kFlip, kStuck, kStuckAt0, kStuckAt1, adjacent(2), adjacent(5),
                                    random_bits(2), random_bits(3), random_bits(7), random_bits(10)})
    {
        for (const int word_bits : {8, 10})
        {
            std::set<std::pair<std::uint64_t, BitEffect>> seen;
            std::uint64_t of_bits = 0;
            int last = -1;
            for (std::uint64_t i = 0; i < faults_of_word(upset, word_bits); ++i)
            {
                const WordFault fault = word_fault(upset, word_bits, i);
                const int bit = highest_bit(fault.mask);
                ASSERT_GE(bit, last);
                if (bit > last) of_bits = i;  // the first of this bit
                last = bit;
                EXPECT_EQ(word_fault_of_bit(upset, bit, i - of_bits), fault);
                EXPECT_EQ(index_of_fault(upset, word_bits, fault), i);
                EXPECT_EQ(index_of_fault_of_bit(upset, word_bits, fault), i - of_bits);
                EXPECT_TRUE(belongs_to(upset, word_bits, fault));
                EXPECT_TRUE(seen.emplace(fault.mask, fault.effect).second);
            }
            EXPECT_EQ(seen, all_faults(upset, word_bits));
            std::uint64_t sum = 0;
            for (int bit = 0; bit < word_bits; ++bit)
                sum += faults_of_bit(upset, bit);
            EXPECT_EQ(sum, faults_of_word(upset, word_bits));
        }
    }
}

// Knuth's combinatorial number system: C(5,3) + C(3,2) + C(0,1) = 10 + 3 + 0 is bits 5, 3, 0.
TEST(WordFault, RandomBitsByHand)
{
    EXPECT_EQ(word_fault(random_bits(3), 32, 0).mask, 0b111U);
    EXPECT_EQ(word_fault(random_bits(3), 32, 13).mask, 0b101001U);
    EXPECT_EQ(word_fault(random_bits(16), 32, 601'080'389).mask, 0xFFFF0000U);
    EXPECT_EQ(word_fault_of_bit(random_bits(2), 31, 30).mask, 0xC0000000U);
}

// A stored word with its check bits: up to 64 bits, and C(64, 32) of the masks with half of them.
TEST(WordFault, LongWords)
{
    EXPECT_EQ(faults_of_word(random_bits(32), 64), 1'832'624'140'942'590'534U);
    EXPECT_EQ(faults_of_bit(random_bits(32), 63), 916'312'070'471'295'267U);
    EXPECT_EQ(word_fault(random_bits(32), 64, 0).mask, 0xFFFFFFFFU);
    EXPECT_EQ(word_fault(random_bits(32), 64, 1'832'624'140'942'590'533U).mask, 0xFFFFFFFF00000000U);
    EXPECT_EQ(word_fault(kFlip, 39, 38).mask, std::uint64_t{1} << 38U);
    EXPECT_EQ(word_fault(adjacent(2), 64, 62).mask, std::uint64_t{3} << 62U);
    EXPECT_EQ(apply(bit_flip(63), 1), (std::uint64_t{1} << 63U) + 1);
    EXPECT_TRUE(belongs_to(kFlip, 64, bit_flip(63)));
    for (int bit = 0; bit < kLongestWord; ++bit)
    {
        EXPECT_EQ(highest_bit(bit_flip(bit).mask), bit);
        EXPECT_EQ(highest_bit(bit_flip(bit).mask | 1U), bit);
    }
    std::uint64_t sum = 0;
    for (int bit = 0; bit < 64; ++bit)
        sum += faults_of_bit(random_bits(32), bit);
    EXPECT_EQ(sum, faults_of_word(random_bits(32), 64));
}

TEST(WordFault, AppliesToAWord)
{
    EXPECT_EQ(apply({0b0110, BitEffect::flipped}, 0b0101), 0b0011U);
    EXPECT_EQ(apply({0b0110, BitEffect::stuck_at_0}, 0b0101), 0b0001U);
    EXPECT_EQ(apply({0b0110, BitEffect::stuck_at_1}, 0b0101), 0b0111U);
    EXPECT_EQ(word_fault(kStuck, 32, 7), (WordFault{1U << 3U, BitEffect::stuck_at_1}));
    EXPECT_EQ(word_fault(adjacent(3), 32, 4), (WordFault{0b1110000, BitEffect::flipped}));
}

TEST(WordFault, KnowsWhatIsNotOfAModel)
{
    EXPECT_FALSE(belongs_to(kFlip, 32, {0b11, BitEffect::flipped}));
    EXPECT_FALSE(belongs_to(kFlip, 32, {0b10, BitEffect::stuck_at_0}));
    EXPECT_FALSE(belongs_to(kFlip, 8, {1U << 8U, BitEffect::flipped}));
    EXPECT_FALSE(belongs_to(kFlip, 32, {0, BitEffect::flipped}));
    EXPECT_FALSE(belongs_to(kStuck, 32, {1, BitEffect::flipped}));
    EXPECT_FALSE(belongs_to(kStuckAt0, 32, {1, BitEffect::stuck_at_1}));
    EXPECT_FALSE(belongs_to(adjacent(2), 32, {0b101, BitEffect::flipped}));
    EXPECT_TRUE(belongs_to(random_bits(2), 32, {0b101, BitEffect::flipped}));
}

TEST(WordFault, RefusesWhatIsNotThere)
{
    EXPECT_THROW(static_cast<void>(word_fault(kFlip, 32, 32)), Error);
    EXPECT_THROW(static_cast<void>(word_fault(kFlip, 65, 0)), Error);
    EXPECT_THROW(static_cast<void>(bit_flip(64)), Error);
    EXPECT_THROW(static_cast<void>(bit_flip(-1)), Error);
    EXPECT_EQ(stored_mask(bit_flip(31)), 1U << 31U);
    EXPECT_THROW(static_cast<void>(stored_mask(bit_flip(32))), Error);
    EXPECT_THROW(static_cast<void>(upset_model("random_bits", 33)), JobError);
    EXPECT_THROW(static_cast<void>(to_string(static_cast<FaultModel>(200))), Error);
    EXPECT_THROW(static_cast<void>(word_fault_of_bit(random_bits(3), 1, 0)), Error);
    EXPECT_THROW(static_cast<void>(highest_bit(0)), Error);
    EXPECT_THROW(static_cast<void>(upset_model("bitflip", 1)), JobError);
    EXPECT_THROW(static_cast<void>(upset_model("adjacent_bits", 1)), JobError);
    EXPECT_EQ(upset_model("stuck_at", 7).bits, 1);
    EXPECT_EQ(upset_model("random_bits", 7).bits, 7);
    EXPECT_EQ(fault_model_names(), (std::vector<std::string>{"bit_flip", "stuck_at", "stuck_at_0",
                                                             "stuck_at_1", "adjacent_bits", "random_bits"}));
    for (const std::string& name : fault_model_names())
        EXPECT_EQ(to_string(fault_model_from(name)), name);
}

}  // namespace
}  // namespace flipstorm
