#include "jobs/job_file/transient_rules.hpp"

#include <fmt/format.h>

#include "jobs/job_file/target.hpp"

namespace flipstorm
{

void resolve_transient(Job& job)
{
    // A name that is none is refused with the other values of keys.
    const TargetTraits* const target = find_target(job.campaign.target);
    if (target == nullptr) return;
    TransientTable& table = job.transient;
    const bool paper = table.rules == "paper";
    const bool bits = table.value == "bit_flip";
    if (bits && table.geometry.empty()) table.geometry = {"element"};
    if (bits && table.combine.empty()) table.combine = "bit_flip";
    if (table.geometry.empty())
    {
        table.geometry = paper ? std::vector<std::string>{"single", "line", "block"}
                               : std::vector<std::string>{"line", "block", "channel"};
    }
    if (table.value.empty()) table.value = paper ? target->paper_value : "power_law";
    if (table.combine.empty()) table.combine = paper ? "add" : "multiply";
    if (target->transient && job.campaign.evaluation == "screened") job.campaign.evaluation = "exact";
}

std::vector<RuleProblem> transient_problems(const Job& job)
{
    std::vector<RuleProblem> problems;
    const TargetTraits* const target = find_target(job.campaign.target);
    if (target == nullptr || !target->transient) return problems;
    const TransientTable& table = job.transient;
    if (job.campaign.scheme != "network_wise" && job.campaign.scheme != "layer_wise")
    {
        problems.push_back(
            {{"campaign.scheme", "campaign.target"},
             fmt::format(
                 "campaign.scheme = \"{}\" samples the bits of stored weights; faults in {} are sampled "
                 "\"network_wise\" or \"layer_wise\"",
                 job.campaign.scheme, job.campaign.target)});
    }
    if (!table.channel_probability.empty() && table.channel_probability.size() != table.geometry.size())
    {
        problems.push_back(
            {{"transient.channel_probability", "transient.geometry"},
             fmt::format(
                 "transient.channel_probability has {} entries and transient.geometry {}; give one for "
                 "each geometry, or none",
                 table.channel_probability.size(), table.geometry.size())});
    }
    if ((table.value == "table") != !table.table.empty())
    {
        problems.push_back(
            {{"transient.table", "transient.value"},
             table.table.empty()
                 ? std::string(
                       "transient.value = \"table\" needs transient.table, a CSV file of error values")
                 : fmt::format("transient.table is given, but transient.value is \"{}\"; set it to \"table\"",
                               table.value)});
    }
    if ((table.value == "bit_flip") != (table.combine == "bit_flip"))
    {
        problems.push_back(
            {{"transient.combine", "transient.value"},
             fmt::format("transient.value is \"{}\" and transient.combine \"{}\": a bit of a stored "
                         "word flips only where both say bit_flip",
                         table.value, table.combine)});
    }
    if (table.value == "bit_flip" && job.campaign.target == "instructions")
    {
        problems.push_back(
            {{"transient.value", "campaign.target"},
             "transient.value = \"bit_flip\" is for campaign.target = \"feature_maps\"; a bit of an "
             "instruction's result flips with transient.instruction = \"bit_flip\""});
    }
    return problems;
}

}  // namespace flipstorm
