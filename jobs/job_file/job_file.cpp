#include "jobs/job_file/job_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <optional>
#include <string_view>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "jobs/job_file/job_keys.hpp"
#include "jobs/job_file/job_print.hpp"
#include "jobs/job_file/job_problems.hpp"
#include "jobs/job_file/job_rules.hpp"
#include "jobs/job_file/job_suggest.hpp"
#include "jobs/job_file/job_text.hpp"
#include "jobs/job_file/job_values.hpp"
#include "jobs/job_file/toml_limits.hpp"

namespace flipstorm
{
namespace
{

constexpr std::size_t kLongestQuote = 200;  ///< of the file or the command line, in bytes
/// An argument of the command line is one line.
constexpr TomlLimits kOverrideLimits{std::size_t{1} << 16U, 32, 256, 10000, 10000};

/// Collects the values of a job and everything that is wrong with them.
class Reader
{
  public:
    explicit Reader(std::string file) : problems_(std::move(file)) {}

    void read_text(const std::string& text, const TomlLimits& limits = {})
    {
        if (const auto bad = first_bad_byte(text))
        {
            const auto line =
                1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(*bad), '\n');
            problems_.refuse(problems_.at_line(static_cast<std::size_t>(line)),
                             "not a job file: it holds bytes that are not UTF-8 text");
            is_readable_ = false;
            return;
        }
        if (const auto excess = toml_excess(text, limits))
        {
            problems_.refuse(problems_.at_line(excess->line), excess->reason);
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
            problems_.refuse({line, fmt::format("{}:{}:{}", problems_.file(), line, column)},
                             fmt::format("syntax error: {}, in: {}", problem.reason,
                                         shortened(line_of(text, line), kLongestQuote)));
            is_readable_ = false;
        }
        catch (const std::exception& error)
        {
            problems_.refuse({0, problems_.file()}, fmt::format("syntax error: {}", error.what()));
            is_readable_ = false;
        }
    }

