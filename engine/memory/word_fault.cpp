#include "engine/memory/word_fault.hpp"

#include <array>
#include <bitset>
#include <utility>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

constexpr int kMaskBits = 32;

constexpr std::array<std::pair<const char*, FaultModel>, 6> kNames = {
    {{"bit_flip", FaultModel::bit_flip},
     {"stuck_at", FaultModel::stuck_at},
     {"stuck_at_0", FaultModel::stuck_at_0},
     {"stuck_at_1", FaultModel::stuck_at_1},
     {"adjacent_bits", FaultModel::adjacent_bits},
     {"random_bits", FaultModel::random_bits}}};

constexpr std::uint32_t bit_mask(int bit)
{
    return std::uint32_t{1} << static_cast<unsigned>(bit);
}

/// C(n, k), exact: every partial product is a binomial coefficient. n ≤ 64 and k ≤ 32 or small.
std::uint64_t choose(int n, int k)
{
    if (k < 0 || k > n) return 0;
    std::uint64_t result = 1;
    for (int i = 1; i <= k; ++i)
    {
        const auto factor = static_cast<std::uint64_t>(n - k + i);
        FS_REQUIRE(result <= ~std::uint64_t{0} / factor, "C({}, {}) does not fit 64 bits", n, k);
        result = result * factor / static_cast<std::uint64_t>(i);
    }
    return result;
}

/// The `bits` bits of that rank in colexicographic order.
std::uint32_t unrank(int bits, std::uint64_t rank)
{
    std::uint32_t mask = 0;
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
    if (model == FaultModel::stuck_at_0) return BitEffect::stuck_at_0;
    if (model == FaultModel::stuck_at_1) return BitEffect::stuck_at_1;
    if (model == FaultModel::stuck_at) return index == 0 ? BitEffect::stuck_at_0 : BitEffect::stuck_at_1;
    return BitEffect::flipped;
}

}  // namespace

FaultModel fault_model_from(std::string_view name)
{
    for (const auto& [known, model] : kNames)
    {
        if (name == known) return model;
    }
    throw JobError(
        "campaign.fault_model: '{}' is not known; it is one of: bit_flip, stuck_at, stuck_at_0, stuck_at_1, "
        "adjacent_bits, random_bits",
        name);
}

std::string to_string(FaultModel model)
{
    for (const auto& [name, known] : kNames)
    {
        if (model == known) return name;
    }
    return "?";
}

UpsetModel upset_model(std::string_view name, std::int64_t upset_bits)
{
    const FaultModel model = fault_model_from(name);
    if (model != FaultModel::adjacent_bits && model != FaultModel::random_bits) return {model, 1};
    FS_CHECK(JobError, upset_bits >= 2 && upset_bits <= kMaskBits,
             "campaign.upset_bits is {}; {} hits 2 to {} bits of a word", upset_bits, name, kMaskBits);
    return {model, static_cast<int>(upset_bits)};
}

std::uint64_t faults_of_word(UpsetModel model, int word_bits)
{
    FS_REQUIRE(word_bits >= 1 && word_bits <= 64, "a word of {} bits", word_bits);
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
        default:
            return bits;
    }
}

std::uint64_t faults_of_bit(UpsetModel model, int bit)
{
    if (bit < model.bits - 1) return 0;
    if (model.model == FaultModel::stuck_at) return 2;
    return model.model == FaultModel::random_bits ? choose(bit, model.bits - 1) : 1;
}

WordFault word_fault(UpsetModel model, int word_bits, std::uint64_t index)
{
    FS_REQUIRE(word_bits <= kMaskBits && index < faults_of_word(model, word_bits),
               "fault {} of a word of {} bits", index, word_bits);
    if (model.model == FaultModel::random_bits) return {unrank(model.bits, index), BitEffect::flipped};
    const std::uint64_t of_bit = model.model == FaultModel::stuck_at ? 2 : 1;
    return word_fault_of_bit(model, static_cast<int>(index / of_bit) + model.bits - 1, index % of_bit);
}

WordFault word_fault_of_bit(UpsetModel model, int bit, std::uint64_t index)
{
    FS_REQUIRE(bit >= 0 && bit < kMaskBits && index < faults_of_bit(model, bit), "fault {} of bit {}", index,
               bit);
    if (model.model == FaultModel::random_bits)
        return {unrank(model.bits, choose(bit, model.bits) + index), BitEffect::flipped};
    std::uint32_t mask = 0;
    for (int i = 0; i < model.bits; ++i)
        mask |= bit_mask(bit - i);
    return {mask, effect_of(model.model, index)};
}

int highest_bit(std::uint32_t mask)
{
    FS_REQUIRE(mask != 0, "a fault that hits no bit");
    int bit = kMaskBits - 1;
    while ((mask & bit_mask(bit)) == 0)
        --bit;
    return bit;
}

std::uint32_t apply(WordFault fault, std::uint32_t word)
{
    if (fault.effect == BitEffect::stuck_at_0) return word & ~fault.mask;
    if (fault.effect == BitEffect::stuck_at_1) return word | fault.mask;
    return word ^ fault.mask;
}

bool belongs_to(UpsetModel model, int word_bits, WordFault fault)
{
    if (fault.mask == 0) return false;
    const int top = highest_bit(fault.mask);
    const auto hit = static_cast<int>(std::bitset<kMaskBits>(fault.mask).count());
    if (top >= word_bits || hit != model.bits) return false;
    if (model.model == FaultModel::adjacent_bits && fault.mask != word_fault_of_bit(model, top, 0).mask)
        return false;
    const bool either = model.model == FaultModel::stuck_at && fault.effect != BitEffect::flipped;
    return either || fault.effect == effect_of(model.model, 0);
}

}  // namespace flipstorm
