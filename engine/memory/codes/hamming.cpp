#include "engine/memory/codes/hamming.hpp"

#include "engine/memory/codes/word_bits.hpp"

namespace flipstorm
{
namespace
{

int check_bits(int data_bits)
{
    FS_REQUIRE(data_bits >= 1, "a code over {} bits", data_bits);
    int check = 2;
    while ((1LL << check) < data_bits + check + 1LL)
        ++check;
    return check;
}

bool is_power_of_two(unsigned position)
{
    return (position & (position - 1)) == 0;
}

/// The exclusive or of the positions of the ones among the data bits: bit i is what check bit i has to be.
std::uint64_t checks_of(std::uint64_t data)
{
    unsigned checks = 0;
    for (unsigned position = 3; data != 0; ++position)
    {
        if (is_power_of_two(position)) continue;
        if ((data & 1U) != 0) checks ^= position;
        data >>= 1U;
    }
    return checks;
}

/// The data bit at a position that is no power of two: those before it, less the check bits among them.
unsigned data_bit_at(unsigned position)
{
    unsigned check_bits_before = 0;
    while ((1U << check_bits_before) < position)
        ++check_bits_before;
    return position - 1 - check_bits_before;
}

std::uint64_t encode(std::uint64_t data, int data_bits)
{
    require_bits(data, bits_of_word(data_bits), "data");
    return checks_of(data);
}

Decoded decode(std::uint64_t data, std::uint64_t check, int data_bits)
{
    const std::uint64_t expected = encode(data, data_bits);
    require_bits(check, check_bits(data_bits), "check bits");
    const auto syndrome = static_cast<unsigned>(expected ^ check);
    if (syndrome == 0) return {data, Verdict::clean};
    if (is_power_of_two(syndrome)) return {data, Verdict::corrected};
    if (syndrome > static_cast<unsigned>(data_bits + check_bits(data_bits))) return {data, Verdict::detected};
    return {data ^ std::uint64_t{1} << data_bit_at(syndrome), Verdict::corrected};
}

/// Ones of the rows of the parity check matrix, check bits included, less one of each row: the sum of a row;
/// and one to compare it with the stored check bit.
int xors(int data_bits)
{
    int sum = 0;
    unsigned position = 3;
    for (int bit = 0; bit < bits_of_word(data_bits); ++position)
    {
        if (is_power_of_two(position)) continue;
        for (unsigned rest = position; rest != 0; rest &= rest - 1)
            ++sum;
        ++bit;
    }
    return sum;
}

}  // namespace

const CodeTraits& hamming_sec_code()
{
    static const CodeTraits row{CodeKind::hamming_sec, "sec",      "Hamming SEC", 1,      1,
                                kMostDataBits,         check_bits, encode,        decode, xors};
    return row;
}

}  // namespace flipstorm
