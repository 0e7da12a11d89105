#include "jobs/job_file/target.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "engine/base/error.hpp"
#include "jobs/job_file/job.hpp"

namespace flipstorm
{
namespace
{

constexpr std::array<TargetTraits, kTargets> kTable{{
    {Target::weights, "weights", false, "uniform"},
    {Target::feature_maps, "feature_maps", true, "uniform"},
    {Target::instructions, "instructions", true, "power_law"},
    {Target::protected_memory, "protected", false, "uniform"},
}};

constexpr bool is_in_order(const std::array<TargetTraits, kTargets>& table)
{
    for (std::size_t i = 0; i < table.size(); ++i)
    {
        if (table[i].name == nullptr || static_cast<std::size_t>(table[i].target) != i) return false;
    }
    return true;
}
static_assert(is_in_order(kTable), "a row for each Target");

}  // namespace

const TargetTraits* find_target(const std::string& name)
{
    const auto found = std::find_if(kTable.begin(), kTable.end(),
                                    [&](const TargetTraits& target) { return name == target.name; });
    return found == kTable.end() ? nullptr : &*found;
}

const TargetTraits& target_named(const std::string& name)
{
    const TargetTraits* const target = find_target(name);
    FS_CHECK(JobError, target != nullptr, "\"{}\" is no target; known: {}", name,
             fmt::join(target_names(), ", "));
    return *target;
}

const TargetTraits& target_of(const Job& job)
{
    return target_named(job.campaign.target);
}

std::vector<std::string> target_names()
{
    std::vector<std::string> names;
    for (const TargetTraits& target : kTable)
        names.emplace_back(target.name);
    return names;
}

}  // namespace flipstorm
