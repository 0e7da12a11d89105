#pragma once
// What makes a job sound: the limits of each key, the rules between keys, and the defaults that depend on
// other keys. Pure functions.

#include <string>
#include <vector>

#include "jobs/job_file/job.hpp"
#include "jobs/job_file/job_keys.hpp"

namespace flipstorm
{

/// A rule between keys that a job breaks.
struct RuleProblem
{
    std::vector<std::string> keys;  ///< full names; the first is the one to change
    std::string text;
};

/// Everything that is wrong with the value of one key, taken alone; empty if nothing is.
std::vector<std::string> value_problems(const KeySpec& spec, Job job);

/// The rules between keys that a resolved job breaks; empty if none.
std::vector<RuleProblem> rule_problems(const Job& job);

/**
 * Fill in the defaults that depend on other keys.
 *
 * `job.out` is out/NAME; `campaign.tolerances` are k/200 for k = 1 … 20, exactly, so that comparisons with
 * drops (lost images / images) are exact; `campaign.t` is the two-sided quantile of `campaign.confidence`;
 * `forest.tolerances` are the campaign's; `harden.tolerance` is the smallest of the forest's;
 * `campaign.memory_budget` is 2048 MiB. `data.mean` and `data.std` stay empty where not given: they depend on
 * the data set. Values that are set stay. Resolving twice changes nothing.
 */
void resolve_job(Job& job);

}  // namespace flipstorm
