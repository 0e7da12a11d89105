#include "engine/base/units_text.hpp"

#include <fmt/format.h>

#include <cmath>

namespace flipstorm
{

std::string time_text(double seconds)
{
    if (std::isnan(seconds)) return "-";
    if (seconds < 120) return fmt::format("{:.3g} s", seconds);
    if (seconds < 7200) return fmt::format("{:.1f} min", seconds / 60);
    return seconds < 172800 ? fmt::format("{:.1f} h", seconds / 3600)
                            : fmt::format("{:.1f} d", seconds / 86400);
}

std::string size_text(double bytes)
{
    if (bytes < 1e3) return fmt::format("{:.0f} bytes", bytes);
    if (bytes < 1e6) return fmt::format("{:.1f} kB", bytes / 1e3);
    return bytes < 1e9 ? fmt::format("{:.1f} MB", bytes / 1e6) : fmt::format("{:.1f} GB", bytes / 1e9);
}

}  // namespace flipstorm
