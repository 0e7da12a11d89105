#pragma once
// Kinds of target: one class for each value of campaign.target, with all that a campaign, its report, its
// status and its comparison do otherwise for it. Nothing else in jobs asks which target a job or a file has.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "analysis/transient_estimates.hpp"
#include "engine/base/stop_request.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/comparison_file.hpp"
#include "jobs/campaign/faults.hpp"
#include "jobs/job_file/target.hpp"

namespace flipstorm
{

struct Context;
struct Job;
enum class StageEnd;

/// The faults of a finished campaign.h5, row by row, as `status` counts them.
struct FinishedFaults
{
    CampaignHeader header;
    std::vector<std::int32_t> stratum;
    std::vector<std::int32_t> layer;
    std::vector<double> drop;
    std::vector<Struck> struck;  ///< by layer, and last of the network; empty for faults judged by tolerance
};

/// A target. Stateless; thread-safe.
class TargetKind
{
  public:
    TargetKind() = default;
    virtual ~TargetKind() = default;
    TargetKind(const TargetKind&) = delete;
    TargetKind& operator=(const TargetKind&) = delete;

    [[nodiscard]] virtual Target target() const = 0;

    /// Whether the faults lie in memory: a forest learns from them, and codes protect from them.
    [[nodiscard]] virtual bool in_memory() const = 0;

    /// Whether a fault is critical or acceptable for each tolerance; else it is told what became of the
    /// inferences that it struck.
    [[nodiscard]] virtual bool judged_by_tolerance() const = 0;

    /// The network that computes without a fault, of the one in the model file. \throws FileError, DataError
    [[nodiscard]] virtual Network network_of(const Job& job, Network network) const;

    /// A job's faults on a network with so many test images. \throws JobError if the job does not fit the
    /// network or the images; FileError, DataError about transient.table
    [[nodiscard]] virtual std::unique_ptr<CampaignFaults> plan(const Job& job, const Network& network,
                                                               std::uint64_t images) const = 0;

    /// What decides the faults beside [campaign] and the network, as text for a digest. \throws FileError
    [[nodiscard]] virtual std::string identity(const Job& job) const = 0;

    /// Populations of a stratum's parts, by layer, in a finished campaign. \param faults  its rows by layer
    [[nodiscard]] virtual std::vector<std::uint64_t> populations(
        const CampaignHeader& header, std::size_t stratum,
        const std::vector<std::uint64_t>& faults) const = 0;

    /// \throws FileError, DataError
    [[nodiscard]] virtual FinishedFaults read_finished(const std::filesystem::path& file) const = 0;

    /// Faults of a campaign.h5 behind which values may overflow. \throws FileError
    [[nodiscard]] virtual std::uint64_t overflowing_faults(const std::filesystem::path& file) const = 0;

    /// Stage `report`, on rank 0. \throws FileError, DataError, Stopped
    virtual StageEnd report(const Context& context, const StopRequest& stop) const = 0;

    /// Put what a campaign.h5 says into row `variant` of a comparison. \throws FileError
    virtual void compare(ComparisonRecord& comparison, std::size_t variant, const std::filesystem::path& file,
                         double tolerance) const = 0;
};

/// The kind of a target, of a job, and of the attribute `target` of a file. \throws JobError for a name that
/// is none
[[nodiscard]] const TargetKind& kind_of(Target target);
[[nodiscard]] const TargetKind& kind_of(const Job& job);
[[nodiscard]] const TargetKind& kind_named(const std::string& target);

}  // namespace flipstorm
