#pragma once
// Seconds and bytes for people.

#include <string>

namespace flipstorm
{

/// "0.52 s", "12.3 min", "3.1 h", "12.0 d"; "-" for NaN.
[[nodiscard]] std::string time_text(double seconds);

/// "870 bytes", "12.0 kB", "3.4 MB", "1.2 GB": powers of 1,000.
[[nodiscard]] std::string size_text(double bytes);

}  // namespace flipstorm
