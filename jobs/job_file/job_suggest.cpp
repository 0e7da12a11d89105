#include "jobs/job_file/job_suggest.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>

#include "jobs/job_file/job_keys.hpp"

namespace flipstorm
{
namespace
{

/// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
std::size_t edit_distance(std::string_view a, std::string_view b)
{
    std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i)
    {
        for (std::size_t j = 0; j <= b.size(); ++j)
        {
            if (i == 0 || j == 0)
            {
                d[i][j] = i + j;
                continue;
            }
            const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
            d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + change});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
            {
                d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
            }
        }
    }
    return d[a.size()][b.size()];
}

/// How far `candidate` is from what a user typed. An abbreviation ("sec_crit") counts as one edit.
std::size_t distance_of(std::string_view word, std::string_view candidate)
{
    const bool is_abbreviation = word.size() >= 3 && candidate.substr(0, word.size()) == word;
    return is_abbreviation && word != candidate ? 1 : edit_distance(word, candidate);
}

std::size_t near_enough(std::string_view word)
{
    return std::max<std::size_t>(2, word.size() / 3);
}

}  // namespace

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates)
{
    std::optional<std::string> best;
    std::size_t best_distance = near_enough(word) + 1;
    for (const std::string& candidate : candidates)
    {
        const std::size_t distance = distance_of(word, candidate);
        if (distance < best_distance)
        {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

std::string unknown_key_problem(std::string_view table, std::string_view key)
{
    // A key may be misspelt, or right but in the wrong table, which counts as one more edit.
    const KeySpec* best = nullptr;
    std::size_t best_distance = near_enough(key) + 1;
    for (const KeySpec& spec : job_keys())
    {
        const std::size_t distance = distance_of(key, spec.key) + (spec.table == table ? 0 : 1);
        if (distance < best_distance)
        {
            best = &spec;
            best_distance = distance;
        }
    }
    const std::string name = table.empty() ? std::string(key) : fmt::format("{}.{}", table, key);
    if (best != nullptr) return fmt::format("unknown key '{}'; did you mean '{}'?", name, best->name());
    std::string in_table;
    for (const KeySpec& spec : job_keys())
    {
        if (spec.table == table) in_table += (in_table.empty() ? "" : ", ") + spec.key;
    }
    if (in_table.empty()) return fmt::format("unknown key '{}', outside any table", name);
    return fmt::format("unknown key '{}'; the keys of [{}] are {}", name, table, in_table);
}

std::string unknown_table_problem(std::string_view table)
{
    const std::optional<std::string> guess = nearest(table, job_tables());
    if (!guess && nearest(table, {"variant"}))
    {
        return fmt::format("unknown table [{}]; did you mean [[variant]]?", table);
    }
    if (guess) return fmt::format("unknown table [{}]; did you mean [{}]?", table, *guess);
    return fmt::format("unknown table [{}]; the tables are [{}]", table, fmt::join(job_tables(), "], ["));
}

}  // namespace flipstorm
