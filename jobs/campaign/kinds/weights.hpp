#pragma once
// Faults in stored weights.

#include <vector>

#include "jobs/campaign/kinds/kind.hpp"

namespace flipstorm
{

/// A fault of a weight, with the values before and under it.
struct FaultyWeight
{
    WeightFault fault;
    float before = 0;
    float after = 0;
};

/// Fault of a plan of faults in weights. \throws Error if there is none of that number. Thread-safe.
[[nodiscard]] FaultyWeight faulty_weight(const Network& network, const std::vector<InjectableLayer>& layers,
                                         const Plan& plan, FaultIndex index);

/// The change that a fault of a campaign in weights makes, with the fault's number.
[[nodiscard]] WeightChange change_of(const Campaign& campaign, FaultIndex fault);

/// Target "weights".
class WeightKind final : public TargetKind
{
  public:
    [[nodiscard]] Target target() const override { return Target::weights; }
    [[nodiscard]] bool in_memory() const override { return true; }
    [[nodiscard]] bool judged_by_tolerance() const override { return true; }
    [[nodiscard]] std::unique_ptr<CampaignFaults> plan(const Job& job, const Network& network,
                                                       std::uint64_t images) const override;
    [[nodiscard]] std::string identity(const Job& job) const override;
    [[nodiscard]] std::vector<std::uint64_t> populations(
        const CampaignHeader& header, std::size_t stratum,
        const std::vector<std::uint64_t>& faults) const override;
    [[nodiscard]] FinishedFaults read_finished(const std::filesystem::path& file) const override;
    [[nodiscard]] std::uint64_t overflowing_faults(const std::filesystem::path& file) const override;
    StageEnd report(const Context& context, const StopRequest& stop) const override;
    void compare(ComparisonRecord& comparison, std::size_t variant, const std::filesystem::path& file,
                 double tolerance) const override;
};

}  // namespace flipstorm
