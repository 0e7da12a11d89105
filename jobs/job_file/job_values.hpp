#pragma once
// Values of a job as TOML has them, and how they become those of keys. Internal to the reading of job files;
// this header brings in toml11.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <toml.hpp>

#include "jobs/job_file/job_keys.hpp"

namespace flipstorm
{

using TomlValue = toml::basic_value<toml::discard_comments, std::map>;

/// Parse a text that keeps its limits (toml_limits.hpp). \throws toml::exception
[[nodiscard]] TomlValue parse_toml(const std::string& text);

/// A value's type in words: "an integer".
[[nodiscard]] std::string describe_type(const TomlValue& value);

/// The same; of a list, also the types in it.
[[nodiscard]] std::string describe_whole(const TomlValue& value);

[[nodiscard]] bool is_list_of_tables(const TomlValue& value);

/// Set `target`, the key's value, or say why it cannot be.
[[nodiscard]] std::optional<std::string> assign(const KeySpec& spec, const TomlValue& value,
                                                const KeyRef& target);

/// Without blanks at its ends.
[[nodiscard]] std::string trimmed(std::string_view text);

/// The value of an override as TOML, or nothing if it is not a value.
[[nodiscard]] std::optional<TomlValue> override_value(const KeyRef& target, const std::string& text);

}  // namespace flipstorm
