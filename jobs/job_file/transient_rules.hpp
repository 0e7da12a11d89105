#pragma once
// What the keys of [transient] stand for and which go together.

#include <vector>

#include "jobs/job_file/job.hpp"
#include "jobs/job_file/job_rules.hpp"

namespace flipstorm
{

/// Fill in what the rules of the job stand for; transient faults are evaluated exactly.
void resolve_transient(Job& job);

/// What is wrong with the keys of a resolved job of transient faults, taken together.
[[nodiscard]] std::vector<RuleProblem> transient_problems(const Job& job);

}  // namespace flipstorm
