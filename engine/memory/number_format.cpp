#include "engine/memory/number_format.hpp"

#include <cstring>

#include "engine/base/error.hpp"

namespace flipstorm
{

static_assert(sizeof(float) == sizeof(std::uint32_t));

NumberFormat number_format(std::string_view name)
{
    if (name == "fp32") return NumberFormat::fp32;
    throw JobError("number format '{}' is not known; this build has: fp32", name);
}

std::string to_string(NumberFormat format)
{
    switch (format)
    {
        case NumberFormat::fp32:
            return "fp32";
    }
    throw Error("number format {} has no name", static_cast<int>(format));
}

int word_bits(NumberFormat format)
{
    switch (format)
    {
        case NumberFormat::fp32:
            return 32;
    }
    throw Error("number format {} has no word size", static_cast<int>(format));
}

std::uint32_t encode(NumberFormat format, float value)
{
    switch (format)
    {
        case NumberFormat::fp32: {
            std::uint32_t word = 0;
            std::memcpy(&word, &value, sizeof word);
            return word;
        }
    }
    throw Error("number format {} cannot be encoded", static_cast<int>(format));
}

float decode(NumberFormat format, std::uint32_t word)
{
    switch (format)
    {
        case NumberFormat::fp32: {
            float value = 0;
            std::memcpy(&value, &word, sizeof value);
            return value;
        }
    }
    throw Error("number format {} cannot be decoded", static_cast<int>(format));
}

}  // namespace flipstorm
