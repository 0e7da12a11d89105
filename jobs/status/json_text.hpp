#pragma once
// JSON as text, for what other programs read: numbers are doubles or counts, texts are escaped.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace flipstorm
{

/// A value as JSON; a number that is not finite becomes null, and of a text each byte that is not UTF-8
/// becomes U+FFFD.
[[nodiscard]] std::string json(const std::string& text);
[[nodiscard]] std::string json(double value);
[[nodiscard]] std::string json(std::uint64_t value);

/// Names and values, the latter JSON already.
using JsonFields = std::vector<std::pair<std::string, std::string>>;

/// An object on one line.
[[nodiscard]] std::string json_object(const JsonFields& fields);

/// An array of values that are JSON already, one a line.
[[nodiscard]] std::string json_array(const std::vector<std::string>& values);

/// An array on one line.
template<class T>
[[nodiscard]] std::string json_list(const std::vector<T>& values)
{
    std::string out;
    for (const T& value : values)
        out += (out.empty() ? "" : ", ") + json(value);
    return "[" + out + "]";
}

}  // namespace flipstorm
