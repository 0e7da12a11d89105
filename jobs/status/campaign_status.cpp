#include "jobs/status/campaign_status.hpp"

#include <algorithm>
#include <set>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "hdf5_schema/file_summary.hpp"
#include "jobs/job_file/job_file.hpp"
#include "jobs/status/status_count.hpp"
#include "mpi/journal.hpp"
#include "mpi/stop.hpp"

namespace flipstorm
{
namespace fs = std::filesystem;
namespace
{

constexpr double kLately = 300;
constexpr std::size_t kSegmentsLately = 10;
constexpr double kLongSilence = 600;

void read_saved(CampaignStatus& status, const fs::path& out, const std::optional<Job>& job)
{
    JournalSurvey survey = survey_journal(out / "journal");
    const auto foreign = [&](const JournalSegment& segment) {
        return status.description && segment.stage_digest != status.description->stage_sha256;
    };
    for (const JournalSegment& segment : survey.segments)
    {
        if (foreign(segment))
            survey.damaged.push_back(fmt::format("'{}': of another job", segment.file.string()));
    }
    survey.segments.erase(std::remove_if(survey.segments.begin(), survey.segments.end(), foreign),
                          survey.segments.end());
    status.segments = survey.segments.size();
    status.damaged = survey.damaged;
    status.unfinished = survey.unfinished;
    std::set<std::string> runs;
    for (const JournalSegment& segment : survey.segments)
    {
        runs.insert(segment.start_id);
        const auto time = written_at(segment.file);
        if (time && (!status.last_segment || *time > *status.last_segment)) status.last_segment = time;
    }
    status.runs = runs.size();
    if (status.state == CampaignState::complete || !status.description) return;
    status.chunks_planned = status.description->chunks;
    status.faults_planned = status.description->faults;
    if (!job) return;
    try
    {
        count_journal(status, survey, rebuild_campaign(*status.description, *job));
    }
    catch (const Error& error)
    {
        status.trouble.emplace_back(error.what());
    }
}

void read_finished(CampaignStatus& status, const fs::path& file)
{
    try
    {
        if (!fs::exists(file)) return;
        if (status.description && stage_digest_of(file) != status.description->stage_sha256)
        {
            status.trouble.push_back(fmt::format("'{}' is of another campaign", file.string()));
            return;
        }
        count_finished(status, file);
        status.state = CampaignState::complete;
        if (status.description) status.chunks_done = status.chunks_planned = status.description->chunks;
    }
    catch (const Error& error)
    {
        status.trouble.emplace_back(error.what());
    }
    catch (const fs::filesystem_error& error)
    {
        status.trouble.emplace_back(error.what());
    }
}

/// The text of a small file; none if it is not there or cannot be read.
std::optional<std::string> small_text(const fs::path& file)
{
    try
    {
        std::error_code error;
        if (!fs::exists(file, error)) return std::nullopt;
        std::string text = read_file(file);
        while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
            text.pop_back();
        return text;
    }
    catch (const FileError& error)
    {
        return error.what();
    }
}

std::vector<fs::path> results_in(const fs::path& out)
{
    std::vector<fs::path> files;
    std::error_code error;
    for (fs::directory_iterator entry(out, error); !error && entry != fs::directory_iterator();
         entry.increment(error))
    {
        const std::string ending = entry->path().extension().string();
        if (ending == ".h5" || ending == ".html") files.push_back(entry->path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace

const char* to_string(CampaignState state)
{
    switch (state)
    {
        case CampaignState::absent:
            return "no campaign";
        case CampaignState::starting:
            return "starting";
        case CampaignState::running:
            return "running";
        case CampaignState::silent:
            return "no sign of life";
        case CampaignState::failed:
            return "failed";
        case CampaignState::stopped:
            return "stopped";
        case CampaignState::complete:
            return "complete";
    }
    return "unknown";
}

CampaignState judge_state(const SignsOfLife& signs)
{
    if (signs.complete) return CampaignState::complete;
    if (!signs.described && !signs.saved) return CampaignState::absent;
    if (signs.ended) return CampaignState::stopped;
    if (signs.failed) return CampaignState::failed;
    const double patience = std::max(kLongSilence, 10 * signs.journal_seconds);
    if (signs.now - signs.last > patience) return CampaignState::silent;
    return signs.saved ? CampaignState::running : CampaignState::starting;
}

Throughput throughput(const std::vector<SavedWork>& saved, double from, double to)
{
    Throughput result;
    if (to <= from) return result;
    result.seconds = to - from;
    for (const SavedWork& work : saved)
    {
        if (work.time <= from || work.time > to) continue;
        result.faults_per_second += static_cast<double>(work.faults) / result.seconds;
        result.macs_per_second += work.macs / result.seconds;
    }
    return result;
}

double recently(const std::vector<SavedWork>& saved, double started, double now)
{
    double from = now - kLately;
    // The interval begins with the segment before the ten, and without it.
    if (saved.size() > kSegmentsLately)
        from = std::min(from, saved[saved.size() - kSegmentsLately - 1].time);
    else
        from = started;
    return std::max(from, started);
}

CampaignStatus look_at_campaign(const fs::path& out, std::time_t now)
{
    std::error_code error;
    FS_CHECK(FileError, fs::is_directory(out, error), "there is no out folder '{}'{}", out.string(),
             error ? ": " + error.message() : "");
    CampaignStatus status;
    status.now = now;
    std::optional<Job> job;
    try
    {
        status.description = read_description(out);
        if (status.description)
        {
            job = read_job_text(status.description->job, (out / kDescriptionFile).string() + ": job");
            status.name = job->job.name;
        }
    }
    catch (const Error& problem)
    {
        status.trouble.emplace_back(problem.what());
    }
    read_finished(status, out / "campaign.h5");
    read_saved(status, out, job);

    status.stop_file = fs::exists(out / kStopFile, error);
    status.lock = small_text(out / "lock");
    status.lock_time = written_at(out / "lock");
    status.last_error = small_text(out / "last_error.txt");
    status.files = results_in(out);
    SignsOfLife signs;
    signs.complete = status.state == CampaignState::complete;
    signs.described = status.description.has_value();
    signs.saved = status.segments > 0;
    signs.ended = status.description && status.description->ended;
    signs.failed = status.description && written_at(out / "last_error.txt").value_or(0.0) >
                                             static_cast<double>(status.description->started);
    for (const auto& time : {status.last_segment, status.lock_time, written_at(out / kDescriptionFile)})
        signs.last = std::max(signs.last, time.value_or(0.0));
    signs.now = static_cast<double>(now);
    signs.journal_seconds = job ? job->campaign.journal_seconds : 0;
    status.state = judge_state(signs);
    if (status.state != CampaignState::running) status.seconds_left.reset();
    return status;
}

}  // namespace flipstorm
