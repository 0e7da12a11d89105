#include "jobs/json_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

namespace flipstorm
{

std::string json(const std::string& text)
{
    std::string out = "\"";
    for (const char c : text)
    {
        if (c == '"' || c == '\\')
            out += fmt::format("\\{}", c);
        else if (static_cast<unsigned char>(c) < 0x20)
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        else
            out += c;
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
