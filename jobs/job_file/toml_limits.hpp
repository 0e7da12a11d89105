#pragma once
// Bounds on a TOML text, checked before it is parsed: the parser recurses for every level of nesting and
// takes time that grows with the square of a line's length, so that a text of a few kilobytes could end the
// program or keep it busy for hours. Pure.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flipstorm
{

/// Largest job file in bytes.
inline constexpr std::uint64_t kLongestJobFile = std::uint64_t{1} << 20U;

/// What a text may have at most.
struct TomlLimits
{
    std::size_t line = 8192;   ///< bytes of a line; those within a string of three quotes do not count
    std::size_t depth = 32;    ///< lists and tables in each other, and parts of a name with dots
    std::size_t key = 256;     ///< bytes of a key, dots and quotes included
    std::size_t keys = 10000;  ///< in the whole text
    std::size_t list = 10000;  ///< elements of a list
};

/// Limits of a job that this program has written itself: its lists stand on one line.
inline constexpr TomlLimits kOwnJobLimits{std::size_t{1} << 18U, 32, 256, 10000, 10000};

/// What exceeds its limit.
struct TomlExcess
{
    std::size_t line = 0;  ///< from 1
    std::string reason;    ///< with the limit
};

/// The first excess of a text; none if it keeps the limits. Texts that are no TOML may pass.
[[nodiscard]] std::optional<TomlExcess> toml_excess(std::string_view text, const TomlLimits& limits = {});

}  // namespace flipstorm