    void read_override(const std::string& text)
    {
        const Origin origin{0, "--set " + text};
        const auto equals = text.find('=');
        if (equals == std::string::npos || first_bad_byte(text))
        {
            problems_.refuse(origin, "an override is written table.key=value");
            return;
        }
        if (const auto excess = toml_excess(text, kOverrideLimits))
        {
            problems_.refuse({0, "--set " + shortened(text, kLongestQuote)}, excess->reason);
            return;
        }
        const std::string name = trimmed(std::string_view(text).substr(0, equals));
        const std::string value_text = trimmed(std::string_view(text).substr(equals + 1));
        if (const KeySpec* const table = table_of_entry(name))
        {
            const std::string entry = name.substr(table->name().size() + 1);
            if (const auto value = value_with_entry(table->bind(job_), entry, value_text))
                take(*table, *value, origin);
            else
                problems_.refuse(origin, fmt::format("{} must be a string, not '{}'", name, value_text));
            return;
        }
        const auto dot = name.rfind('.');
        const std::string table = dot == std::string::npos ? "" : name.substr(0, dot);
        const KeySpec* const spec =
            check_name(origin, table, dot == std::string::npos ? name : name.substr(dot + 1));
        if (spec == nullptr) return;
        const KeyRef target = spec->bind(job_);
        if (const std::optional<TomlValue> value = override_value(target, value_text))
            take(*spec, *value, origin);
        else
            problems_.refuse(
                origin, fmt::format("{} must be {}, not '{}'", spec->name(), type_name(target), value_text));
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
                    problems_.refuse(problem);
            }
            for (auto& [name, reader] : variants)
            {
                reader.finish_variant(name, overrides, common);
                problems_.adopt(reader.problems_);
                result.variants.push_back({name, std::move(reader.job_)});
                result.variants.back().job.job.name = job_.job.name + "." + name;
            }
        }
        problems_.throw_if_any();
        result.job = job_;
        result.set_out(job_.job.out);
        return result;
    }

  private:
    using NamedReader = std::pair<std::string, Reader>;

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
        const Origin origin = problems_.at_line(content.location().line());
        if (!is_table(table))
        {
            const bool has_tables = content.is_table() || is_list_of_tables(content);
            problems_.refuse(origin,
                             has_tables ? unknown_table_problem(table) : unknown_key_problem("", table));
        }
        else if (!content.is_table())
        {
            problems_.refuse(origin, fmt::format("'{0}' must be a table, not {1}; write [{0}]", table,
                                                 describe_type(content)));
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
            problems_.refuse(problems_.at_line(variant_list_->location().line()),
                             fmt::format("'variant' must be a list of tables, not {}; write [[variant]]",
                                         describe_whole(*variant_list_)));
            return variants;
        }
        Reader common = *this;
        common.variant_list_.reset();  // not a copy of all variants in each
        for (const TomlValue& entry : variant_list_->as_array())
        {
            std::string name = read_variant_name(entry);
            for (const NamedReader& other : variants)
            {
                if (name.empty() || other.first != name) continue;
                problems_.refuse(problems_.at_line(entry.as_table().at("name").location().line()),
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
            problems_.refuse(problems_.at_line(entry.location().line()),
                             "a variant needs a name: name = \"…\"");
            return {};
        }
        const TomlValue& value = found->second;
        const Origin origin = problems_.at_line(value.location().line());
        if (!value.is_string())
        {
            problems_.refuse(
                origin, fmt::format("the name of a variant must be a string, not {}", describe_type(value)));
            return {};
        }
        const std::string name = value.as_string().str;
        const std::string problem = variant_name_problem(name);
        if (problem.empty()) return name;
        problems_.refuse(origin, fmt::format("the variant's name {} {}", list_text({name}), problem));
        return {};
    }

    void refuse_name_and_folder(const TomlValue& job_table)
    {
        for (const char* key : {"name", "out"})
        {
            const auto found = job_table.as_table().find(key);
            if (found == job_table.as_table().end()) continue;
            problems_.refuse(
                problems_.at_line(found->second.location().line()),
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
            problems_.refuse(problem);
        }
    }

    void read_table(const std::string& table, const TomlValue& content)
    {
        for (const auto& [key, value] : content.as_table())
        {
            const Origin origin = problems_.at_line(value.location().line());
            const std::string inner = fmt::format("{}.{}", table, key);
            if (!is_table(inner))
            {
                if (const KeySpec* const spec = check_name(origin, table, key)) take(*spec, value, origin);
            }
            else if (!value.is_table())
            {
                problems_.refuse(origin, fmt::format("'{0}' must be a table, not {1}; write [{0}]", inner,
                                                     describe_type(value)));
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
        if (spec == nullptr) problems_.refuse(origin, unknown_key_problem(table, key));
        return spec;
    }

    /// Put a value into the job, or note why not; a wrong value leaves the job as it was.
    void take(const KeySpec& spec, const TomlValue& value, const Origin& origin)
    {
        problems_.set(spec.name(), origin);
        const std::vector<ValueProblem> problems = put_value(spec, value, job_);
        if (!problems.empty()) problems_.set_wrong(spec.name());
        for (const ValueProblem& problem : problems)
        {
            const bool of_entry = problem.line > 0 && origin.line > 0;
            problems_.refuse(of_entry ? problems_.at_line(problem.line) : origin, problem.text);
        }
    }

    Job job_;
    JobProblems problems_;
    std::optional<TomlValue> variant_list_;  ///< as it stands in the file
    bool is_readable_ = true;
};

}  // namespace

JobFile read_job_file(const std::filesystem::path& file, const std::vector<std::string>& overrides)
{
    std::string text;
    try
    {
        text = read_file(file, kLongestJobFile);
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
    reader.read_text(text, kOwnJobLimits);
    return reader.finish({}).job;
}

Job read_job(const std::filesystem::path& file, const std::vector<std::string>& overrides)
{
    return read_job_file(file, overrides).job;
}

}  // namespace flipstorm
