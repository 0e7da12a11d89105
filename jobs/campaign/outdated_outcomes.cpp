#include "jobs/campaign/outdated_outcomes.hpp"

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/base/log.hpp"
#include "engine/evaluate/results_revision.hpp"
#include "hdf5_schema/file_summary.hpp"
#include "jobs/campaign/kinds/kind.hpp"

namespace flipstorm
{
namespace
{

constexpr const char* kTwice =
    "a node of the network reads the same value twice, and the kernels of that version did not follow a "
    "change rightly through it";
constexpr const char* kOverflow = "the kernels of that version were not always right where values overflow";

std::string file_warning(std::uint64_t faults)
{
    return fmt::format("behind {} of its faults values may overflow, and {}", faults, kOverflow);
}

}  // namespace

bool overflow_mattered(const Job& job)
{
    return job.campaign.evaluation != "reference" && job.campaign.backend != "libtorch";
}

bool holds_overflow(const CampaignFaults& faults, const Network& network, const Chunk& chunk)
{
    for (std::uint64_t i = 0; i < chunk.count; ++i)
    {
        if (faults.may_overflow(network, FaultIndex(chunk.first.value() + i))) return true;
    }
    return false;
}

std::uint64_t overflowing_faults(const TransientCampaignRecord& campaign)
{
    const TransientFaultTable& faults = campaign.faults;
    std::uint64_t found = 0;
    for (std::size_t i = 0; i < faults.size(); ++i)
    {
        const bool flips = i < faults.bit.size() && faults.bit[i] != kNoBit && faults.bit[i] >= kLargeFlip;
        found += flips || is_huge(faults.value[i]) ? 1 : 0;
    }
    return found;
}

std::uint64_t overflowing_faults(const CampaignRecord& campaign)
{
    const FaultTable& faults = campaign.faults;
    std::uint64_t found = 0;
    for (std::size_t i = 0; i < faults.size(); ++i)
        found += may_overflow(faults.value_before[i], faults.value_after[i]) ? 1 : 0;
    return found;
}

void drop_outdated(const Context& context, const Campaign& campaign, JournalContent& journal)
{
    if (!overflow_mattered(context.job)) return;
    const std::vector<Chunk>& chunks = campaign.plan().chunks();
    const auto is_outdated = [&](const JournalEntry& entry) {
        // A chunk that the plan does not have is for agree_on_done() to refuse.
        if (entry.format >= kFirstRightJournal || entry.chunk.value() >= chunks.size()) return false;
        const Chunk& chunk = chunks[entry.chunk.value()];
        return holds_overflow(*campaign.faults, campaign.network, chunk);
    };
    // By chunk: 1 if only early segments have it, 2 if a later one does, too, on any rank and at any level.
    std::vector<std::uint64_t> found(chunks.size(), 0);
    const auto kept = std::partition(journal.entries.begin(), journal.entries.end(),
                                     [&](const JournalEntry& entry) { return !is_outdated(entry); });
    for (auto entry = journal.entries.begin(); entry != journal.entries.end(); ++entry)
    {
        if (entry->chunk.value() >= chunks.size()) continue;
        std::uint64_t& place = found[entry->chunk.value()];
        place = std::max<std::uint64_t>(place, entry < kept ? 2 : 1);
    }
    journal.entries.erase(kept, journal.entries.end());
    context.world.all_reduce(found, Reduce::max);
    const auto again = std::count(found.begin(), found.end(), 1U);
    if (again == 0 || !context.world.is_root()) return;
    log_warning(
        "{} of {} chunks were saved by an earlier version and hold a fault behind which values may overflow, "
        "and {}; they are computed again, the others stay",
        again, chunks.size(), kOverflow);
}

std::string why_outdated(const std::filesystem::path& file, const Job& job, const Campaign& campaign)
{
    const std::string found = stage_digest_of(file);
    if (!campaign.superseded_sha256.empty() && found == campaign.superseded_sha256) return kTwice;
    if (found != campaign.stage_sha256 || !overflow_mattered(job) ||
        campaign_minor_version(file) >= kFirstRightCampaign)
        return {};
    const std::uint64_t faults = kind_of(job).overflowing_faults(file);
    return faults == 0 ? std::string() : file_warning(faults);
}

void warn_if_outdated(const std::filesystem::path& file, const CampaignRecord& campaign)
{
    if (campaign.header.evaluation == "reference" || campaign_minor_version(file) >= kFirstRightCampaign)
        return;
    const std::uint64_t faults = overflowing_faults(campaign);
    if (faults == 0) return;
    log_warning("'{}' was made by an earlier version: {}; 'flipstorm inject' computes them again",
                file.string(), file_warning(faults));
}

void remove_superseded(const std::filesystem::path& journal, const Campaign& campaign)
{
    if (campaign.superseded_sha256.empty()) return;
    std::size_t removed = 0;
    for (const JournalSegment& segment : survey_journal(journal).segments)
    {
        if (segment.stage_digest != campaign.superseded_sha256) continue;
        std::error_code error;
        std::filesystem::remove(segment.file, error);
        FS_CHECK(FileError, !error, "cannot remove '{}': {}", segment.file.string(), error.message());
        ++removed;
    }
    if (removed > 0)
        log_warning("{} journal segments of an earlier version are removed: {}; all is computed again",
                    removed, kTwice);
}

}  // namespace flipstorm
