#include "jobs/status/status_count.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/base/tolerance.hpp"
#include "hdf5_schema/transient_campaign_file.hpp"
#include "jobs/campaign/campaign_digest.hpp"
#include "jobs/campaign/course.hpp"
#include "jobs/campaign/file_strata.hpp"
#include "jobs/campaign/kinds/kind.hpp"
#include "jobs/campaign/outdated_outcomes.hpp"
#include "jobs/campaign/screening.hpp"
#include "jobs/resolve/inputs.hpp"

namespace flipstorm
{
namespace fs = std::filesystem;
namespace
{

std::size_t as_index(std::int32_t id)
{
    return static_cast<std::size_t>(id);
}

/// Places of the parts by stratum and layer.
class Parts
{
  public:
    explicit Parts(CampaignStatus& status) : status_(status)
    {
        for (std::size_t i = 0; i < status.parts.size(); ++i)
            place_[{status.parts[i].stratum, status.parts[i].layer}] = i;
    }

    /// Count a fault. \return the place of its part
    std::size_t add(std::size_t stratum, std::size_t layer, double drop)
    {
        const auto found = place_.find({stratum, layer});
        FS_CHECK(DataError, found != place_.end(),
                 "a fault of stratum {} strikes layer '{}', which lies outside", stratum,
                 status_.layers.at(layer));
        StratumPart& part = status_.parts[found->second];
        ++part.done;
        ++status_.faults_done;
        for (std::size_t t = 0; t < part.hits.size(); ++t)
            part.hits[t] += exceeds(drop, status_.tolerances[t]) ? 1 : 0;
        return found->second;
    }

  private:
    CampaignStatus& status_;
    std::map<std::pair<std::size_t, std::size_t>, std::size_t> place_;
};

/// Forget what was counted before.
void begin_counting(CampaignStatus& status, const std::string& target, const std::vector<double>& tolerances)
{
    status.target = target;
    status.tolerances = tolerances;
    status.layers.clear();
    status.strata.clear();
    status.parts.clear();
    status.struck.clear();
    status.faults_planned = status.faults_done = 0;
}

void add_part(CampaignStatus& status, const TargetKind& kind, std::size_t stratum, std::size_t layer,
              std::uint64_t population, std::uint64_t planned)
{
    const std::size_t tolerances = kind.judged_by_tolerance() ? status.tolerances.size() : 0;
    status.parts.push_back(
        {stratum, layer, population, planned, 0, std::vector<std::uint64_t>(tolerances, 0)});
    status.faults_planned += planned;
}

/// What a transient fault of a chunk did to the images that it struck.
StruckImages struck_images(const ChunkRecord& record, std::size_t fault)
{
    const Outcome& outcome = record.outcomes[fault];
    const TransientOutcome seen{outcome.tally, record.masked[fault], outcome.drop};
    return {static_cast<double>(seen.tally.evaluated), static_cast<double>(seen.masked),
            static_cast<double>(seen.tolerable()),     static_cast<double>(seen.tally.mismatches),
            static_cast<double>(seen.tally.nonfinite), seen.drop};
}

/// Reads a journal and counts what it holds.
class JournalCount
{
  public:
    JournalCount(CampaignStatus& status, const Blueprint& blueprint)
        : status_(status),
          blueprint_(blueprint),
          plan_(blueprint.faults->plan()),
          early_counts_(!overflow_mattered(blueprint.job))
    {
        done_.chunks.resize(kScreenLevels * plan_.chunks().size());
        done_.screens.resize(blueprint.faults->layers().size());
        if (plan_.iterative()) done_.hits.resize(done_.chunks.size() * tolerances().size());
    }

    void read(const JournalSegment& segment)
    {
        SavedWork& now = work_.emplace_back();
        now.time = written_at(segment.file).value_or(static_cast<double>(status_.now));
        std::string trouble;
        for (const JournalEntry& entry : segment.entries)
        {
            try
            {
                read(entry, now);
            }
            catch (const FileError& error)
            {
                if (trouble.empty()) trouble = error.what();
            }
        }
        if (!trouble.empty())
            status_.trouble.push_back(fmt::format("'{}': {}", segment.file.string(), trouble));
    }

    /// Count, once all is read.
    void finish()
    {
        Course course(plan_, blueprint_.faults->layers().size(), status_.description->images,
                      screen_policy(blueprint_.job), course_options(blueprint_.job));
        course.advance(done_);
        list_parts(status_, blueprint_);
        if (plan_.budget() > 0)
            list_rounds(course);
        else if (plan_.iterative())
            plan_so_far(course);
        const std::vector<ChunkId> wanted = course.wanted();
        status_.chunks_planned = wanted.size();
        for (const ChunkId id : wanted)
            macs_left_ += chunk(id.value()).macs;
        count_faults(course);
        count_outdated(course);
        measure_speed();
    }

  private:
    [[nodiscard]] const Chunk& chunk(std::size_t id) const { return plan_.chunks()[id]; }
    [[nodiscard]] const std::vector<double>& tolerances() const { return blueprint_.job.campaign.tolerances; }

