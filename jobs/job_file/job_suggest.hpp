#pragma once
// What a user most likely meant by a name that does not exist.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flipstorm
{

/**
 * The candidate that a user who typed `word` most likely meant, or nothing if none is near.
 *
 * Near: at most max(2, a third of the word's length) insertions, deletions, substitutions and swaps of
 * neighbours (optimal string alignment); or an abbreviation of the candidate of at least three letters. Ties
 * go to the first candidate.
 */
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

/// What to say of a key that does not exist: "unknown key 'x.y'; did you mean 'x.z'?"
std::string unknown_key_problem(std::string_view table, std::string_view key);

/// What to say of a table that does not exist: "unknown table [campain]; did you mean [campaign]?"
std::string unknown_table_problem(std::string_view table);

}  // namespace flipstorm
