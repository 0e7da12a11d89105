#include "engine/memory/word_fault.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <bitset>
#include <numeric>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// The table of names. A model without one does not compile. Null: no model has that number.
const char* name_of(FaultModel model)
{
    switch (model)
    {
        case FaultModel::bit_flip:
            return "bit_flip";
        case FaultModel::stuck_at:
            return "stuck_at";
        case FaultModel::stuck_at_0:
            return "stuck_at_0";
        case FaultModel::stuck_at_1:
            return "stuck_at_1";
        case FaultModel::adjacent_bits:
            return "adjacent_bits";
        case FaultModel::random_bits:
            return "random_bits";
    }
    return nullptr;
}

constexpr std::uint64_t bit_mask(int bit)
{
    return std::uint64_t{1} << static_cast<unsigned>(bit);
}

/// C(n, k), exact for n ≤ 64: every partial product is a binomial coefficient.
std::uint64_t choose(int n, int k)
{
    if (k < 0 || k > n) return 0;
    std::uint64_t result = 1;
    k = std::min(k, n - k);
    for (int i = 1; i <= k; ++i)
    {
        // Divided before it is multiplied: nothing is larger than the result.
        const auto divisor = static_cast<std::uint64_t>(i);
        const auto factor = static_cast<std::uint64_t>(n - k + i);
        const std::uint64_t common = std::gcd(result, divisor);
        result = result / common * (factor / (divisor / common));
    }
    return result;
}

/// The `bits` bits of that rank in colexicographic order.
std::uint64_t unrank(int bits, std::uint64_t rank)
{
    std::uint64_t mask = 0;
    for (int k = bits; k > 0; --k)
    {
        int top = k - 1;
        while (choose(top + 1, k) <= rank)
            ++top;
        mask |= bit_mask(top);
        rank -= choose(top, k);
    }
    return mask;
}

BitEffect effect_of(FaultModel model, std::uint64_t index)
{
    switch (model)
    {
        case FaultModel::stuck_at_0:
            return BitEffect::stuck_at_0;
        case FaultModel::stuck_at_1:
            return BitEffect::stuck_at_1;
        case FaultModel::stuck_at:
            return index == 0 ? BitEffect::stuck_at_0 : BitEffect::stuck_at_1;
        case FaultModel::bit_flip:
        case FaultModel::adjacent_bits:
        case FaultModel::random_bits:
            return BitEffect::flipped;
    }
    throw Error("no fault model is number {}", static_cast<int>(model));
}

}  // namespace

std::vector<std::string> fault_model_names()
{
    std::vector<std::string> names;
    while (const char* name = name_of(static_cast<FaultModel>(names.size())))
        names.emplace_back(name);
    return names;
}

FaultModel fault_model_from(std::string_view name)
{
    const std::vector<std::string> names = fault_model_names();
    const auto found = std::find(names.begin(), names.end(), name);
    FS_CHECK(JobError, found != names.end(), "campaign.fault_model: '{}' is not known; it is one of: {}",
             name, fmt::join(names, ", "));
    return static_cast<FaultModel>(found - names.begin());
}

std::string to_string(FaultModel model)
{
    const char* const name = name_of(model);
    FS_REQUIRE(name != nullptr, "no fault model is number {}", static_cast<int>(model));
    return name;
}

WordFault bit_flip(int bit)
{
    FS_REQUIRE(bit >= 0 && bit < kLongestWord, "bit {} of a word of at most {}", bit, kLongestWord);
    return {bit_mask(bit), BitEffect::flipped};
}

UpsetModel upset_model(std::string_view name, std::int64_t upset_bits)
{
    const FaultModel model = fault_model_from(name);
    if (model != FaultModel::adjacent_bits && model != FaultModel::random_bits) return {model, 1};
    FS_CHECK(JobError, upset_bits >= 2 && upset_bits <= kMostUpsetBits,
             "campaign.upset_bits is {}; {} hits 2 to {} bits of a word", upset_bits, name, kMostUpsetBits);
    return {model, static_cast<int>(upset_bits)};
}

std::uint64_t faults_of_word(UpsetModel model, int word_bits)
{
    FS_REQUIRE(word_bits >= 1 && word_bits <= kLongestWord, "a word of {} bits", word_bits);
    if (model.bits > word_bits) return 0;
    const auto bits = static_cast<std::uint64_t>(word_bits);
    switch (model.model)
    {
        case FaultModel::stuck_at:
            return 2 * bits;
        case FaultModel::adjacent_bits:
            return bits - static_cast<std::uint64_t>(model.bits) + 1;
        case FaultModel::random_bits:
            return choose(word_bits, model.bits);
        case FaultModel::bit_flip:
        case FaultModel::stuck_at_0:
        case FaultModel::stuck_at_1:
            return bits;
    }
    throw Error("no fault model is number {}", static_cast<int>(model.model));
}