    void read(const JournalEntry& entry, SavedWork& now)
    {
        const std::size_t id = entry.chunk.value();
        FS_CHECK(FileError, id < plan_.chunks().size() && entry.level < kScreenLevels,
                 "it holds chunk {} at level {}", id, entry.level);
        now.faults += chunk(id).count;
        now.macs += chunk(id).macs;
        if (!early_counts_ && entry.format < kFirstRightJournal &&
            holds_overflow(*blueprint_.faults, blueprint_.network, chunk(id)))
        {
            outdated_.emplace(id, entry.level);
            return;
        }
        if (seen_.count({id, entry.level}) > 0) return;
        DoneChunk saved{entry.chunk, entry.level, blueprint_.faults->decode(entry.bytes, chunk(id).count)};
        seen_.emplace(id, entry.level);
        const std::size_t place = entry.level * plan_.chunks().size() + id;
        done_.chunks[place] = 1;
        add_chunk(done_.screens[as_index(chunk(id).layer.value())].at(entry.level), saved.record);
        for (std::size_t t = 0; t < tolerances().size() && !done_.hits.empty(); ++t)
            done_.hits[place * tolerances().size() + t] = critical_faults(saved.record, tolerances()[t]);
        saved_.push_back(std::move(saved));
    }

    /// Of a guided plan: what is known since the present round began, and what that round samples, apart.
    void list_rounds(const Course& course)
    {
        file_strata_.emplace(plan_, course.planned(), course.evaluated(), course.known());
        const StrataTable& table = file_strata_->table();
        status_.strata.clear();
        status_.parts.clear();
        status_.faults_planned = 0;
        for (std::size_t s = 0; s < table.size(); ++s)
        {
            status_.strata.push_back({table.layer[s], table.bit[s]});
            add_part(status_, kind_of(blueprint_.job), s, as_index(table.layer[s]), table.population[s],
                     table.evaluated[s]);
        }
    }

    /// Of a stratum that an iterative plan samples step by step, what is asked for so far.
    void plan_so_far(const Course& course)
    {
        status_.faults_planned = 0;
        for (StratumPart& part : status_.parts)
        {
            part.planned = course.evaluated()[part.stratum];
            status_.faults_planned += part.planned;
        }
    }

    [[nodiscard]] bool is_at_level(const Course& course, std::size_t id, std::uint8_t level) const
    {
        return level == static_cast<std::uint8_t>(course.screens()[as_index(chunk(id).layer.value())].level);
    }

    /// Of a layer only what was saved at its present level counts, as in the campaign itself.
    void count_faults(const Course& course)
    {
        // In plan order, as the rows of campaign.h5 are, so that sums come out the same to the last bit.
        std::sort(saved_.begin(), saved_.end(),
                  [](const DoneChunk& a, const DoneChunk& b) { return a.chunk < b.chunk; });
        Parts parts(status_);
        std::vector<VulnerabilityCount> layers;
        std::vector<std::uint64_t> populations;
        for (const StratumPart& part : status_.parts)
            populations.push_back(part.population);
        if (!kind_of(blueprint_.job).judged_by_tolerance())
            layers.assign(blueprint_.faults->layers().size() + 1, VulnerabilityCount(populations));
        for (const DoneChunk& each : saved_)
        {
            if (!is_at_level(course, each.chunk.value(), each.level))
            {
                ++status_.chunks_again;
                continue;
            }
            ++status_.chunks_done;
            macs_left_ -= chunk(each.chunk.value()).macs;
            for (std::size_t i = 0; i < each.record.outcomes.size(); ++i)
            {
                const FaultIndex index(chunk(each.chunk.value()).first.value() + i);
                const WeightFault fault = plan_.fault(index);
                const std::size_t layer = as_index(fault.layer.value());
                const std::int32_t stratum =
                    file_strata_ ? file_strata_->row_of(index, fault.stratum) : fault.stratum.value();
                const std::size_t place = parts.add(as_index(stratum), layer, each.record.outcomes[i].drop);
                if (layers.empty()) continue;
                const StruckImages images = struck_images(each.record, i);
                layers[layer].add(place, images);
                layers.back().add(place, images);
            }
        }
        if (!layers.empty()) describe_struck(layers);
    }

    void describe_struck(const std::vector<VulnerabilityCount>& layers)
    {
        double all = 0;
        std::vector<double> weights(blueprint_.faults->layers().size(), 0);
        for (const StratumPart& part : status_.parts)
        {
            weights[part.layer] += static_cast<double>(part.population);
            all += static_cast<double>(part.population);
        }
        for (std::size_t l = 0; l < weights.size(); ++l)
            status_.struck.push_back({weights[l] / all, layers[l].estimate()});
        status_.struck.push_back({1, layers.back().estimate()});
    }

    void count_outdated(const Course& course)
    {
        for (const auto& [id, level] : outdated_)
            status_.chunks_outdated +=
                seen_.count({id, level}) == 0 && is_at_level(course, id, level) ? 1 : 0;
    }

