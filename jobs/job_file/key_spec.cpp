// What the value of a key may be, and how that is said.

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "jobs/job_file/job_keys.hpp"
#include "jobs/job_file/job_print.hpp"

namespace flipstorm
{

bool Limits::allow(double value) const
{
    return (low_open ? value > low : value >= low) && (high_open ? value < high : value <= high);
}

std::string Limits::text() const
{
    const auto number = [](double value) {
        return value == std::floor(value) ? fmt::format("{:.0f}", value) : fmt::format("{}", value);
    };
    std::string text;
    if (std::isfinite(low)) text = fmt::format("{} {}", low_open ? ">" : "≥", number(low));
    if (std::isfinite(high))
    {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", high_open ? "<" : "≤", number(high));
    }
    return text;
}

bool is_string_table(const KeySpec& spec)
{
    Job job;
    return std::holds_alternative<StringTable*>(spec.bind(job));
}

std::string type_name(const KeyRef& value)
{
    constexpr std::array<const char*, std::variant_size_v<KeyRef>> kNames = {
        "a boolean", "a string",          "an integer",        "an integer",
        "a number",  "a list of numbers", "a list of strings", "a table of strings"};
    return kNames.at(value.index());
}

std::string limits_text(const KeySpec& spec)
{
    return spec.choices.empty() ? spec.limits.text() : list_text(spec.choices);
}

}  // namespace flipstorm
