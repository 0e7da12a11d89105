#include "jobs/injection.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>

#include "analysis/tables.hpp"
#include "engine/base/log.hpp"
#include "engine/base/timing.hpp"
#include "jobs/outcome_codec.hpp"
#include "jobs/progress.hpp"
#include "mpi/chunk_queue.hpp"

namespace flipstorm
{
namespace
{

std::size_t index_of(LayerId layer)
{
    return static_cast<std::size_t>(layer.value());
}

/// The loop of one rank.
class Injection
{
  public:
    Injection(const Context& context, const Campaign& campaign, ChunkWork& work, JournalContent journal)
        : context_(context),
          campaign_(campaign),
          plan_(*campaign.plan),
          world_(context.world),
          work_(work),
          done_(agree_on_done(context.world, journal, campaign.plan->chunks().size(), kScreenLevels)),
          entries_(std::move(journal.entries)),
          totals_(campaign.layers.size()),
          layers_(campaign.layers.size()),
          computed_(campaign.layers.size()),
          writer_(context.file("journal"), campaign.stage_sha256, new_start_id(world_), world_.rank(),
                  {context.job.campaign.journal_seconds}, [this] { return watch_.seconds(); })
    {
        for (const JournalEntry& entry : entries_)
            count(entry, decode(entry));
    }

    Harvest run()
    {
        Harvest harvest;
        judge_layers();
        std::vector<ChunkId> order = missing_chunks();
        const std::size_t chunks = plan_.chunks().size();
        const auto found = static_cast<std::size_t>(std::count(done_.begin(), done_.end(), 1));
        if (found > 0)
        {
            const std::size_t earlier = found - std::min(found, chunks - order.size());
            log_info("journal: {} of {} chunks are done already{}", chunks - order.size(), chunks,
                     earlier > 0 ? fmt::format(", beside {} with other screens", earlier) : "");
        }
        while (!order.empty())
        {
            harvest.missing = order.size() - run_round(order, harvest.stop_reason);
            if (harvest.missing > 0) break;
            for (const ChunkId id : order)
                done_[place(level_of(id), id)] = 1;
            judge_layers();
            order = missing_chunks();
        }
        // Only the rank that stopped the queue knows why.
        for (const std::string& reason : world_.all_gather(harvest.stop_reason))
        {
            if (!reason.empty()) harvest.stop_reason = reason;
        }
        harvest.seconds = watch_.seconds();
        std::uint64_t faults = 0;
        for (std::size_t l = 0; l < layers_.size(); ++l)
            faults += computed_[l][static_cast<std::size_t>(layers_[l].level)];
        harvest.faults = world_.all_reduce(faults, Reduce::sum);
        harvest.entries = std::move(entries_);
        harvest.layers = std::move(layers_);
        return harvest;
    }

  private:
    [[nodiscard]] const Chunk& chunk(ChunkId id) const { return plan_.chunks()[id.value()]; }
    [[nodiscard]] ScreenLevel level_of(ChunkId id) const { return layers_[index_of(chunk(id).layer)].level; }
    [[nodiscard]] std::size_t place(ScreenLevel level, ChunkId id) const
    {
        return static_cast<std::size_t>(level) * plan_.chunks().size() + id.value();
    }

    [[nodiscard]] ChunkRecord decode(const JournalEntry& entry) const
    {
        return work_.decode(entry.bytes, chunk(entry.chunk).count);
    }

    void count(const JournalEntry& entry, const ChunkRecord& record)
    {
        ScreenTotals& totals = totals_[index_of(chunk(entry.chunk).layer)].at(entry.level);
        ++totals.chunks;
        totals.screened += record.screened;
        totals.audited += record.audited;
        totals.disagreements += record.disagreements;
    }

    /// What all ranks have done, by layer. \collective
    [[nodiscard]] std::vector<LevelTotals> totals_of_all() const
    {
        std::vector<std::uint64_t> sums;
        for (const LevelTotals& layer : totals_)
        {
            for (const ScreenTotals& t : layer)
                sums.insert(sums.end(), {t.chunks, t.screened, t.audited, t.disagreements});
        }
        world_.all_reduce(sums, Reduce::sum);
        std::vector<LevelTotals> all(totals_.size());
        auto sum = sums.begin();
        for (LevelTotals& layer : all)
        {
            for (ScreenTotals& t : layer)
            {
                t = {sum[0], sum[1], sum[2], sum[3]};
                sum += 4;
            }
        }
        return all;
    }

    /// Find the level of every layer, and let go of what lower levels found. \collective
    void judge_layers()
    {
        const std::vector<LevelTotals> totals = totals_of_all();
        for (std::size_t l = 0; l < layers_.size(); ++l)
        {
            const std::size_t known = layers_[l].trials.size();
            layers_[l] = screening_of(campaign_.policy, campaign_.work[l], totals[l]);
            for (std::size_t t = known; t < layers_[l].trials.size(); ++t)
                announce(l, t);
        }
        const auto outdated = [this](const JournalEntry& entry) {
            return entry.level < static_cast<std::uint8_t>(level_of(entry.chunk));
        };
        entries_.erase(std::remove_if(entries_.begin(), entries_.end(), outdated), entries_.end());
        critical_.emplace(plan_, context_.job.campaign.tolerances.front());
        for (const JournalEntry& entry : entries_)
        {
            if (entry.level == static_cast<std::uint8_t>(level_of(entry.chunk)))
                critical_->add(chunk(entry.chunk), decode(entry).outcomes);
        }
    }

