#include "jobs/job_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <map>
#include <optional>
#include <sstream>
#include <string_view>
#include <toml.hpp>
#include <type_traits>
#include <variant>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "jobs/job_keys.hpp"
#include "jobs/job_print.hpp"
#include "jobs/job_rules.hpp"
#include "jobs/job_suggest.hpp"
#include "jobs/job_text.hpp"

namespace flipstorm
{
namespace
{

using TomlValue = toml::basic_value<toml::discard_comments, std::map>;

/// Where a value or a problem comes from.
struct Origin
{
    std::size_t line = 0;  ///< of the job file; 0: not from the file
    std::string label;     ///< "FILE:LINE", or "--set key=value"
};

TomlValue parse_toml(const std::string& text)
{
    std::istringstream stream(text, std::ios::binary);
    return toml::parse<toml::discard_comments, std::map>(stream, "");
}

std::string describe(const TomlValue& value)
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

/// A value's type; of a list, also the types in it.
std::string describe_whole(const TomlValue& value)
{
    if (!value.is_array() || value.as_array().empty()) return describe(value);
    std::vector<std::string> kinds;
    for (const TomlValue& entry : value.as_array())
    {
        const std::string kind = describe(entry);
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
            auto converted = convert<Target>(value);
            if (!converted)
            {
                return fmt::format("{} must be {}, not {}", spec.name(), type_name(target),
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

std::string trimmed(std::string_view text)
{
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return "";
    return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

/// The value of an override as TOML, or nothing if it is not a value.
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
    return parse(text);
}

/// Collects the values of a job and everything that is wrong with them.
class Reader
{
  public:
    explicit Reader(std::string file) : file_(std::move(file)) {}

    void read_text(const std::string& text)
    {
        if (const auto bad = first_bad_byte(text))
        {
            const auto line =
                1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(*bad), '\n');
            refuse(at_line(static_cast<std::size_t>(line)),
                   "not a job file: it holds bytes that are not UTF-8 text");
            is_readable_ = false;
            return;
        }
        try
        {
            read_document(parse_toml(text));
        }
        catch (const toml::syntax_error& error)
        {
            const SyntaxProblem problem = read_syntax_message(error.what());
            const std::size_t line = problem.line == 0 ? error.location().line() : problem.line;
            const std::size_t column = problem.line == 0 ? error.location().column() : problem.column;
            refuse({line, fmt::format("{}:{}:{}", file_, line, column)},
                   fmt::format("syntax error: {}, in: {}", problem.reason, line_of(text, line)));
            is_readable_ = false;
        }
        catch (const std::exception& error)
        {
            refuse({0, file_}, fmt::format("syntax error: {}", error.what()));
            is_readable_ = false;
        }
    }

    void read_override(const std::string& text)
    {
        const Origin origin{0, "--set " + text};
        const auto equals = text.find('=');
        if (equals == std::string::npos || first_bad_byte(text))
        {
            refuse(origin, "an override is written table.key=value");
            return;
        }
        const std::string name = trimmed(std::string_view(text).substr(0, equals));
        const std::string value_text = trimmed(std::string_view(text).substr(equals + 1));
        const auto dot = name.rfind('.');
        const std::string table = dot == std::string::npos ? "" : name.substr(0, dot);
        const KeySpec* const spec =
            check_name(origin, table, dot == std::string::npos ? name : name.substr(dot + 1));
        if (spec == nullptr) return;
        const KeyRef target = spec->bind(job_);
        const std::optional<TomlValue> value = override_value(target, value_text);
        if (value)
            take(*spec, *value, origin);
        else
            refuse(origin,
                   fmt::format("{} must be {}, not '{}'", spec->name(), type_name(target), value_text));
    }

    /// Put overrides on top, resolve. \throws JobError listing all problems, if there are any.
    JobFile finish(const std::vector<std::string>& overrides)
    {
        std::vector<NamedReader> variants = read_variants();
        for (const std::string& each : overrides)
            read_override(each);
        JobFile result;
        if (is_readable_)
        {
            resolve_job(job_);
            const std::vector<RuleProblem> common = rule_problems(job_);
            if (!variant_list_)
            {
                for (const RuleProblem& problem : common)
                    refuse(problem);
            }
            for (auto& [name, reader] : variants)
            {
                reader.finish_variant(name, overrides, common);
                adopt(reader.problems_);
                result.variants.push_back({name, std::move(reader.job_)});
                result.variants.back().job.job.name = job_.job.name + "." + name;
            }
        }
        throw_problems();
        result.job = job_;
        result.set_out(job_.job.out);
        return result;
    }

  private:
    struct Problem
    {
        Origin origin;
        std::string text;
    };

    using NamedReader = std::pair<std::string, Reader>;

    void throw_problems()
    {
        if (problems_.empty()) return;
        std::stable_sort(problems_.begin(), problems_.end(), [](const Problem& a, const Problem& b) {
            const auto rank = [](const Problem& problem) {
                return problem.origin.line == 0 ? std::numeric_limits<std::size_t>::max()
                                                : problem.origin.line;
            };
            return rank(a) < rank(b);
        });
        std::string message;
        for (const Problem& problem : problems_)
        {
            message +=
                fmt::format("{}{}: {}", message.empty() ? "" : "\n", problem.origin.label, problem.text);
        }
        throw JobError("{}", message);
    }

    [[nodiscard]] Origin at_line(std::size_t line) const { return {line, fmt::format("{}:{}", file_, line)}; }

    void refuse(Origin origin, std::string text)
    {
        problems_.push_back({std::move(origin), std::move(text)});
    }

    /// A broken rule counts where its first key was set, unless one of its keys is wrong already.
    void refuse(const RuleProblem& problem)
    {
        for (const std::string& key : problem.keys)
        {
            if (std::find(broken_.begin(), broken_.end(), key) != broken_.end()) return;
        }
        for (const std::string& key : problem.keys)
        {
            const auto found = origins_.find(key);
            if (found == origins_.end()) continue;
            refuse(found->second, problem.text);
            return;
        }
        refuse({0, file_}, problem.text);
    }

    /// Take over the problems of a variant, each once: those that come from what all have in common repeat.
    void adopt(const std::vector<Problem>& problems)
    {
        for (const Problem& problem : problems)
        {
            const bool is_known =
                std::any_of(problems_.begin(), problems_.end(), [&problem](const Problem& known) {
                    return known.origin.label == problem.origin.label && known.text == problem.text;
                });
            if (!is_known) problems_.push_back(problem);
        }
    }

    void read_document(const TomlValue& document)
    {
        for (const auto& [table, content] : document.as_table())
        {
            if (table == "variant")
                variant_list_ = content;
            else
                read_entry(table, content);
        }
    }

    /// A table of the document, or of a variant.
    void read_entry(const std::string& table, const TomlValue& content)
    {
        const Origin origin = at_line(content.location().line());
        if (!is_table(table))
        {
            const bool has_tables = content.is_table() || is_list_of_tables(content);
            refuse(origin, has_tables ? unknown_table_problem(table) : unknown_key_problem("", table));
        }
        else if (!content.is_table())
        {
            refuse(origin,
                   fmt::format("'{0}' must be a table, not {1}; write [{0}]", table, describe(content)));
        }
        else
        {
            read_table(table, content);
        }
    }

    /// The variants of the file, each on top of what was read so far; problems of their names are noted here.
    std::vector<NamedReader> read_variants()
    {
        std::vector<NamedReader> variants;
        if (!variant_list_) return variants;
        if (!is_list_of_tables(*variant_list_))
        {
            refuse(at_line(variant_list_->location().line()),
                   fmt::format("'variant' must be a list of tables, not {}; write [[variant]]",
                               describe_whole(*variant_list_)));
            return variants;
        }
        const Reader common = *this;
        for (const TomlValue& entry : variant_list_->as_array())
        {
            std::string name = read_variant_name(entry);
            for (const NamedReader& other : variants)
            {
                if (name.empty() || other.first != name) continue;
                refuse(at_line(entry.as_table().at("name").location().line()),
                       fmt::format("two variants have the name {}", list_text({name})));
            }
            Reader reader = common;
            reader.problems_.clear();
            for (const auto& [table, content] : entry.as_table())
            {
                if (table == "name") continue;
                reader.read_entry(table, content);
                if (table == "job" && content.is_table()) reader.refuse_name_and_folder(content);
            }
            variants.emplace_back(std::move(name), std::move(reader));
        }
        return variants;
    }

    /// The name of a variant; empty if there is none, or none that can be, and a problem is noted.
    std::string read_variant_name(const TomlValue& entry)
    {
        const auto found = entry.as_table().find("name");
        if (found == entry.as_table().end())
        {
            refuse(at_line(entry.location().line()), "a variant needs a name: name = \"…\"");
            return {};
        }
        const TomlValue& value = found->second;
        const Origin origin = at_line(value.location().line());
        if (!value.is_string())
        {
            refuse(origin, fmt::format("the name of a variant must be a string, not {}", describe(value)));
            return {};
        }
        const std::string name = value.as_string().str;
        const std::string problem = variant_name_problem(name);
        if (problem.empty()) return name;
        refuse(origin, fmt::format("the variant's name {} {}", list_text({name}), problem));
        return {};
    }

    void refuse_name_and_folder(const TomlValue& job_table)
    {
        for (const char* key : {"name", "out"})
        {
            const auto found = job_table.as_table().find(key);
            if (found == job_table.as_table().end()) continue;
            refuse(at_line(found->second.location().line()),
                   fmt::format("job.{} of a variant follows from the job's and the variant's name", key));
        }
    }

    /// Overrides, defaults and rules of a variant. \param common  rules that all variants break unless they
    /// change it
    void finish_variant(const std::string& name, const std::vector<std::string>& overrides,
                        const std::vector<RuleProblem>& common)
    {
        for (const std::string& each : overrides)
            read_override(each);
        resolve_job(job_);
        for (RuleProblem& problem : rule_problems(job_))
        {
            const bool is_common =
                std::any_of(common.begin(), common.end(),
                            [&problem](const RuleProblem& other) { return other.text == problem.text; });
            if (!is_common) problem.text = fmt::format("variant {}: {}", list_text({name}), problem.text);
            refuse(problem);
        }
    }

    void read_table(const std::string& table, const TomlValue& content)
    {
        for (const auto& [key, value] : content.as_table())
        {
            const Origin origin = at_line(value.location().line());
            const std::string inner = fmt::format("{}.{}", table, key);
            if (!is_table(inner))
            {
                if (const KeySpec* const spec = check_name(origin, table, key)) take(*spec, value, origin);
            }
            else if (!value.is_table())
            {
                refuse(origin,
                       fmt::format("'{0}' must be a table, not {1}; write [{0}]", inner, describe(value)));
            }
            else
            {
                read_table(inner, value);
            }
        }
    }

    static bool is_table(const std::string& name)
    {
        const std::vector<std::string>& tables = job_tables();
        return std::find(tables.begin(), tables.end(), name) != tables.end();
    }

    /// The key of that name; otherwise null, and a problem is noted.
    const KeySpec* check_name(const Origin& origin, const std::string& table, const std::string& key)
    {
        const KeySpec* const spec = find_key(table + "." + key);
        if (spec == nullptr) refuse(origin, unknown_key_problem(table, key));
        return spec;
    }

    /// Put a value into the job, or note why not; a wrong value leaves the job as it was.
    void take(const KeySpec& spec, const TomlValue& value, const Origin& origin)
    {
        origins_[spec.name()] = origin;
        Job changed = job_;
        std::vector<std::string> problems;
        if (const auto problem = assign(spec, value, spec.bind(changed)))
            problems.push_back(*problem);
        else
            problems = value_problems(spec, changed);
        if (problems.empty())
        {
            job_ = std::move(changed);
            return;
        }
        broken_.push_back(spec.name());
        for (std::string& problem : problems)
            refuse(origin, std::move(problem));
    }

    std::string file_;
    Job job_;
    std::map<std::string, Origin> origins_;  ///< of the keys that are set
    std::vector<std::string> broken_;        ///< keys with a problem of their own
    std::vector<Problem> problems_;
    std::optional<TomlValue> variant_list_;  ///< as it stands in the file
    bool is_readable_ = true;
};

}  // namespace

JobFile read_job_file(const std::filesystem::path& file, const std::vector<std::string>& overrides)
{
    std::string text;
    try
    {
        text = read_file(file);
    }
    catch (const FileError& error)
    {
        throw JobError("job file: {}", error.what());
    }
    Reader reader(file.string());
    reader.read_text(text);
    return reader.finish(overrides);
}

Job read_job_text(const std::string& text, const std::string& name)
{
    Reader reader(name);
    reader.read_text(text);
    return reader.finish({}).job;
}

Job read_job(const std::filesystem::path& file, const std::vector<std::string>& overrides)
{
    return read_job_file(file, overrides).job;
}

}  // namespace flipstorm
