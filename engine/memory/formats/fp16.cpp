#include "engine/memory/formats/fp16.hpp"

#include "engine/memory/formats/binary_float.hpp"

namespace flipstorm
{
namespace
{

using Binary16 = BinaryFloat<5, 10, TopExponent::infinity_and_nan>;

}  // namespace

const FormatTraits& fp16_format()
{
    static const FormatTraits row = [] {
        FormatTraits traits;
        traits.format = NumberFormat::fp16;
        traits.name = "fp16";
        traits.bits = Binary16::kBits;
        traits.fields = {{BitMeaning::sign, 1}, {BitMeaning::exponent, 5}, {BitMeaning::mantissa, 10}};
        traits.classes = {{"sign", 1, 0.006},
                          {"top exponent", 1, 0.5},
                          {"lower exponent", 4, 0.04},
                          {"upper mantissa", 4, 0.006},
                          {"lower mantissa", 6, 0.0055}};
        traits.encode = [](float value, float /*scale*/) { return Binary16::encode(value); };
        traits.decode = [](std::uint32_t word, float /*scale*/) { return Binary16::decode(word); };
        return traits;
    }();
    return row;
}

}  // namespace flipstorm
