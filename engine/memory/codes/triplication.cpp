#include "engine/memory/codes/triplication.hpp"

#include "engine/memory/codes/word_bits.hpp"

namespace flipstorm
{
namespace
{

constexpr int kMostTripledBits = 32;

int check_bits(int data_bits)
{
    FS_REQUIRE(data_bits >= 1, "a code over {} bits", data_bits);
    return 2 * data_bits;
}

std::uint64_t encode(std::uint64_t data, int data_bits)
{
    require_bits(data, bits_of_word(data_bits, kMostTripledBits), "data");
    return data | data << static_cast<unsigned>(data_bits);
}

Decoded decode(std::uint64_t data, std::uint64_t check, int data_bits)
{
    require_bits(data, bits_of_word(data_bits, kMostTripledBits), "data");
    require_bits(check, check_bits(data_bits), "check bits");
    const std::uint64_t second = check & ((std::uint64_t{1} << static_cast<unsigned>(data_bits)) - 1);
    const std::uint64_t third = check >> static_cast<unsigned>(data_bits);
    const std::uint64_t majority = (data & second) | (data & third) | (second & third);
    const bool agreed = data == second && data == third;
    return {majority, agreed ? Verdict::clean : Verdict::corrected};
}

int xors(int data_bits)
{
    constexpr int kMajorityGates = 4;  // two-input: a·b + c·(a + b)
    return kMajorityGates * bits_of_word(data_bits, kMostTripledBits);
}

}  // namespace

const CodeTraits& triplication_code()
{
    static const CodeTraits row{CodeKind::triplication,
                                "tmr",
                                "Triple modular redundancy",
                                1,
                                1,
                                kMostTripledBits,
                                check_bits,
                                encode,
                                decode,
                                xors};
    return row;
}

}  // namespace flipstorm
