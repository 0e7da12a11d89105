#pragma once
// Everything that is wrong with a job, each with the place where it stands, reported together.

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "jobs/job_file/job_rules.hpp"

namespace flipstorm
{

/// Where a value or a problem comes from.
struct Origin
{
    std::size_t line = 0;  ///< of the job file; 0: not from the file
    std::string label;     ///< "FILE:LINE", or "--set key=value"
};

/// Collects problems, and where the keys of the job were set.
class JobProblems
{
  public:
    /// \param file  its name in messages
    explicit JobProblems(std::string file) : file_(std::move(file)) {}

    [[nodiscard]] const std::string& file() const { return file_; }
    [[nodiscard]] Origin at_line(std::size_t line) const;

    /// A key was set there.
    void set(const std::string& key, const Origin& origin) { origins_[key] = origin; }
    /// The value of a key is wrong: the rules between it and others do not count.
    void set_wrong(const std::string& key) { wrong_.push_back(key); }

    void refuse(Origin origin, std::string text);

    /// A broken rule counts where its first key was set, unless one of its keys is wrong already.
    void refuse(const RuleProblem& problem);

    /// Take over the problems of a variant, each once: those that come from what all have in common repeat.
    void adopt(const JobProblems& variant);

    /// Forget the problems, not the places of the keys.
    void clear() { problems_.clear(); }

    /// \throws JobError listing the problems by line, if there are any.
    void throw_if_any();

  private:
    struct Problem
    {
        Origin origin;
        std::string text;
    };

    std::string file_;
    std::map<std::string, Origin> origins_;  ///< of the keys that are set
    std::vector<std::string> wrong_;         ///< keys with a problem of their own
    std::vector<Problem> problems_;
};

}  // namespace flipstorm
