#pragma once
// The counting behind `flipstorm status`: from a journal or a finished campaign.h5 to faults by stratum and
// layer, and to what they show. Nothing is written.

#include <filesystem>
#include <memory>
#include <optional>

#include "jobs/campaign/faults.hpp"
#include "jobs/job_file/job.hpp"
#include "jobs/status/campaign_status.hpp"
#include "mpi/journal.hpp"

namespace flipstorm
{

/// What a campaign computes, rebuilt from its description and its model.
struct Blueprint
{
    Job job;
    Network network;
    std::unique_ptr<CampaignFaults> faults;
};

/// \throws Error if the model is not there any more, or the plan is not the one the journal was written for
[[nodiscard]] Blueprint rebuild_campaign(const CampaignDescription& description, const Job& job);

/// Strata, and the parts of them that lie in each layer, as the plan has them; nothing is done yet.
void list_parts(CampaignStatus& status, const Blueprint& blueprint);

/// The same as a finished campaign's header and numbers of faults, [stratum][layer], have them. Of faults in
/// weights the population of a part follows from the fault model; transient ones of a stratum of several
/// layers fall on these as the probability has it.
void list_parts(CampaignStatus& status, const CampaignHeader& header,
                const std::vector<std::vector<std::uint64_t>>& faults);

/// Count a journal: parts, chunks, throughput and the time left; `status.description` is there. What cannot
/// be decoded goes into `status.trouble`.
void count_journal(CampaignStatus& status, const JournalSurvey& survey, const Blueprint& blueprint);

/// Count a finished campaign.h5 of any target. \throws FileError, DataError
void count_finished(CampaignStatus& status, const std::filesystem::path& file);

/// When a file was written, in seconds since 1970; none if it is not there.
[[nodiscard]] std::optional<double> written_at(const std::filesystem::path& file);

}  // namespace flipstorm
