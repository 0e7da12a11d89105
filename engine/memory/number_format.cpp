#include "engine/memory/number_format.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/memory/formats/bf16.hpp"
#include "engine/memory/formats/fp16.hpp"
#include "engine/memory/formats/fp32.hpp"
#include "engine/memory/formats/fp8.hpp"
#include "engine/memory/formats/whole_number.hpp"

namespace flipstorm
{
namespace
{

/// The table: a row of each format. A format without one does not compile. Null: no format has that number.
const FormatTraits* row_of(NumberFormat format)
{
    switch (format)
    {
        case NumberFormat::fp32:
            return &fp32_format();
        case NumberFormat::fp16:
            return &fp16_format();
        case NumberFormat::bf16:
            return &bf16_format();
        case NumberFormat::fp8_e4m3:
            return &fp8_e4m3_format();
        case NumberFormat::fp8_e5m2:
            return &fp8_e5m2_format();
        case NumberFormat::fxp32:
            return &fxp32_format();
        case NumberFormat::fxp16:
            return &fxp16_format();
        case NumberFormat::fxp8:
            return &fxp8_format();
        case NumberFormat::int8:
            return &int8_format();
        case NumberFormat::int32:
            return &int32_format();
    }
    return nullptr;
}

std::vector<NumberFormat> all_formats()
{
    std::vector<NumberFormat> all;
    for (auto format = NumberFormat{}; row_of(format) != nullptr;
         format = static_cast<NumberFormat>(all.size()))
        all.push_back(format);
    return all;
}

}  // namespace

std::string to_string(BitMeaning meaning)
{
    switch (meaning)
    {
        case BitMeaning::sign:
            return "sign";
        case BitMeaning::exponent:
            return "exponent";
        case BitMeaning::mantissa:
            return "mantissa";
        case BitMeaning::integer:
            return "integer";
        case BitMeaning::fraction:
            return "fraction";
    }
    throw Error("bits of meaning {} have no name", static_cast<int>(meaning));
}

bool FormatTraits::floating() const
{
    return std::any_of(fields.begin(), fields.end(),
                       [](const BitField& field) { return field.meaning == BitMeaning::exponent; });
}

const FormatTraits& format_traits(NumberFormat format)
{
    const FormatTraits* const row = row_of(format);
    FS_REQUIRE(row != nullptr, "no number format is number {}", static_cast<int>(format));
    return *row;
}

const std::vector<NumberFormat>& number_formats()
{
    static const std::vector<NumberFormat> all = all_formats();
    return all;
}

std::vector<std::string> number_format_names()
{
    std::vector<std::string> names;
    for (const NumberFormat format : number_formats())
    {
        if (format_traits(format).of_weights) names.push_back(to_string(format));
    }
    return names;
}

NumberFormat number_format(std::string_view name)
{
    const FormatTraits* const row = find_format(name);
    if (row != nullptr && row->of_weights) return row->format;
    throw JobError("number format '{}' is not known; this build has: {}", name,
                   fmt::join(number_format_names(), ", "));
}

const FormatTraits* find_format(std::string_view name)
{
    for (const NumberFormat format : number_formats())
    {
        if (format_traits(format).name == name) return &format_traits(format);
    }
    return nullptr;
}

std::string to_string(NumberFormat format)
{
    return format_traits(format).name;
}

std::string fields_text(NumberFormat format)
{
    std::string text;
    for (const BitField& field : format_traits(format).fields)
        text += fmt::format("{}{}:{}", text.empty() ? "" : ",", to_string(field.meaning), field.bits);
    return to_string(format) + "=" + text;
}

int word_bits(NumberFormat format)
{
    return format_traits(format).bits;
}

}  // namespace flipstorm
