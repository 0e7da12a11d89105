#include "jobs/campaign_status.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <utility>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/tolerance.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/file_summary.hpp"
#include "jobs/campaign.hpp"
#include "jobs/course.hpp"
#include "jobs/inputs.hpp"
#include "jobs/job_file.hpp"
#include "jobs/outcome_codec.hpp"
#include "jobs/plan_of_job.hpp"
#include "jobs/screening.hpp"
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

std::size_t as_index(std::int32_t id)
{
    return static_cast<std::size_t>(id);
}

/// When a file was written, in seconds since 1970.
std::optional<double> written_at(const fs::path& file)
{
    std::error_code error;
    const fs::file_time_type time = fs::last_write_time(file, error);
    if (error) return std::nullopt;
    // C++17 does not say how the clock of files relates to others: compare the two now.
    using Seconds = std::chrono::duration<double>;
    return Seconds(std::chrono::system_clock::now().time_since_epoch()).count() -
           Seconds(fs::file_time_type::clock::now() - time).count();
}

/// What a campaign computes, rebuilt from its description.
struct Blueprint
{
    Job job;
    std::vector<InjectableLayer> layers;
    Plan plan;
};

/// \throws Error if the model is not there any more, or the plan is not the one the journal was written for
Blueprint rebuild(const CampaignDescription& description, const Job& job)
{
    const Network network = load_network(description.model_file);
    FS_CHECK(FileError, digest(network) == description.model_sha256,
             "'{}' is not the model of this campaign any more", description.model_file);
    std::vector<InjectableLayer> layers = injectable_layers(network);
    Plan plan(layers, plan_options(job, network, layers, description.images));
    FS_CHECK(
        FileError,
        campaign_digest(job, plan, description.model_sha256, description.dataset_sha256) ==
            description.stage_sha256,
        "the plan cannot be rebuilt: this flipstorm plans otherwise than the one that runs the campaign");
    return {job, std::move(layers), std::move(plan)};
}

/// Counts faults by stratum and layer.
class Counter
{
  public:
    Counter(CampaignStatus& status, const std::vector<double>& tolerances) : status_(status)
    {
        status.tolerances = tolerances;
    }

    void add_part(std::size_t stratum, std::size_t layer, std::uint64_t population, std::uint64_t planned)
    {
        place_[{stratum, layer}] = status_.parts.size();
        status_.parts.push_back({stratum, layer, population, planned, 0,
                                 std::vector<std::uint64_t>(status_.tolerances.size(), 0)});
        status_.faults_planned += planned;
    }

    void add_fault(std::size_t stratum, std::size_t layer, double drop)
    {
        StratumPart& part = status_.parts[place_.at({stratum, layer})];
        ++part.done;
        ++status_.faults_done;
        for (std::size_t t = 0; t < status_.tolerances.size(); ++t)
            part.hits[t] += exceeds(drop, status_.tolerances[t]) ? 1 : 0;
    }

  private:
    CampaignStatus& status_;
    std::map<std::pair<std::size_t, std::size_t>, std::size_t> place_;
};

void count_finished(CampaignStatus& status, const CampaignRecord& campaign)
{
    const LayerTable& layers = campaign.header.layers;
    const StrataTable& strata = campaign.header.strata;
    Counter counter(status, campaign.header.tolerances);
    status.layers = layers.name;
    std::map<std::pair<std::size_t, std::size_t>, std::uint64_t> rows;
    for (std::size_t row = 0; row < campaign.faults.size(); ++row)
        ++rows[{as_index(campaign.faults.stratum[row]), as_index(campaign.faults.layer[row])}];
    for (std::size_t s = 0; s < strata.size(); ++s)
    {
        status.strata.push_back({strata.layer[s], strata.bit[s]});
        for (std::size_t l = 0; l < layers.size(); ++l)
        {
            if (strata.layer[s] >= 0 && as_index(strata.layer[s]) != l) continue;
            const std::uint64_t bits =
                strata.bit[s] < 0 ? static_cast<std::uint64_t>(layers.word_bits[l]) : 1;
            counter.add_part(s, l, strata.layer[s] >= 0 ? strata.population[s] : layers.weights[l] * bits,
                             rows[{s, l}]);
        }
    }
    for (std::size_t row = 0; row < campaign.faults.size(); ++row)
        counter.add_fault(as_index(campaign.faults.stratum[row]), as_index(campaign.faults.layer[row]),
                          campaign.outcomes.drop[row]);
}

/// A chunk that some run has saved.
struct SavedChunk
{
    std::size_t chunk = 0;
    std::uint8_t level = 0;
    ChunkRecord record;
};