    /// Say on rank 0 that a screen did not pass, and what follows.
    void announce(std::size_t layer, std::size_t trial) const
    {
        const LayerScreening& now = layers_[layer];
        const ScreenTrial& failed = now.trials[trial];
        if (failed.kept || !world_.is_root()) return;
        const bool last = trial + 1 == now.trials.size();
        const ScreenLevel next = last ? now.level : now.trials[trial + 1].level;
        const Screen& screen = last ? now.screen : now.trials[trial + 1].screen;
        log_warning(
            "{} of layer '{}' {}: of {} screened pairs {} were audited and {} disagreed, so up to {:.2g} may "
            "be "
            "wrong (95 %), more than campaign.screen_bound = {:g}; its {} chunks are computed again, {}",
            next == ScreenLevel::audited_more ? "audit" : "screen", campaign_.layers[layer].name,
            next == ScreenLevel::audited_more ? "too small" : "given up",
            format_count(failed.totals.screened), format_count(failed.totals.audited),
            format_count(failed.totals.disagreements), failed.bound95, campaign_.policy.bound,
            campaign_.work[layer].chunks,
            next == ScreenLevel::exact
                ? std::string("exactly")
                : fmt::format("with kappa = {:g}, tau = {:g} and {} % audited", screen.kappa, screen.tau,
                              format_percent(screen.audit_share)));
    }

    /// Chunks to compute, each at its layer's level, dearest first.
    [[nodiscard]] std::vector<ChunkId> missing_chunks() const
    {
        std::vector<ChunkId> order;
        for (const ChunkId id : dearest_first(plan_))
        {
            if (done_[place(level_of(id), id)] == 0) order.push_back(id);
        }
        return order;
    }

    /// Take chunks from the queue until there are none, or until it is time to stop.
    /// \return chunks that the ranks have computed. \collective
    std::uint64_t run_round(const std::vector<ChunkId>& order, std::string& stop_reason)
    {
        std::vector<double> macs_before{0};
        std::uint64_t faults_left = 0;
        for (const ChunkId id : order)
        {
            macs_before.push_back(macs_before.back() + chunk(id).macs);
            faults_left += chunk(id).count;
        }
        std::uint64_t computed = 0;
        {
            const Stopwatch round;
            ProgressLine progress(context_.quiet || !world_.is_root());
            ChunkQueue queue(world_, order);
            const auto state = [&] {
                // The queue gives chunks out in order: what was taken last is still being computed.
                const std::uint64_t ranks = static_cast<std::uint64_t>(world_.size());
                const std::uint64_t taken = std::min<std::uint64_t>(queue.taken(), order.size());
                const std::uint64_t finished = taken >= ranks ? taken - ranks + 1 : 1;
                std::uint64_t finished_faults = 0;
                for (std::uint64_t k = 0; k < finished; ++k)
                    finished_faults += chunk(order[k]).count;
                ProgressState now;
                now.faults_total = plan_.size();
                now.faults_done = plan_.size() - faults_left + finished_faults;
                now.faults_this_run = finished_faults;
                now.macs_done = macs_before[finished];
                now.macs_left = macs_before.back() - macs_before[finished];
                now.seconds = round.seconds();
                now.segment_age = writer_.seconds_since_segment();
                if (context_.deadline)
                    now.seconds_to_deadline = static_cast<double>(*context_.deadline - epoch_seconds());
                now.critical = critical_->estimate();
                return now;
            };
            const auto should_stop = [&] { return context_.stop->check().has_value(); };
            while (!should_stop())
            {
                const std::optional<ChunkId> id = queue.next();
                if (!id || !compute(*id, should_stop)) break;
                ++computed;
                progress.show(watch_.seconds(), state);
            }
            if (const auto reason = context_.stop->check())
            {
                stop_reason = reason->text;
                if (reason->kind == StopKind::file) stop_reason += " (remove it to go on)";
                queue.stop();
            }
            // Before any rank judges the layers: what a verdict rests on is never lost.
            writer_.flush();
        }
        return world_.all_reduce(computed, Reduce::sum);
    }

    /// Compute a chunk at its layer's level into the journal; false if it was stopped.
    bool compute(ChunkId id, const std::function<bool()>& should_stop)
    {
        const Chunk& work = chunk(id);
        const std::size_t layer = index_of(work.layer);
        const auto bytes = work_.compute(work, layers_[layer].screen, should_stop);
        if (!bytes) return false;
        JournalEntry entry{id, *bytes, static_cast<std::uint8_t>(layers_[layer].level)};
        writer_.append(entry);
        const ChunkRecord record = decode(entry);
        count(entry, record);
        entries_.push_back(std::move(entry));
        critical_->add(work, record.outcomes);
        computed_[layer].at(static_cast<std::size_t>(layers_[layer].level)) += work.count;
        return true;
    }

    const Context& context_;
    const Campaign& campaign_;
    const Plan& plan_;
    const Communicator& world_;
    ChunkWork& work_;
    Stopwatch watch_;
    std::vector<std::uint8_t> done_;  ///< [levels][chunks], by any rank
    std::vector<JournalEntry> entries_;
    std::vector<LevelTotals> totals_;  ///< of this rank's chunks, by layer
    std::vector<LayerScreening> layers_;
    std::vector<std::array<std::uint64_t, kScreenLevels>> computed_;  ///< faults, by layer and level
    std::optional<CriticalCount> critical_;                           ///< among the entries that count
    JournalWriter writer_;
};

}  // namespace

Harvest inject_missing(const Context& context, const Campaign& campaign, ChunkWork& work,
                       JournalContent journal)
{
    return Injection(context, campaign, work, std::move(journal)).run();
}

}  // namespace flipstorm
