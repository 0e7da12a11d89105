#include "engine/faults/fault_model.hpp"

#include "engine/base/error.hpp"

namespace flipstorm
{

float faulty_value(NumberFormat format, float value, WordFault fault)
{
    const int bit = highest_bit(fault.mask);
    FS_REQUIRE(bit < word_bits(format), "bit {} of a word of {}", bit, word_bits(format));
    return decode(format, static_cast<std::uint32_t>(apply(fault, encode(format, value))));
}

float flip_bit(NumberFormat format, float value, std::int32_t bit)
{
    FS_REQUIRE(bit >= 0 && bit < word_bits(format), "bit {} of a word of {}", bit, word_bits(format));
    return faulty_value(format, value, {std::uint32_t{1} << static_cast<unsigned>(bit), BitEffect::flipped});
}

}  // namespace flipstorm
