#pragma once
// Faults that strike while the network computes: what both kinds of them share.

#include <memory>
#include <string>
#include <vector>

#include "engine/faults/transient_plan.hpp"
#include "hdf5_schema/transient_campaign_file.hpp"
#include "jobs/campaign/kinds/kind.hpp"
#include "jobs/job_file/job.hpp"

namespace flipstorm
{

/// A target of transient faults. A kind says what its faults look like, to the engine, to a reader, and in
/// the columns of campaign.h5 that it alone has.
class TransientKind : public TargetKind
{
  public:
    [[nodiscard]] bool in_memory() const final { return false; }
    [[nodiscard]] bool judged_by_tolerance() const final { return false; }
    [[nodiscard]] std::unique_ptr<CampaignFaults> plan(const Job& job, const Network& network,
                                                       std::uint64_t images) const final;
    /// The table [transient], and the content of transient.table.
    [[nodiscard]] std::string identity(const Job& job) const final;
    /// Of a stratum of several layers the file only knows where the faults fell.
    [[nodiscard]] std::vector<std::uint64_t> populations(
        const CampaignHeader& header, std::size_t stratum,
        const std::vector<std::uint64_t>& faults) const final;
    [[nodiscard]] FinishedFaults read_finished(const std::filesystem::path& file) const final;
    [[nodiscard]] std::uint64_t overflowing_faults(const std::filesystem::path& file) const final;
    StageEnd report(const Context& context, const StopRequest& stop) const final;
    void compare(ComparisonRecord& comparison, std::size_t variant, const std::filesystem::path& file,
                 double tolerance) const final;

    /// What the faults look like. \throws JobError, FileError, DataError about transient.table
    [[nodiscard]] virtual TransientRules rules(const TransientTable& table) const = 0;
    /// The same as a sentence.
    [[nodiscard]] virtual std::string describe_rules(const TransientTable& table) const = 0;
    /// What the header of campaign.h5 has of this kind alone. \param channels, positions  of the largest
    /// output of a layer
    virtual void complete(TransientHeader& header, const TransientTable& table, std::int64_t channels,
                          std::int64_t positions) const = 0;
};

/// Transient faults, planned.
class TransientFaults final : public CampaignFaults
{
  public:
    TransientFaults(const TransientKind& kind, const Network& network, const TransientPlanOptions& options);

    [[nodiscard]] const TransientKind& kind() const { return kind_; }
    [[nodiscard]] const TransientPlan& transient_plan() const { return plan_; }

    [[nodiscard]] const std::vector<InjectableLayer>& layers() const override { return layers_; }
    [[nodiscard]] const Plan& plan() const override { return plan_.plan(); }
    [[nodiscard]] std::uint64_t images_per_fault() const override { return plan_.images_per_fault(); }
    [[nodiscard]] bool may_overflow(const Network& network, FaultIndex fault) const override;
    [[nodiscard]] std::string encode(const ChunkRecord& record) const override;
    [[nodiscard]] ChunkRecord decode(const std::string& bytes, std::uint64_t count) const override;
    [[nodiscard]] FaultsByKind by_kind() const override { return this; }

  private:
    const TransientKind& kind_;
    std::vector<InjectableLayer> layers_;
    TransientPlan plan_;
};

/// The error values of a [transient] table. \throws as rules()
[[nodiscard]] ErrorValue error_value(const TransientTable& table);

/// The same in words: "uniform on [0, 2)", "of the power law layer1".
[[nodiscard]] std::string error_value_text(const TransientTable& table);

/// Options of the plan of a job on so many test images. \throws as rules()
[[nodiscard]] TransientPlanOptions transient_options(const Job& job, const Network& network,
                                                     const TransientRules& rules, std::uint64_t images);

/// Put a fault's own columns behind the rows of a table, as the header has them.
void add_row(TransientFaultTable& table, const TransientHeader& header, const FeatureMapFault& fault);
void add_row(TransientFaultTable& table, const TransientHeader& header, const InstructionFault& fault);

/// Whether values may overflow behind a fault: an error value of kLargeWeight or more, or a flip of one of
/// the exponent's two top bits.
[[nodiscard]] bool may_overflow(const FeatureMapFault& fault);
[[nodiscard]] bool may_overflow(const InstructionFault& fault);

}  // namespace flipstorm