    void measure_speed()
    {
        std::sort(work_.begin(), work_.end(),
                  [](const SavedWork& a, const SavedWork& b) { return a.time < b.time; });
        const auto started = static_cast<double>(status_.description->started);
        double until = static_cast<double>(status_.description->ended.value_or(status_.now));
        if (!work_.empty()) until = std::max(until, work_.back().time);
        status_.since_start = throughput(work_, started, until);
        status_.recent = throughput(work_, recently(work_, started, until), until);
        if (status_.recent.macs_per_second > 0)
            status_.seconds_left = macs_left_ / status_.recent.macs_per_second;
    }

    CampaignStatus& status_;
    const Blueprint& blueprint_;
    const Plan& plan_;
    bool early_counts_;  ///< nothing of early segments was wrong
    DoneWork done_;
    std::optional<FileStrata> file_strata_;  ///< of a guided plan
    std::vector<DoneChunk> saved_;
    std::set<std::pair<std::size_t, std::uint8_t>> seen_;
    std::set<std::pair<std::size_t, std::uint8_t>> outdated_;  ///< that hold outcomes which may be wrong
    std::vector<SavedWork> work_;
    double macs_left_ = 0;
};

/// Rows by stratum and layer.
std::vector<std::vector<std::uint64_t>> count_rows(const FinishedFaults& faults)
{
    std::vector<std::vector<std::uint64_t>> rows(faults.header.strata.size(),
                                                 std::vector<std::uint64_t>(faults.header.layers.size(), 0));
    for (std::size_t row = 0; row < faults.stratum.size(); ++row)
        ++rows[as_index(faults.stratum[row])][as_index(faults.layer[row])];
    return rows;
}

}  // namespace

Blueprint rebuild_campaign(const CampaignDescription& description, const Job& job)
{
    Network network = load_network(description.model_file);
    FS_CHECK(FileError, digest(network) == description.model_sha256,
             "'{}' is not the model of this campaign any more", description.model_file);
    std::unique_ptr<CampaignFaults> faults = kind_of(job).plan(job, network, description.images);
    const auto digest_at = [&](int revision) {
        return campaign_digest(job, faults->plan(), revision, description.model_sha256,
                               description.dataset_sha256);
    };
    const int revision = revision_of_results(job, network.graph);
    FS_CHECK(
        FileError, revision == 0 || digest_at(0) != description.stage_sha256,
        "an earlier version computes here, whose kernels were wrong for this network: a node of it reads "
        "the same value twice; the next start of this flipstorm computes all again");
    FS_CHECK(
        FileError, digest_at(revision) == description.stage_sha256,
        "the plan cannot be rebuilt: this flipstorm plans otherwise than the one that runs the campaign");
    return {job, std::move(network), std::move(faults)};
}

void list_parts(CampaignStatus& status, const Blueprint& blueprint)
{
    begin_counting(status, blueprint.job.campaign.target, blueprint.job.campaign.tolerances);
    for (const InjectableLayer& layer : blueprint.faults->layers())
        status.layers.push_back(layer.name);
    const TargetKind& kind = kind_of(blueprint.job);
    for (const Stratum& stratum : blueprint.faults->plan().strata())
        status.strata.push_back({stratum.layer, stratum.bit});
    for (const Plan::Draw& draw : blueprint.faults->plan().draws())
        add_part(status, kind, as_index(draw.stratum.value()), as_index(draw.layer.value()),
                 draw.permutation.size(), draw.count);
}

void list_parts(CampaignStatus& status, const CampaignHeader& header,
                const std::vector<std::vector<std::uint64_t>>& faults)
{
    begin_counting(status, header.target, header.tolerances);
    status.layers = header.layers.name;
    const TargetKind& kind = kind_named(header.target);
    for (std::size_t s = 0; s < header.strata.size(); ++s)
    {
        status.strata.push_back({header.strata.layer[s], header.strata.bit[s]});
        const std::vector<std::uint64_t> populations = kind.populations(header, s, faults[s]);
        for (std::size_t l = 0; l < header.layers.size(); ++l)
        {
            if (populations[l] > 0) add_part(status, kind, s, l, populations[l], faults[s][l]);
        }
    }
}

void count_journal(CampaignStatus& status, const JournalSurvey& survey, const Blueprint& blueprint)
{
    JournalCount count(status, blueprint);
    for (const JournalSegment& segment : survey.segments)
        count.read(segment);
    count.finish();
}

void count_finished(CampaignStatus& status, const fs::path& file)
{
    FinishedFaults faults = kind_named(campaign_target(file)).read_finished(file);
    list_parts(status, faults.header, count_rows(faults));
    Parts parts(status);
    for (std::size_t row = 0; row < faults.stratum.size(); ++row)
        parts.add(as_index(faults.stratum[row]), as_index(faults.layer[row]), faults.drop[row]);
    status.struck = std::move(faults.struck);
}

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

}  // namespace flipstorm
