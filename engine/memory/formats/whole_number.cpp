#include "engine/memory/formats/whole_number.hpp"

#include <cmath>

namespace flipstorm
{
namespace
{

template<int BITS>
std::uint32_t encode(float value, float scale)
{
    constexpr auto kLargest = static_cast<double>((std::int64_t{1} << (BITS - 1)) - 1);
    if (std::isnan(value)) return 0;
    const double units = std::nearbyint(static_cast<double>(value) / static_cast<double>(scale));
    const double code = std::fmin(std::fmax(units, -kLargest - 1), kLargest);
    return static_cast<std::uint32_t>(static_cast<std::int64_t>(code)) & (~std::uint32_t{0} >> (32 - BITS));
}

template<int BITS>
float decode(std::uint32_t word, float scale)
{
    return static_cast<float>(static_cast<double>(whole_number(word, BITS)) * static_cast<double>(scale));
}

template<int BITS>
FormatTraits row_of(NumberFormat format, const char* name, Scaling scaling)
{
    FormatTraits traits;
    traits.format = format;
    traits.name = name;
    traits.bits = BITS;
    const BitMeaning digits = scaling == Scaling::power_of_two ? BitMeaning::fraction : BitMeaning::integer;
    traits.fields = {{BitMeaning::sign, 1}, {digits, BITS - 1}};
    traits.classes = {
        {"sign", 1, 0.5}, {"upper digits", 3, 0.2}, {"middle digits", 2, 0.05}, {"lower digits", 2, 0.02}};
    if (BITS > 8) traits.classes.push_back({"least digits", BITS - 8, 0.006});
    traits.scaling = scaling;
    traits.whole_numbers = true;
    traits.encode = encode<BITS>;
    traits.decode = decode<BITS>;
    return traits;
}

}  // namespace

const FormatTraits& fxp32_format()
{
    static const FormatTraits row = row_of<32>(NumberFormat::fxp32, "fxp32", Scaling::power_of_two);
    return row;
}

const FormatTraits& fxp16_format()
{
    static const FormatTraits row = row_of<16>(NumberFormat::fxp16, "fxp16", Scaling::power_of_two);
    return row;
}

const FormatTraits& fxp8_format()
{
    static const FormatTraits row = row_of<8>(NumberFormat::fxp8, "fxp8", Scaling::power_of_two);
    return row;
}

const FormatTraits& int8_format()
{
    static const FormatTraits row = row_of<8>(NumberFormat::int8, "int8", Scaling::any);
    return row;
}

const FormatTraits& int32_format()
{
    static const FormatTraits row = [] {
        FormatTraits traits = row_of<32>(NumberFormat::int32, "int32", Scaling::any);
        traits.of_weights = false;
        return traits;
    }();
    return row;
}

}  // namespace flipstorm
