#pragma once
// Faults in the memory of a protected network: what its decoders do not catch.

#include <memory>
#include <optional>
#include <vector>

#include "jobs/campaign/kinds/protected_memory.hpp"
#include "jobs/campaign/kinds/weights.hpp"

namespace flipstorm
{

/// Upsets of a protected memory, planned: its parts are the plan's layers.
class ProtectedFaults final : public CampaignFaults
{
  public:
    ProtectedFaults(std::shared_ptr<const ProtectedMemory> memory, const PlanOptions& options);

    [[nodiscard]] const ProtectedMemory& memory() const { return *memory_; }
    /// What the decoder makes of a fault of the plan.
    [[nodiscard]] UpsetReading reading(FaultIndex fault) const;

    [[nodiscard]] const std::vector<InjectableLayer>& layers() const override { return memory_->parts(); }
    [[nodiscard]] const Plan& plan() const override { return plan_; }
    [[nodiscard]] std::uint64_t images_per_fault() const override { return images_; }
    [[nodiscard]] bool may_overflow(const Network& network, FaultIndex fault) const override;
    [[nodiscard]] std::string encode(const ChunkRecord& record) const override;
    [[nodiscard]] ChunkRecord decode(const std::string& bytes, std::uint64_t count) const override;
    [[nodiscard]] FaultsByKind by_kind() const override { return this; }

  private:
    std::shared_ptr<const ProtectedMemory> memory_;
    Plan plan_;
    std::uint64_t images_;
};

/// Target "protected": the memory of campaign.protected.
class ProtectedKind final : public WeightKind
{
  public:
    [[nodiscard]] Target target() const override { return Target::protected_memory; }
    /// No forest learns from what codes leave.
    [[nodiscard]] bool in_memory() const override { return false; }
    /// What the memory reads as without an upset.
    [[nodiscard]] Network network_of(const Job& job, Network network) const override;
    [[nodiscard]] std::unique_ptr<CampaignFaults> plan(const Job& job, const Network& network,
                                                       std::uint64_t images) const override;
    /// What is in the memory.
    [[nodiscard]] std::string identity(const Job& job) const override;
    StageEnd report(const Context& context, const StopRequest& stop) const override;
};

}  // namespace flipstorm
