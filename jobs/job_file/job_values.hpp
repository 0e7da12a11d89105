#pragma once
// Values of a job as TOML has them, and how they become those of keys. Internal to the reading of job files;
// this header brings in toml11.

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <toml.hpp>
#include <vector>

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

/// Something that is wrong with the value of a key.
struct ValueProblem
{
    std::size_t line = 0;  ///< of the entry of a table; 0: of the whole value
    std::string text;
};

/// Give a key its value, or say everything that is wrong with it; then the job stays as it was.
[[nodiscard]] std::vector<ValueProblem> put_value(const KeySpec& spec, const TomlValue& value, Job& job);

/// Without blanks at its ends.
[[nodiscard]] std::string trimmed(std::string_view text);

/// The value of an override as TOML, or nothing if it is not a value.
[[nodiscard]] std::optional<TomlValue> override_value(const KeyRef& target, const std::string& text);

/// Of the name of an entry, such as model.formats.conv1, the key model.formats; null for another name.
[[nodiscard]] const KeySpec* table_of_entry(const std::string& name);

/// A StringTable with an entry more, as an override has it; nothing if that is not a value. \param name
/// quotes around it may be there or not
[[nodiscard]] std::optional<TomlValue> value_with_entry(const KeyRef& table, const std::string& name,
                                                        const std::string& text);

}  // namespace flipstorm
