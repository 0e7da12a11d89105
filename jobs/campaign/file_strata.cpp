#include "jobs/campaign/file_strata.hpp"

#include <algorithm>

namespace flipstorm
{

FileStrata::FileStrata(const Plan& plan, const std::vector<std::uint64_t>& planned,
                       const std::vector<std::uint64_t>& evaluated, const std::vector<std::uint64_t>& known)
    : first_(plan.strata().size(), 0), known_(plan.strata().size(), 0)
{
    const bool guided = plan.budget() > 0;
    if (guided) known_ = known;
    for (auto draw = plan.draws().rbegin(); draw != plan.draws().rend(); ++draw)
        first_[static_cast<std::size_t>(draw->stratum.value())] = draw->first;
    const auto add = [&](const Stratum& stratum, std::uint64_t population, std::uint64_t asked,
                         std::uint64_t seen, bool is_known) {
        table_.layer.push_back(stratum.layer);
        table_.bit.push_back(stratum.bit);
        table_.direction.push_back(stratum.direction);
        table_.known.push_back(is_known ? 1 : 0);
        table_.population.push_back(population);
        table_.planned.push_back(asked);
        table_.evaluated.push_back(seen);
    };
    for (std::size_t s = 0; s < plan.strata().size(); ++s)
    {
        const Stratum& stratum = plan.strata()[s];
        const std::uint64_t before = known_[s];
        row_.push_back(static_cast<std::int32_t>(table_.size()));
        if (before > 0) add(stratum, before, before, before, true);
        if (before == stratum.population) continue;
        add(stratum, stratum.population - before, planned[s] - std::min(before, planned[s]),
            evaluated[s] - before, false);
    }
}

std::int32_t FileStrata::row_of(FaultIndex fault, StratumId stratum) const
{
    const auto s = static_cast<std::size_t>(stratum.value());
    const bool later = known_[s] > 0 && fault.value() - first_[s] >= known_[s];
    return row_[s] + (later ? 1 : 0);
}

}  // namespace flipstorm
