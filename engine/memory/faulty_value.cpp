#include "engine/memory/faulty_value.hpp"

#include "engine/base/error.hpp"

namespace flipstorm
{

float faulty_word(const FormatTraits& traits, std::uint32_t word, WordFault fault, float scale)
{
    const int bit = highest_bit(fault.mask);
    FS_REQUIRE(bit < traits.bits, "bit {} of a word of {}", bit, traits.bits);
    return traits.decode(static_cast<std::uint32_t>(apply(fault, word)), scale);
}

float faulty_value(const FormatTraits& traits, float value, WordFault fault, float scale)
{
    return faulty_word(traits, traits.encode(value, scale), fault, scale);
}

}  // namespace flipstorm
