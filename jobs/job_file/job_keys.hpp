#pragma once
// The keys of a job file: one table that says of each key where its value lives, what it may be and what it
// means. Reading, printing, suggestions and documentation all come from it.

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "jobs/job_file/job.hpp"

namespace flipstorm
{

/// A table whose keys are names of the user's own: [model.formats].
using StringTable = std::map<std::string, std::string>;

/// Where the value of a key lives in a Job; the alternative is the key's type.
using KeyRef = std::variant<bool*, std::string*, std::uint64_t*, std::int64_t*, double*, std::vector<double>*,
                            std::vector<std::string>*, StringTable*>;

/// What the numbers of a key may be. NaN and infinity are never allowed.
struct Limits
{
    double low = -std::numeric_limits<double>::infinity();
    double high = std::numeric_limits<double>::infinity();
    bool low_open = false;   ///< `low` itself is not allowed
    bool high_open = false;  ///< `high` itself is not allowed

    [[nodiscard]] bool allow(double value) const;
    /// "≥ 1, ≤ 100"; empty where everything is allowed.
    [[nodiscard]] std::string text() const;
};

/// One key of the job file.
struct KeySpec
{
    std::string table;  ///< "campaign"; of a table in a table, "train.fault_aware"
    std::string key;
    std::string meaning;  ///< one line
    KeyRef (*bind)(Job&) = nullptr;
    Limits limits{};  ///< of a number, or of each number of a list
    /// What a string, or each string of a list or table, may be; empty: anything.
    std::vector<std::string> choices{};
    std::string unit{};
    std::string default_note{};  ///< the default in words, where it depends on other keys
    bool may_be_empty = false;   ///< of a list or table: the empty one stands for the default
    bool or_single = false;      ///< of a list of strings: one string may stand for it
    bool ascending = false;      ///< of a list: each number is larger than the one before
    bool identity = true;        ///< takes part in what is computed; not: where files lie and how it is run
    /// Version of flipstorm that knows the key first; empty: 0.1, as far back as journals and files go. Of a
    /// later one digests hold only what is not its default, so that older journals and files stay valid.
    std::string since{};

    /// "campaign.limit"
    [[nodiscard]] std::string name() const { return table + "." + key; }
};

/// All keys, table by table, in the order in which they are printed.
const std::vector<KeySpec>& job_keys();

/// The key of that full name ("campaign.limit"), or null.
const KeySpec* find_key(std::string_view name);

/// Whether its value is a StringTable.
bool is_string_table(const KeySpec& spec);

/// The tables in the order in which they are printed; a table in another one as "train.fault_aware".
const std::vector<std::string>& job_tables();

/// "an integer", "a list of numbers", …: the type of a key.
std::string type_name(const KeyRef& value);

/// Limits, or the choices, of a key in words; empty where everything is allowed.
std::string limits_text(const KeySpec& spec);

}  // namespace flipstorm
