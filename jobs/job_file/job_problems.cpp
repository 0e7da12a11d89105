#include "jobs/job_file/job_problems.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

constexpr std::size_t kMostProblems = 50;  ///< that are listed

}  // namespace

Origin JobProblems::at_line(std::size_t line) const
{
    return {line, fmt::format("{}:{}", file_, line)};
}

void JobProblems::refuse(Origin origin, std::string text)
{
    problems_.push_back({std::move(origin), std::move(text)});
}

void JobProblems::refuse(const RuleProblem& problem)
{
    for (const std::string& key : problem.keys)
    {
        if (std::find(wrong_.begin(), wrong_.end(), key) != wrong_.end()) return;
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

void JobProblems::adopt(const JobProblems& variant)
{
    for (const Problem& problem : variant.problems_)
    {
        const bool is_known =
            std::any_of(problems_.begin(), problems_.end(), [&problem](const Problem& known) {
                return known.origin.label == problem.origin.label && known.text == problem.text;
            });
        if (!is_known) problems_.push_back(problem);
    }
}

void JobProblems::throw_if_any()
{
    if (problems_.empty()) return;
    std::stable_sort(problems_.begin(), problems_.end(), [](const Problem& a, const Problem& b) {
        const auto rank = [](const Problem& problem) {
            return problem.origin.line == 0 ? std::numeric_limits<std::size_t>::max() : problem.origin.line;
        };
        return rank(a) < rank(b);
    });
    std::string message;
    for (std::size_t i = 0; i < std::min(kMostProblems, problems_.size()); ++i)
    {
        const Problem& problem = problems_[i];
        message += fmt::format("{}{}: {}", message.empty() ? "" : "\n", problem.origin.label, problem.text);
    }
    if (problems_.size() > kMostProblems)
        message += fmt::format("\n… and {} more problems", problems_.size() - kMostProblems);
    throw JobError("{}", message);
}

}  // namespace flipstorm
