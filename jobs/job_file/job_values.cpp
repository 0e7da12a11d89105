#include "jobs/job_file/job_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <limits>
#include <sstream>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "jobs/job_file/job_rules.hpp"

namespace flipstorm
{
namespace
{

/// The value as T if TOML's type fits; integers also fit numbers.
template<class T>
std::optional<T> convert(const TomlValue& value)
{
    if constexpr (std::is_same_v<T, std::string>)
    {
        if (value.is_string()) return value.as_string().str;
    }
    else if constexpr (std::is_same_v<T, double>)
    {
        if (value.is_floating()) return value.as_floating();
        if (value.is_integer()) return static_cast<double>(value.as_integer());
    }
    else if constexpr (std::is_same_v<T, bool>)
    {
        if (value.is_boolean()) return value.as_boolean();
    }
    else if constexpr (std::is_integral_v<T>)
    {
        if (value.is_integer()) return static_cast<T>(value.as_integer());
    }
    else if constexpr (std::is_same_v<T, StringTable>)
    {
        if (!value.is_table()) return std::nullopt;
        T table;
        for (const auto& [name, entry] : value.as_table())
        {
            auto converted = convert<std::string>(entry);
            if (!converted) return std::nullopt;
            table.emplace(name, std::move(*converted));
        }
        return table;
    }
    else
    {
        if (!value.is_array()) return std::nullopt;
        T list;
        for (const TomlValue& entry : value.as_array())
        {
            auto converted = convert<typename T::value_type>(entry);
            if (!converted) return std::nullopt;
            list.push_back(std::move(*converted));
        }
        return list;
    }
    return std::nullopt;
}

/// What is wrong with each entry of a StringTable.
std::vector<ValueProblem> entry_problems(const KeySpec& spec, const TomlValue& table)
{
    std::vector<ValueProblem> problems;
    for (const auto& [name, entry] : table.as_table())
    {
        const std::size_t line = entry.location().line();
        if (!entry.is_string())
        {
            problems.push_back(
                {line,
                 fmt::format("{}.{} must be a string, not {}{}", spec.name(), name, describe_whole(entry),
                             entry.is_table() ? "; a name with dots stands in quotes" : "")});
            continue;
        }
        Job alone;
        *std::get<StringTable*>(spec.bind(alone)) = {{name, entry.as_string().str}};
        for (std::string& problem : value_problems(spec, alone))
            problems.push_back({line, std::move(problem)});
    }
    return problems;
}

/// Set `target`, the key's value, or say why it cannot be.
std::optional<std::string> assign(const KeySpec& spec, const TomlValue& value, const KeyRef& target)
{
    // toml11 replaces integers that do not fit 64 bits by the nearest that does.
    using Integer = std::numeric_limits<std::int64_t>;
    if (value.is_integer() && (value.as_integer() == Integer::max() || value.as_integer() == Integer::min()))
    {
        return fmt::format("{} does not fit a 64-bit integer", spec.name());
    }
    return std::visit(
        [&](auto* to) -> std::optional<std::string> {
            using Target = std::decay_t<decltype(*to)>;
            if constexpr (std::is_same_v<Target, std::vector<std::string>>)
            {
                if (spec.or_single && value.is_string())
                {
                    *to = {value.as_string().str};
                    return std::nullopt;
                }
            }
            auto converted = convert<Target>(value);
            if (!converted)
            {
                return fmt::format("{} must be {}{}, not {}", spec.name(),
                                   spec.or_single ? "a string or " : "", type_name(target),
                                   describe_whole(value));
            }
            if (std::is_unsigned_v<Target> && value.is_integer() && value.as_integer() < 0)
            {
                return fmt::format("{} = {} is out of range; it must be {}", spec.name(), value.as_integer(),
                                   spec.limits.text());
            }
            *to = std::move(*converted);
            return std::nullopt;
        },
        target);
}

}  // namespace

TomlValue parse_toml(const std::string& text)
{
    std::istringstream stream(text, std::ios::binary);
    return toml::parse<toml::discard_comments, std::map>(stream, "");
}

std::string describe_type(const TomlValue& value)
{
    switch (value.type())
    {
        case toml::value_t::boolean:
            return "a boolean";
        case toml::value_t::integer:
            return "an integer";
        case toml::value_t::floating:
            return "a number with a fraction";
        case toml::value_t::string:
            return "a string";
        case toml::value_t::array:
            return "a list";
        case toml::value_t::table:
            return "a table";
        default:
            return "a date or time";
    }
}

std::string describe_whole(const TomlValue& value)
{
    if (!value.is_array() || value.as_array().empty()) return describe_type(value);
    std::vector<std::string> kinds;
    for (const TomlValue& entry : value.as_array())
    {
        const std::string kind = describe_type(entry);
        if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
    }
    return fmt::format("a list with {}", fmt::join(kinds, " and "));
}

bool is_list_of_tables(const TomlValue& value)
{
    return value.is_array() && !value.as_array().empty() &&
           std::all_of(value.as_array().begin(), value.as_array().end(),
                       [](const TomlValue& entry) { return entry.is_table(); });
}

std::vector<ValueProblem> put_value(const KeySpec& spec, const TomlValue& value, Job& job)
{
    if (is_string_table(spec) && value.is_table())
    {
        std::vector<ValueProblem> problems = entry_problems(spec, value);
        if (!problems.empty()) return problems;
    }
    Job changed = job;
    if (const auto problem = assign(spec, value, spec.bind(changed))) return {{0, *problem}};
    std::vector<ValueProblem> problems;
    for (std::string& problem : value_problems(spec, changed))
        problems.push_back({0, std::move(problem)});
    if (problems.empty()) job = std::move(changed);
    return problems;
}

std::string trimmed(std::string_view text)
{
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return "";
    return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

std::optional<TomlValue> override_value(const KeyRef& target, const std::string& text)
{
    const auto parse = [](const std::string& value) -> std::optional<TomlValue> {
        try
        {
            const TomlValue document = parse_toml("value = " + value + "\n");
            if (document.size() != 1) return std::nullopt;
            return document.at("value");
        }
        catch (const std::exception&)
        {
            return std::nullopt;
        }
    };
    const bool has_quotes = text.find_first_of("\"'") != std::string::npos;
    if (std::holds_alternative<std::string*>(target))
    {
        const bool is_quoted = !text.empty() && (text.front() == '"' || text.front() == '\'');
        return is_quoted ? parse(text) : TomlValue(text);
    }
    if (std::holds_alternative<std::vector<std::string>*>(target) && !has_quotes && text.size() >= 2 &&
        text.front() == '[' && text.back() == ']')
    {
        TomlValue::array_type words;
        std::istringstream stream(text.substr(1, text.size() - 2));
        for (std::string word; std::getline(stream, word, ',');)
            words.emplace_back(trimmed(word));
        return TomlValue(words);
    }
    if (std::holds_alternative<StringTable*>(target) && !has_quotes && text.size() >= 2 &&
        text.front() == '{' && text.back() == '}')
    {
        TomlValue::table_type entries;
        std::istringstream stream(text.substr(1, text.size() - 2));
        for (std::string entry; std::getline(stream, entry, ',');)
        {
            const auto equals = entry.find('=');
            if (equals == std::string::npos) return std::nullopt;
            entries[trimmed(entry.substr(0, equals))] = TomlValue(trimmed(entry.substr(equals + 1)));
        }
        return TomlValue(entries);
    }
    return parse(text);
}

const KeySpec* table_of_entry(const std::string& name)
{
    for (const KeySpec& spec : job_keys())
    {
        const std::string lead = spec.name() + ".";
        if (is_string_table(spec) && name.rfind(lead, 0) == 0) return &spec;
    }
    return nullptr;
}

std::optional<TomlValue> value_with_entry(const KeyRef& table, const std::string& name,
                                          const std::string& text)
{
    std::string entry;
    const std::optional<TomlValue> value = override_value(&entry, text);
    if (!value) return std::nullopt;
    TomlValue::table_type entries;
    for (const auto& [other, content] : *std::get<StringTable*>(table))
        entries[other] = TomlValue(content);
    const bool quoted =
        name.size() >= 2 && name.front() == name.back() && (name.front() == '"' || name.front() == '\'');
    entries[quoted ? name.substr(1, name.size() - 2) : name] = *value;
    return TomlValue(entries);
}

}  // namespace flipstorm