void count_journal(CampaignStatus& status, JournalSurvey& survey, const Blueprint& blueprint)
{
    const std::vector<Chunk>& chunks = blueprint.plan.chunks();
    const std::uint64_t images = status.description->images;
    std::vector<SavedChunk> saved;
    std::set<std::pair<std::size_t, std::uint8_t>> seen;
    const std::vector<double>& tolerances = blueprint.job.campaign.tolerances;
    DoneWork done;
    done.chunks.resize(kScreenLevels * chunks.size());
    done.screens.resize(blueprint.layers.size());
    if (blueprint.plan.iterative()) done.hits.resize(done.chunks.size() * tolerances.size());
    std::vector<SavedWork> work;
    for (const JournalSegment& segment : survey.segments)
    {
        SavedWork& now = work.emplace_back();
        now.time = written_at(segment.file).value_or(static_cast<double>(status.now));
        for (const JournalEntry& entry : segment.entries)
        {
            const std::size_t id = entry.chunk.value();
            if (id >= chunks.size() || entry.level >= kScreenLevels)
            {
                status.trouble.push_back(
                    fmt::format("'{}' holds chunk {} at level {}", segment.file.string(), id, entry.level));
                continue;
            }
            ChunkRecord decoded;
            try
            {
                decoded = decode_outcomes(entry.bytes, chunks[id].count, images);
            }
            catch (const FileError& error)
            {
                status.trouble.push_back(
                    fmt::format("'{}', chunk {}: {}", segment.file.string(), id, error.what()));
                continue;
            }
            now.faults += chunks[id].count;
            now.macs += chunks[id].macs;
            if (!seen.emplace(id, entry.level).second) continue;
            saved.push_back({id, entry.level, std::move(decoded)});
            const ChunkRecord& record = saved.back().record;
            const std::size_t place = entry.level * chunks.size() + id;
            done.chunks[place] = 1;
            add_chunk(done.screens[as_index(chunks[id].layer.value())].at(entry.level), record);
            for (std::size_t t = 0; t < tolerances.size() && !done.hits.empty(); ++t)
                done.hits[place * tolerances.size() + t] = critical_faults(record, tolerances[t]);
        }
    }

    const CampaignTable& table = blueprint.job.campaign;
    Course course(blueprint.plan, blueprint.layers.size(), images, screen_policy(blueprint.job),
                  {table.error_margin, table.t, 0.5}, tolerances.size());
    course.advance(done);
    const std::vector<ChunkId> wanted = course.wanted();
    status.chunks_planned = wanted.size();
    Counter counter(status, tolerances);
    for (const InjectableLayer& layer : blueprint.layers)
        status.layers.push_back(layer.name);
    for (const Stratum& stratum : blueprint.plan.strata())
        status.strata.push_back({stratum.layer, stratum.bit});
    for (const Plan::Draw& draw : blueprint.plan.draws())
    {
        // Of a stratum that an iterative plan samples step by step, what is asked for so far.
        const std::size_t stratum = as_index(draw.stratum.value());
        counter.add_part(stratum, as_index(draw.layer.value()), draw.permutation.size(),
                         blueprint.plan.iterative() ? course.evaluated()[stratum] : draw.count);
    }

    double macs_left = 0;
    for (const ChunkId id : wanted)
        macs_left += chunks[id.value()].macs;
    // Of a layer only what was saved at its present level counts, as in the campaign itself.
    for (const SavedChunk& each : saved)
    {
        const Chunk& chunk = chunks[each.chunk];
        if (each.level != static_cast<std::uint8_t>(course.screens()[as_index(chunk.layer.value())].level))
        {
            ++status.chunks_again;
            continue;
        }
        ++status.chunks_done;
        macs_left -= chunk.macs;
        for (std::size_t i = 0; i < each.record.outcomes.size(); ++i)
        {
            const WeightFault fault = blueprint.plan.fault(FaultIndex(chunk.first.value() + i));
            counter.add_fault(as_index(fault.stratum.value()), as_index(fault.layer.value()),
                              each.record.outcomes[i].drop);
        }
    }

    std::sort(work.begin(), work.end(),
              [](const SavedWork& a, const SavedWork& b) { return a.time < b.time; });
    const auto started = static_cast<double>(status.description->started);
    double until = static_cast<double>(status.description->ended.value_or(status.now));
    if (!work.empty()) until = std::max(until, work.back().time);
    status.since_start = throughput(work, started, until);
    status.recent = throughput(work, recently(work, started, until), until);
    if (status.recent.macs_per_second > 0) status.seconds_left = macs_left / status.recent.macs_per_second;
}

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
        const Blueprint blueprint = rebuild(*status.description, *job);
        status.faults_planned = 0;
        count_journal(status, survey, blueprint);
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
        count_finished(status, read_campaign(file));
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
