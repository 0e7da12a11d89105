#include "jobs/job_file/job_print.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <variant>

#include "engine/base/error.hpp"
#include "jobs/job_file/job_rules.hpp"

namespace flipstorm
{
namespace
{

std::string quoted(const std::string& text)
{
    std::string result = "\"";
    for (const char c : text)
    {
        const auto code = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
        {
            result += '\\';
            result += c;
        }
        else if (code < 0x20 || code == 0x7F)
        {
            result += fmt::format("\\u{:04X}", static_cast<unsigned>(code));
        }
        else
        {
            result += c;
        }
    }
    return result + "\"";
}

std::string number_text(double value)
{
    std::string text = fmt::format("{}", value);
    if (text.find_first_of(".eni") == std::string::npos) text += ".0";
    return text;
}

/// A name as a key: conv1, "layer1.0.conv1".
std::string key_text(const std::string& name)
{
    constexpr const char* kBare = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    const bool bare = !name.empty() && name.find_first_not_of(kBare) == std::string::npos;
    return bare ? name : quoted(name);
}

std::string entry_text(const StringTable::value_type& entry)
{
    return fmt::format("{} = {}", key_text(entry.first), quoted(entry.second));
}

template<class Values, class ToText>
std::string joined(const Values& values, ToText to_text)
{
    std::string text;
    for (const auto& value : values)
    {
        if (!text.empty()) text += ", ";
        text += to_text(value);
    }
    return text;
}

/// "memory for golden activations (MiB per rank)"
std::string meaning_text(const KeySpec& spec)
{
    return spec.unit.empty() ? spec.meaning : fmt::format("{} ({})", spec.meaning, spec.unit);
}

std::string job_text(Job& job, bool with_comments)
{
    std::string text;
    std::string table;
    for (const KeySpec& spec : job_keys())
    {
        if (spec.table != table)
        {
            text += fmt::format("{}[{}]\n", table.empty() ? "" : "\n", spec.table);
            table = spec.table;
        }
        if (with_comments)
        {
            const std::string limits = limits_text(spec);
            text += fmt::format("# {}{}\n", meaning_text(spec), limits.empty() ? "" : " [" + limits + "]");
        }
        text += fmt::format("{} = {}\n", spec.key, toml_text(spec.bind(job)));
    }
    return text;
}

}  // namespace

std::string toml_text(const KeyRef& value)
{
    return std::visit(
        [](const auto* v) -> std::string {
            using Value = std::decay_t<decltype(*v)>;
            if constexpr (std::is_same_v<Value, std::string>)
                return quoted(*v);
            else if constexpr (std::is_same_v<Value, double>)
                return number_text(*v);
            else if constexpr (std::is_integral_v<Value>)
                return fmt::format("{}", *v);
            else if constexpr (std::is_same_v<Value, std::vector<double>>)
                return "[" + joined(*v, number_text) + "]";
            else if constexpr (std::is_same_v<Value, StringTable>)
                return "{" + joined(*v, entry_text) + "}";
            else
                return "[" + joined(*v, quoted) + "]";
        },
        value);
}

std::string list_text(const std::vector<std::string>& values)
{
    return joined(values, quoted);
}

std::string print_job(Job job)
{
    return job_text(job, true);
}

std::string canonical_job(Job job)
{
    return job_text(job, false);
}

std::string canonical_tables(Job job, const std::vector<std::string>& tables,
                             const std::vector<KeySpec>& keys)
{
    const auto is_in = [](const std::vector<std::string>& list, const std::string& name) {
        return std::find(list.begin(), list.end(), name) != list.end();
    };
    for (const std::string& table : tables)
    {
        FS_REQUIRE(is_in(job_tables(), table), "the job has no table [{}]", table);
    }
    std::string text;
    for (const KeySpec& spec : keys)
    {
        if (!spec.identity || (spec.table != "job" && !is_in(tables, spec.table))) continue;
        if (is_left_unsaid(spec, job)) continue;
        text += fmt::format("{} = {}\n", spec.name(), toml_text(spec.bind(job)));
    }
    return text;
}

bool is_left_unsaid(const KeySpec& spec, Job job)
{
    if (spec.since.empty()) return false;
    Job unsaid = job;
    Job defaults;
    std::visit([&](auto* value) { *value = *std::get<decltype(value)>(spec.bind(defaults)); },
               spec.bind(unsaid));
    resolve_job(unsaid);
    return toml_text(spec.bind(unsaid)) == toml_text(spec.bind(job));
}

std::string document_keys()
{
    Job defaults;
    resolve_job(defaults);
    std::string text =
        "<!-- job keys -->\n| key | type | default | limits | meaning |\n|---|---|---|---|---|\n";
    for (const KeySpec& spec : job_keys())
    {
        const KeyRef value = spec.bind(defaults);
        const std::string standard =
            spec.default_note.empty() ? "`" + toml_text(value) + "`" : spec.default_note;
        const std::string type = type_name(value);
        text +=
            fmt::format("| `{}` | {}{} | {} | {} | {} |\n", spec.name(), spec.or_single ? "string or " : "",
                        type.substr(type.find(' ') + 1), standard, limits_text(spec), meaning_text(spec));
    }
    return text + "<!-- /job keys -->\n";
}

}  // namespace flipstorm
