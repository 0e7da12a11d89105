#include "engine/faults/listed_plan.hpp"

#include <memory>

#include "engine/base/error.hpp"

namespace flipstorm
{

std::vector<Stratum> listed_strata(const PlanOptions& options)
{
    std::vector<Stratum> strata;
    for (std::size_t layer = 0; layer < options.listed.size(); ++layer)
    {
        const std::uint64_t faults = options.listed[layer].size();
        if (faults > 0) strata.push_back({static_cast<std::int32_t>(layer), -1, faults, faults, 0});
    }
    FS_CHECK(JobError, !strata.empty(), "no fault is listed");
    return strata;
}

void Plan::add_listed(const std::vector<InjectableLayer>& layers, const PlanOptions& options)
{
    for (std::size_t s = 0; s < strata_.size(); ++s)
    {
        const InjectableLayer& layer = layers.at(static_cast<std::size_t>(strata_[s].layer));
        const auto& faults = options.listed[static_cast<std::size_t>(strata_[s].layer)];
        draws_.push_back({StratumId(static_cast<std::int32_t>(s)), layer.id, size_, faults.size(),
                          layer.word_bits, 1,
                          KeyedPermutation(options.seed, RandomPurpose::sample, s, faults.size()), nullptr,
                          std::make_shared<const std::vector<PlacedFault>>(faults)});
        size_ += faults.size();
    }
}

}  // namespace flipstorm
