#include "jobs/campaign/injection.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>

#include "analysis/tables.hpp"
#include "engine/base/log.hpp"
#include "engine/base/timing.hpp"
#include "jobs/campaign/course.hpp"
#include "jobs/campaign/progress.hpp"
#include "mpi/chunk_queue.hpp"
#include "mpi/rank_mix.hpp"

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
    Injection(const Context& context, const Campaign& campaign, ChunkWork& work, SavedChunks saved)
        : context_(context),
          campaign_(campaign),
          plan_(campaign.plan()),
          world_(context.world),
          work_(work),
          done_{agree_on_done(context.world, saved.journal, campaign.plan().chunks().size(), kScreenLevels),
                {},
                {}},
          course_(plan_, campaign.layers().size(), work.golden().images(), campaign.policy,
                  {context.job.campaign.error_margin, context.job.campaign.t, 0.5},
                  context.job.campaign.tolerances.size()),
          chunks_(saved.take()),
          totals_(campaign.layers().size()),
          hits_(plan_.iterative() ? done_.chunks.size() * context.job.campaign.tolerances.size() : 0, 0),
          layers_(campaign.layers().size()),
          computed_(campaign.layers().size()),
          writer_(context.file("journal"), campaign.stage_sha256, new_start_id(world_), world_.rank(),
                  {context.job.campaign.journal_seconds}, [this] { return watch_.seconds(); }),
          slow_kind_(is_slow_kind(context))
    {
        for (const DoneChunk& done : chunks_)
            count(done);
    }

    Harvest run()
    {
        Harvest harvest;
        follow_course();
        std::vector<Batch> batches = course_.missing(done_);
        const std::size_t chunks = course_.wanted().size();
        const auto found = static_cast<std::size_t>(std::count(done_.chunks.begin(), done_.chunks.end(), 1));
        if (found > 0)
        {
            const std::size_t here = chunks - missing_chunks(batches);
            const std::size_t earlier = found - std::min(found, here);
            log_info("journal: {} of {} chunks are done already{}", here, chunks,
                     earlier > 0 ? fmt::format(", beside {} with other screens", earlier) : "");
        }
        for (int round = 1; !batches.empty(); ++round)
        {
            if (plan_.iterative())
                log_info("round {}: {} of at most {} faults are asked for", round, wanted_faults(),
                         plan_.size());
            harvest.missing = missing_chunks(batches) - run_round(batches, harvest.stop_reason);
            if (harvest.missing > 0) break;
            for (const Batch& batch : batches)
            {
                for (const ChunkId id : batch.chunks)
                    done_.chunks[place(level_of(id), id)] = 1;
            }
            follow_course();
            batches = course_.missing(done_);
        }
        // Only the rank that stopped the queue knows why.
        for (const std::string& reason : world_.all_gather(harvest.stop_reason))
        {
            if (!reason.empty()) harvest.stop_reason = reason;
        }
        harvest.seconds = watch_.seconds();
        harvest.waiting = waiting_of_all(harvest.seconds);
        std::uint64_t faults = 0;
        for (std::size_t l = 0; l < layers_.size(); ++l)
            faults += computed_[l][static_cast<std::size_t>(layers_[l].level)];
        harvest.faults = world_.all_reduce(faults, Reduce::sum);
        harvest.chunks = course_.wanted();
        harvest.planned = course_.planned();
        harvest.evaluated = course_.evaluated();
        harvest.done = std::move(chunks_);
        harvest.layers = std::move(layers_);
        return harvest;
    }

  private:
    /// Whether this rank computes on processor cores and others on GPUs. \collective
    [[nodiscard]] static bool is_slow_kind(const Context& context)
    {
        const bool gpu = evaluation_options(context, EvaluationMode::exact).device.cuda;
        return context.world.all_reduce(std::uint64_t{gpu}, Reduce::max) != 0 && !gpu;
    }

    [[nodiscard]] const Chunk& chunk(ChunkId id) const { return plan_.chunks()[id.value()]; }
    [[nodiscard]] ScreenLevel level_of(ChunkId id) const { return layers_[index_of(chunk(id).layer)].level; }
    [[nodiscard]] std::size_t place(ScreenLevel level, ChunkId id) const
    {
        return static_cast<std::size_t>(level) * plan_.chunks().size() + id.value();
    }

    void count(const DoneChunk& done)
    {
        add_chunk(totals_[index_of(chunk(done.chunk).layer)].at(done.level), done.record);
        if (!plan_.iterative()) return;
        const std::vector<double>& tolerances = context_.job.campaign.tolerances;
        const std::size_t first = place(static_cast<ScreenLevel>(done.level), done.chunk) * tolerances.size();
        for (std::size_t t = 0; t < tolerances.size(); ++t)
        {
            hits_[first + t] = critical_faults(done.record, tolerances[t]);
        }
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

    /// Shares of so many seconds that the ranks did not compute. \collective
    [[nodiscard]] WaitingTimes waiting_of_all(double seconds) const
    {
        const double whole = std::max(seconds, 1e-9);
        const double each = whole * world_.size();
        return {world_.all_reduce(waited_, Reduce::sum) / each,
                world_.all_reduce(waited_, Reduce::max) / whole, world_.all_reduce(idle_, Reduce::sum) / each,
                world_.all_reduce(idle_, Reduce::max) / whole, one_sided_};
    }

    [[nodiscard]] std::uint64_t wanted_faults() const
    {
        std::uint64_t faults = 0;
        for (std::size_t l = 0; l < layers_.size(); ++l)
            faults += course_.work(l).faults;
        return faults;
    }

    [[nodiscard]] bool is_missing(ChunkId id) const { return done_.chunks[place(level_of(id), id)] == 0; }

    [[nodiscard]] std::uint64_t missing_faults(const Batch& batch) const
    {
        std::uint64_t faults = 0;
        for (const ChunkId id : batch.chunks)
            faults += is_missing(id) ? chunk(id).count : 0;
        return faults;
    }

    [[nodiscard]] std::size_t missing_chunks(const std::vector<Batch>& batches) const
    {
        std::size_t missing = 0;
        for (const Batch& batch : batches)
        {
            missing += static_cast<std::size_t>(std::count_if(batch.chunks.begin(), batch.chunks.end(),
                                                              [this](ChunkId id) { return is_missing(id); }));
        }
        return missing;
    }

    /// See what is wanted next and at which level, and let go of what lower levels found. \collective
    void follow_course()
    {
        done_.screens = totals_of_all();
        if (plan_.iterative())
        {
            done_.hits = hits_;
            world_.all_reduce(done_.hits, Reduce::sum);
        }
        course_.advance(done_);
        for (std::size_t l = 0; l < layers_.size(); ++l)
        {
            const std::size_t known = layers_[l].trials.size();
            layers_[l] = course_.screens()[l];
            for (std::size_t t = known; t < layers_[l].trials.size(); ++t)
                announce(l, t);
        }
        const auto outdated = [this](const DoneChunk& done) {
            return done.level < static_cast<std::uint8_t>(level_of(done.chunk));
        };
        chunks_.erase(std::remove_if(chunks_.begin(), chunks_.end(), outdated), chunks_.end());
        critical_.emplace(plan_, context_.job.campaign.tolerances.front());
        for (const DoneChunk& done : chunks_)
        {
            if (done.level == static_cast<std::uint8_t>(level_of(done.chunk)))
                critical_->add(chunk(done.chunk), done.record.outcomes);
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
            next == ScreenLevel::audited_more ? "audit" : "screen", campaign_.layers()[layer].name,
            next == ScreenLevel::audited_more ? "too small" : "given up",
            format_count(failed.totals.screened), format_count(failed.totals.audited),
            format_count(failed.totals.disagreements), failed.bound95, campaign_.policy.bound,
            failed.totals.chunks,
            next == ScreenLevel::exact
                ? std::string("exactly")
                : fmt::format("with kappa = {:g}, tau = {:g} and {} % audited", screen.kappa, screen.tau,
                              format_percent(screen.audit_share)));
    }

    /// Take batches from the queue until there are none, or until it is time to stop.
    /// \return missing chunks that the ranks have computed. \collective
    std::uint64_t run_round(const std::vector<Batch>& batches, std::string& stop_reason)
    {
        std::vector<QueueItem> items;
        for (const Batch& batch : batches)
            items.push_back({batch.layer.value(), batch.macs});
        std::uint64_t computed = 0;
        Stopwatch idle;
        {
            const Stopwatch round;
            ProgressLine progress(context_.quiet || !world_.is_root(), watch_.seconds());
            ChunkQueue queue(world_, items);
            one_sided_ = queue.is_one_sided();
            const RoundWork all = work_of_round(batches, queue.lanes());
            double macs_here = 0;
            std::uint64_t faults_here = 0;
            const auto state = [&] {
                // What was taken last is still being computed.
                const QueueState taken = queue.state();
                const auto items_taken = static_cast<double>(taken.items());
                const double in_work = (queue.is_ahead(taken) ? 2.0 : 1.0) * world_.size();
                const double finished = items_taken > in_work ? 1 - in_work / items_taken : 0;
                const auto of_all =
                    static_cast<std::uint64_t>(finished * static_cast<double>(all.faults_taken(taken)));
                ProgressState now;
                now.faults_total = wanted_faults();
                now.faults_this_run = std::max(faults_here, of_all);
                now.faults_done = now.faults_total - all.faults + now.faults_this_run;
                now.macs_done = std::max(macs_here, finished * taken.cost(queue.lanes()));
                now.macs_left = all.macs - now.macs_done;
                now.seconds = round.seconds();
                now.segment_age = writer_.seconds_since_segment();
                now.seconds_to_deadline = context_.stop->seconds_left();
                now.critical = critical_->estimate();
                now.ranks = world_.size();
                return now;
            };
            const auto should_stop = [&] { return context_.stop->check().has_value(); };
            // Before every tile of images: the others get their chunks, and people their line.
            const auto at_tile = [&] {
                queue.progress();
                progress.show(watch_.seconds(), state);
                return should_stop();
            };
            while (!should_stop() && !(slow_kind_ && leaves(queue, all.macs, macs_here)))
            {
                const std::optional<std::size_t> next = queue.next();
                if (!next) break;
                if (!slow_kind_) queue.take_ahead();
                const Batch& batch = batches[*next];
                const std::uint64_t faults = missing_faults(batch);
                const std::uint64_t done = compute(batch, at_tile);
                if (done == 0) break;
                computed += done;
                macs_here += batch.macs;
                faults_here += faults;
            }
            if (const auto reason = context_.stop->check())
            {
                stop_reason = reason->text;
                if (reason->kind == StopKind::file) stop_reason += " (remove it to go on)";
                queue.stop();
            }
            // Before any rank judges the layers: what a verdict rests on is never lost.
            writer_.flush();
            waited_ += queue.waited();
            idle = Stopwatch();
        }
        idle_ += idle.seconds();
        return world_.all_reduce(computed, Reduce::sum);
    }

    /// Work of a round by lanes of its queue.
    struct RoundWork
    {
        std::uint64_t faults = 0;
        double macs = 0;
        std::vector<std::vector<std::uint64_t>> faults_before;  ///< of the first k items of each lane

        [[nodiscard]] std::uint64_t faults_taken(const QueueState& state) const
        {
            std::uint64_t sum = 0;
            for (std::size_t l = 0; l < faults_before.size(); ++l)
                sum += faults_before[l].at(state.taken.at(l));
            return sum;
        }
    };

    [[nodiscard]] RoundWork work_of_round(const std::vector<Batch>& batches,
                                          const std::vector<Lane>& lanes) const
    {
        RoundWork work;
        for (const Lane& lane : lanes)
        {
            std::vector<std::uint64_t> before{0};
            for (const std::size_t item : lane.items)
                before.push_back(before.back() + missing_faults(batches[item]));
            work.faults += before.back();
            work.macs += lane.cost_before.back();
            work.faults_before.push_back(std::move(before));
        }
        return work;
    }

    /// Whether this rank, of a slow kind, leaves the rest of a queue of so many MACs to the others.
    [[nodiscard]] bool leaves(ChunkQueue& queue, double macs, double macs_here) const
    {
        const QueueState state = queue.state();
        const std::vector<Lane>& lanes = queue.lanes();
        const double taken = state.cost(lanes);
        double dearest = 0;
        for (std::size_t l = 0; l < lanes.size(); ++l)
        {
            const std::uint64_t next = state.taken[l];
            if (next < lanes[l].size())
                dearest = std::max(dearest, lanes[l].cost_before[next + 1] - lanes[l].cost_before[next]);
        }
        return dearest > 0 && leaves_the_rest({macs_here, taken, macs - taken, dearest, world_.size()});
    }

    /// Compute the missing chunks of a batch at their layer's level into the journal.
    /// \return their number; 0 if it was stopped.
    std::uint64_t compute(const Batch& batch, const std::function<bool()>& should_stop)
    {
        const std::size_t layer = index_of(batch.layer);
        std::vector<Chunk> chunks;
        for (const ChunkId id : batch.chunks)
            chunks.push_back(chunk(id));
        auto records = work_.compute(chunks, layers_[layer].screen, should_stop);
        if (!records) return 0;
        std::uint64_t computed = 0;
        for (std::size_t k = 0; k < chunks.size(); ++k)
        {
            const ChunkId id = batch.chunks[k];
            if (!is_missing(id)) continue;
            const auto level = static_cast<std::uint8_t>(layers_[layer].level);
            DoneChunk done{id, level, std::move((*records)[k])};
            writer_.append({id, campaign_.faults->encode(done.record), level});
            count(done);
            critical_->add(chunks[k], done.record.outcomes);
            chunks_.push_back(std::move(done));
            computed_[layer].at(static_cast<std::size_t>(layers_[layer].level)) += chunks[k].count;
            ++computed;
        }
        return computed;
    }

    const Context& context_;
    const Campaign& campaign_;
    const Plan& plan_;
    const Communicator& world_;
    ChunkWork& work_;
    Stopwatch watch_;
    DoneWork done_;  ///< by all ranks
    Course course_;
    std::vector<DoneChunk> chunks_;    ///< this rank's
    std::vector<LevelTotals> totals_;  ///< of this rank's chunks, by layer
    std::vector<std::uint64_t> hits_;  ///< of this rank's chunks, as DoneWork's
    std::vector<LayerScreening> layers_;
    std::vector<std::array<std::uint64_t, kScreenLevels>> computed_;  ///< faults, by layer and level
    std::optional<CriticalCount> critical_;                           ///< among the entries that count
    JournalWriter writer_;
    bool slow_kind_;
    bool one_sided_ = true;
    double waited_ = 0;  ///< seconds for numbers of chunks
    double idle_ = 0;    ///< seconds at the ends of rounds, for the last rank
};

}  // namespace

Harvest inject_missing(const Context& context, const Campaign& campaign, ChunkWork& work, SavedChunks saved)
{
    return Injection(context, campaign, work, std::move(saved)).run();
}

}  // namespace flipstorm
