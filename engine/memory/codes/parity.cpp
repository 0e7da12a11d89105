#include "engine/memory/codes/parity.hpp"

#include <bitset>

#include "engine/memory/codes/word_bits.hpp"

namespace flipstorm
{
namespace
{

int check_bits(int data_bits)
{
    FS_REQUIRE(data_bits >= 1, "a code over {} bits", data_bits);
    return 1;
}

std::uint64_t encode(std::uint64_t data, int data_bits)
{
    require_bits(data, bits_of_word(data_bits), "data");
    return std::bitset<64>(data).count() % 2;
}

Decoded decode(std::uint64_t data, std::uint64_t check, int data_bits)
{
    require_bits(check, 1, "check bits");
    return {data, encode(data, data_bits) == check ? Verdict::clean : Verdict::detected};
}

int xors(int data_bits)
{
    return bits_of_word(data_bits);
}

}  // namespace

const CodeTraits& parity_code()
{
    static const CodeTraits row{CodeKind::parity, "parity",   "Parity", 0,      1,
                                kMostDataBits,    check_bits, encode,   decode, xors};
    return row;
}

}  // namespace flipstorm
