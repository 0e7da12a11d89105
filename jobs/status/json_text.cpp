#include "jobs/status/json_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "engine/base/printable_text.hpp"

namespace flipstorm
{

std::string json(const std::string& text)
{
    std::string out = "\"";
    for (std::size_t at = 0; at < text.size();)
    {
        const char c = text[at];
        const std::size_t length = utf8_length(text, at);
        if (length == 0)
            out += "\uFFFD";  // what Unicode asks to put for bytes that are no character
        else if (c == '"' || c == '\\')
            out += fmt::format("\\{}", c);
        else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        else
            out.append(text, at, length);
        at += std::max<std::size_t>(1, length);
    }
    return out + "\"";
}

std::string json(double value)
{
    return std::isfinite(value) ? fmt::format("{}", value) : "null";
}

std::string json(std::uint64_t value)
{
    return std::to_string(value);
}

std::string json_object(const JsonFields& fields)
{
    std::string out;
    for (const auto& [name, value] : fields)
        out += fmt::format("{}{}: {}", out.empty() ? "" : ", ", json(name), value);
    return "{" + out + "}";
}

std::string json_array(const std::vector<std::string>& values)
{
    return "[" + fmt::format("{}", fmt::join(values, ",\n  ")) + "]";
}

}  // namespace flipstorm
