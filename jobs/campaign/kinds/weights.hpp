#pragma once
// Faults in stored weights.

#include <memory>
#include <vector>

#include "jobs/campaign/fault_list.hpp"
#include "jobs/campaign/kinds/kind.hpp"

namespace flipstorm
{

/// A fault of a weight, with the values before and under it.
struct FaultyWeight
{
    WeightFault fault;
    float before = 0;
    float after = 0;
    std::uint32_t word_after = 0;  ///< what is stored then
};

/// Fault of a plan of faults in weights. \throws Error if there is none of that number. Thread-safe.
[[nodiscard]] FaultyWeight faulty_weight(const Network& network, const std::vector<InjectableLayer>& layers,
                                         const Plan& plan, FaultIndex index);

/// The faults of the campaign that campaign.exclude names, by layer id; empty where it names none.
/// \throws FileError; DataError if that campaign is of another model or has faults of another kind
[[nodiscard]] std::vector<std::vector<PlacedFault>> excluded_faults(
    const Job& job, const Network& network, const std::vector<InjectableLayer>& layers);

/// Which words of each layer hold a 1 at a bit, for a guided plan.
[[nodiscard]] std::vector<std::shared_ptr<const BitValueIndex>> bit_values(
    const Network& network, const std::vector<InjectableLayer>& layers);

/// Faults in weights, planned.
class WeightFaults final : public CampaignFaults
{
  public:
    /// \param listed  those of the plan, in its order; empty: they are drawn
    WeightFaults(std::vector<InjectableLayer> layers, const PlanOptions& options,
                 std::vector<ListedFault> listed = {});

    /// A fault as it was listed; null: it was drawn.
    [[nodiscard]] const ListedFault* listed(FaultIndex fault) const
    {
        return listed_.empty() ? nullptr : &listed_.at(fault.value());
    }
    [[nodiscard]] const std::vector<ListedFault>& listed() const { return listed_; }

    [[nodiscard]] const std::vector<InjectableLayer>& layers() const override { return layers_; }
    [[nodiscard]] const Plan& plan() const override { return plan_; }
    [[nodiscard]] std::uint64_t images_per_fault() const override { return images_; }
    [[nodiscard]] bool may_overflow(const Network& network, FaultIndex fault) const override;
    [[nodiscard]] std::string encode(const ChunkRecord& record) const override;
    [[nodiscard]] ChunkRecord decode(const std::string& bytes, std::uint64_t count) const override;
    [[nodiscard]] FaultsByKind by_kind() const override { return this; }

  private:
    std::vector<InjectableLayer> layers_;
    Plan plan_;
    std::uint64_t images_;
    std::vector<ListedFault> listed_;
};

/// Target "weights".
class WeightKind : public TargetKind
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

  private:
    [[nodiscard]] std::string target_name() const;
};

}  // namespace flipstorm