std::uint64_t faults_of_bit(UpsetModel model, int bit)
{
    if (bit < model.bits - 1) return 0;
    switch (model.model)
    {
        case FaultModel::stuck_at:
            return 2;
        case FaultModel::random_bits:
            return choose(bit, model.bits - 1);
        case FaultModel::bit_flip:
        case FaultModel::stuck_at_0:
        case FaultModel::stuck_at_1:
        case FaultModel::adjacent_bits:
            return 1;
    }
    throw Error("no fault model is number {}", static_cast<int>(model.model));
}

WordFault word_fault(UpsetModel model, int word_bits, std::uint64_t index)
{
    FS_REQUIRE(word_bits <= kLongestWord && index < faults_of_word(model, word_bits),
               "fault {} of a word of {} bits", index, word_bits);
    if (model.model == FaultModel::random_bits) return {unrank(model.bits, index), BitEffect::flipped};
    const std::uint64_t of_bit = faults_of_bit(model, word_bits - 1);  // as of every bit of these models
    return word_fault_of_bit(model, static_cast<int>(index / of_bit) + model.bits - 1, index % of_bit);
}

WordFault word_fault_of_bit(UpsetModel model, int bit, std::uint64_t index)
{
    FS_REQUIRE(bit >= 0 && bit < kLongestWord && index < faults_of_bit(model, bit), "fault {} of bit {}",
               index, bit);
    if (model.model == FaultModel::random_bits)
        return {unrank(model.bits, choose(bit, model.bits) + index), BitEffect::flipped};
    std::uint64_t mask = 0;
    for (int i = 0; i < model.bits; ++i)
        mask |= bit_mask(bit - i);
    return {mask, effect_of(model.model, index)};
}

std::uint64_t index_of_fault(UpsetModel model, int word_bits, WordFault fault)
{
    const std::uint64_t of_bit = index_of_fault_of_bit(model, word_bits, fault);
    const int top = highest_bit(fault.mask);
    if (model.model == FaultModel::random_bits) return choose(top, model.bits) + of_bit;
    return static_cast<std::uint64_t>(top - model.bits + 1) * faults_of_bit(model, top) + of_bit;
}

std::uint64_t index_of_fault_of_bit(UpsetModel model, int word_bits, WordFault fault)
{
    FS_REQUIRE(belongs_to(model, word_bits, fault), "mask {:#x} is no fault of {} in a word of {} bits",
               fault.mask, to_string(model.model), word_bits);
    if (model.model == FaultModel::stuck_at) return fault.effect == BitEffect::stuck_at_1 ? 1 : 0;
    if (model.model != FaultModel::random_bits) return 0;
    std::uint64_t index = 0;
    int lower = 0;  // bits below the highest one so far
    for (int bit = 0; bit < highest_bit(fault.mask); ++bit)
    {
        if ((fault.mask & bit_mask(bit)) != 0) index += choose(bit, ++lower);
    }
    return index;
}

int highest_bit(std::uint64_t mask)
{
    FS_REQUIRE(mask != 0, "a fault that hits no bit");
    int bit = 0;
    for (int half = kLongestWord / 2; half > 0; half /= 2)
    {
        if (mask >> static_cast<unsigned>(half) == 0) continue;
        mask >>= static_cast<unsigned>(half);
        bit += half;
    }
    return bit;
}

std::uint64_t apply(WordFault fault, std::uint64_t word)
{
    switch (fault.effect)
    {
        case BitEffect::flipped:
            return word ^ fault.mask;
        case BitEffect::stuck_at_0:
            return word & ~fault.mask;
        case BitEffect::stuck_at_1:
            return word | fault.mask;
    }
    throw Error("no effect on bits is number {}", static_cast<int>(fault.effect));
}

std::uint32_t stored_mask(WordFault fault)
{
    FS_REQUIRE(fault.mask >> 32U == 0, "mask {:#x} hits bits that no stored word has", fault.mask);
    return static_cast<std::uint32_t>(fault.mask);
}

bool belongs_to(UpsetModel model, int word_bits, WordFault fault)
{
    if (fault.mask == 0) return false;
    const int top = highest_bit(fault.mask);
    const auto hit = static_cast<int>(std::bitset<kLongestWord>(fault.mask).count());
    if (top >= word_bits || hit != model.bits) return false;
    if (model.model == FaultModel::adjacent_bits && fault.mask != word_fault_of_bit(model, top, 0).mask)
        return false;
    const bool either = model.model == FaultModel::stuck_at && fault.effect != BitEffect::flipped;
    return either || fault.effect == effect_of(model.model, 0);
}

}  // namespace flipstorm
