#include "jobs/job_file/transient_rules.hpp"

#include <gtest/gtest.h>

#include "engine/base/error.hpp"
#include "tests/unit/jobs/job_file/job_text_file.hpp"

namespace flipstorm
{
namespace
{

/// A job of synthetic data with more keys.
Job job_of(const std::string& text)
{
    return test::read_text("[data]\nkind = 'synthetic'\n" + text);
}

/// What is wrong with it; empty if nothing is.
std::string problem_of(const std::string& text)
{
    try
    {
        static_cast<void>(job_of(text));
    }
    catch (const JobError& error)
    {
        return error.what();
    }
    return "";
}

TEST(TransientRules, RulesStandForTheKeysThatAreNotThere)
{
    Job job = job_of("[campaign]\ntarget = 'feature_maps'\n");
    EXPECT_EQ(job.transient.geometry, (std::vector<std::string>{"single", "line", "block"}));
    EXPECT_EQ(job.transient.value, "uniform");
    EXPECT_EQ(job.transient.combine, "add");
    EXPECT_EQ(job.campaign.evaluation, "exact");
    job = job_of(
        "[campaign]\ntarget = 'feature_maps'\n[transient]\nrules = 'diehardnet'\ncombine = 'relative'\n");
    EXPECT_EQ(job.transient.geometry, (std::vector<std::string>{"line", "block", "channel"}));
    EXPECT_EQ(job.transient.value, "power_law");
    EXPECT_EQ(job.transient.combine, "relative");
    job = job_of("[campaign]\ntarget = 'instructions'\nevaluation = 'reference'\n");
    EXPECT_EQ(job.transient.value, "power_law");
    EXPECT_EQ(job.campaign.evaluation, "reference");
    EXPECT_EQ(job_of("").campaign.evaluation, "screened");
}

TEST(TransientRules, RefuseWhatDoesNotGoTogether)
{
    const std::string maps = "[campaign]\ntarget = 'feature_maps'\n";
    EXPECT_EQ(problem_of(maps), "");
    EXPECT_NE(problem_of(maps + "scheme = 'data_unaware'\n").find("network_wise"), std::string::npos);
    EXPECT_NE(problem_of(maps + "[transient]\nchannel_probability = [1, 0.5]\n").find("2 entries and"),
              std::string::npos);
    EXPECT_NE(problem_of(maps + "[transient]\nvalue = 'table'\n").find("needs transient.table"),
              std::string::npos);
    EXPECT_NE(problem_of(maps + "[transient]\ntable = 'x.csv'\n").find("set it to \"table\""),
              std::string::npos);
    EXPECT_NE(problem_of(maps + "[transient]\ngeometry = ['ring']\n").find("did you mean"),
              std::string::npos);
    EXPECT_NE(problem_of(maps + "[transient]\npower_law = 'ffma'\n").find("ffma_"), std::string::npos);
    // Faults in weights do not care.
    EXPECT_EQ(problem_of("[campaign]\nscheme = 'data_unaware'\nbackend = 'native'\n"), "");
}

}  // namespace
}  // namespace flipstorm
