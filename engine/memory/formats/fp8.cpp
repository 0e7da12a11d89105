#include "engine/memory/formats/fp8.hpp"

#include "engine/memory/formats/binary_float.hpp"

namespace flipstorm
{
namespace
{

template<class Float>
FormatTraits row_of(NumberFormat format, const char* name, int exponent, int mantissa)
{
    FormatTraits traits;
    traits.format = format;
    traits.name = name;
    traits.bits = Float::kBits;
    traits.fields = {
        {BitMeaning::sign, 1}, {BitMeaning::exponent, exponent}, {BitMeaning::mantissa, mantissa}};
    traits.classes = {{"sign", 1, 0.02},
                      {"top exponent", 1, 0.5},
                      {"lower exponent", exponent - 1, 0.04},
                      {"mantissa", mantissa, 0.01}};
    traits.encode = [](float value, float /*scale*/) { return Float::encode(value); };
    traits.decode = [](std::uint32_t word, float /*scale*/) { return Float::decode(word); };
    return traits;
}

}  // namespace

const FormatTraits& fp8_e4m3_format()
{
    static const FormatTraits row =
        row_of<BinaryFloat<4, 3, TopExponent::numbers>>(NumberFormat::fp8_e4m3, "fp8_e4m3", 4, 3);
    return row;
}

const FormatTraits& fp8_e5m2_format()
{
    static const FormatTraits row =
        row_of<BinaryFloat<5, 2, TopExponent::infinity_and_nan>>(NumberFormat::fp8_e5m2, "fp8_e5m2", 5, 2);
    return row;
}

}  // namespace flipstorm
