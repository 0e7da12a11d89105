#pragma once
// JSON as text, for what other programs read.

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace flipstorm
{

/// Keys in the order of their writing.
using Json = nlohmann::ordered_json;

/// The text of a value, with a line feed at the end. UTF-8 whatever bytes its texts have: what is no
/// character becomes U+FFFD. A number that is not finite is null.
[[nodiscard]] std::string json_text(const Json& value);

}  // namespace flipstorm
