#include "jobs/campaign/injection.hpp"

#include <algorithm>
#include <functional>
#include <optional>

#include "engine/base/log.hpp"
#include "engine/base/timing.hpp"
#include "jobs/campaign/ledger.hpp"
#include "jobs/campaign/progress.hpp"
#include "mpi/chunk_queue.hpp"
#include "mpi/rank_mix.hpp"

namespace flipstorm
{
namespace
{

/// The loop of one rank.
class Injection
{
  public:
    Injection(const Context& context, const Campaign& campaign, ChunkWork& work, SavedChunks saved)
        : context_(context),
          campaign_(campaign),
          world_(context.world),
          work_(work),
          ledger_(context, campaign, work.golden().images(), std::move(saved)),
          writer_(context.file("journal"), campaign.stage_sha256, new_start_id(world_), world_.rank(),
                  {context.job.campaign.journal_seconds}, [this] { return watch_.seconds(); }),
          slow_kind_(is_slow_kind(context))
    {}

    Harvest run()
    {
        Harvest harvest;
        ledger_.follow_course();
        std::vector<Batch> batches = ledger_.missing();
        const std::size_t chunks = ledger_.wanted_chunks();
        const std::size_t found = ledger_.found_chunks();
        if (found > 0)
        {
            const std::size_t here = chunks - ledger_.missing_chunks(batches);
            const std::size_t earlier = found - std::min(found, here);
            log_info("journal: {} of {} chunks are done already{}", here, chunks,
                     earlier > 0 ? fmt::format(", beside {} with other screens", earlier) : "");
        }
        for (int round = 1; !batches.empty(); ++round)
        {
            if (campaign_.plan().iterative())
                log_info("round {}: {} of {} {} faults are asked for", round, ledger_.wanted_faults(),
                         campaign_.plan().budget() > 0 ? "about" : "at most", campaign_.plan().most_faults());
            harvest.missing = ledger_.missing_chunks(batches) - run_round(batches, harvest.stop_reason);
            if (harvest.missing > 0) break;
            ledger_.mark_done(batches);
            ledger_.follow_course();
            batches = ledger_.missing();
        }
        // Only the rank that stopped the queue knows why.
        for (const std::string& reason : world_.all_gather(harvest.stop_reason))
        {
            if (!reason.empty()) harvest.stop_reason = reason;
        }
        harvest.seconds = watch_.seconds();
        harvest.waiting = waiting_of_all(harvest.seconds);
        ledger_.hand_over(harvest);
        return harvest;
    }

  private:
    /// Whether this rank computes on processor cores and others on GPUs. \collective
    [[nodiscard]] static bool is_slow_kind(const Context& context)
    {
        const bool gpu = evaluation_options(context, EvaluationMode::exact).device.cuda;
        return context.world.all_reduce(std::uint64_t{gpu}, Reduce::max) != 0 && !gpu;
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
                now.faults_total = ledger_.wanted_faults();
                now.faults_this_run = std::max(faults_here, of_all);
                now.faults_done = now.faults_total - all.faults + now.faults_this_run;
                now.macs_done = std::max(macs_here, finished * taken.cost(queue.lanes()));
                now.macs_left = all.macs - now.macs_done;
                now.seconds = round.seconds();
                now.segment_age = writer_.seconds_since_segment();
                now.seconds_to_deadline = context_.stop->seconds_left();
                now.critical = ledger_.critical();
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
                const std::uint64_t faults = ledger_.missing_faults(batch);
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
                before.push_back(before.back() + ledger_.missing_faults(batches[item]));
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
        const LayerScreening& screening = ledger_.screening(batch.layer);
        std::vector<Chunk> chunks;
        for (const ChunkId id : batch.chunks)
            chunks.push_back(ledger_.chunk(id));
        auto records = work_.compute(chunks, screening.screen, should_stop);
        if (!records) return 0;
        std::uint64_t computed = 0;
        for (std::size_t k = 0; k < chunks.size(); ++k)
        {
            const ChunkId id = batch.chunks[k];
            if (!ledger_.is_missing(id)) continue;
            ChunkRecord& record = (*records)[k];
            writer_.append(
                {id, campaign_.faults->encode(record), static_cast<std::uint8_t>(screening.level)});
            ledger_.add(id, std::move(record));
            ++computed;
        }
        return computed;
    }

    const Context& context_;
    const Campaign& campaign_;
    const Communicator& world_;
    ChunkWork& work_;
    Stopwatch watch_;
    Ledger ledger_;
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
