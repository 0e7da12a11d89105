#include "engine/memory/formats/bf16.hpp"

#include "engine/memory/formats/binary_float.hpp"

namespace flipstorm
{
namespace
{

using Bfloat16 = BinaryFloat<8, 7, TopExponent::infinity_and_nan>;

}  // namespace

const FormatTraits& bf16_format()
{
    static const FormatTraits row = [] {
        FormatTraits traits;
        traits.format = NumberFormat::bf16;
        traits.name = "bf16";
        traits.bits = Bfloat16::kBits;
        traits.fields = {{BitMeaning::sign, 1}, {BitMeaning::exponent, 8}, {BitMeaning::mantissa, 7}};
        traits.classes = {{"sign", 1, 0.006},
                          {"top exponent", 1, 0.5},
                          {"upper exponent", 3, 0.006},
                          {"lower exponent", 4, 0.06},
                          {"mantissa", 7, 0.006}};
        traits.encode = [](float value, float /*scale*/) { return Bfloat16::encode(value); };
        traits.decode = [](std::uint32_t word, float /*scale*/) { return Bfloat16::decode(word); };
        return traits;
    }();
    return row;
}

}  // namespace flipstorm
