#include "jobs/campaign/ledger.hpp"

#include <algorithm>

#include "analysis/result_table.hpp"
#include "engine/base/log.hpp"
#include "jobs/campaign/injection.hpp"

namespace flipstorm
{
namespace
{

std::size_t index_of(LayerId layer)
{
    return static_cast<std::size_t>(layer.value());
}

}  // namespace

Ledger::Ledger(const Context& context, const Campaign& campaign, std::uint64_t images, SavedChunks saved)
    : context_(context),
      campaign_(campaign),
      plan_(campaign.plan()),
      done_{agree_on_done(context.world, saved.journal, plan_.chunks().size(), kScreenLevels), {}, {}},
      course_(plan_, campaign.layers().size(), images, campaign.policy, course_options(context.job)),
      chunks_(saved.take()),
      totals_(campaign.layers().size()),
      hits_(plan_.iterative() ? done_.chunks.size() * context.job.campaign.tolerances.size() : 0, 0),
      layers_(campaign.layers().size()),
      computed_(campaign.layers().size())
{
    for (const DoneChunk& done : chunks_)
        count(done);
}

std::size_t Ledger::place(ScreenLevel level, ChunkId id) const
{
    return static_cast<std::size_t>(level) * plan_.chunks().size() + id.value();
}

const LayerScreening& Ledger::screening(LayerId layer) const
{
    return layers_[index_of(layer)];
}

void Ledger::count(const DoneChunk& done)
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

std::vector<LevelTotals> Ledger::totals_of_all() const
{
    std::vector<std::uint64_t> sums;
    for (const LevelTotals& layer : totals_)
    {
        for (const ScreenTotals& t : layer)
            sums.insert(sums.end(), {t.chunks, t.screened, t.audited, t.disagreements});
    }
    context_.world.all_reduce(sums, Reduce::sum);
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

std::uint64_t Ledger::wanted_faults() const
{
    std::uint64_t faults = 0;
    for (std::size_t l = 0; l < layers_.size(); ++l)
        faults += course_.work(l).faults;
    return faults;
}

bool Ledger::is_missing(ChunkId id) const
{
    return done_.chunks[place(level_of(id), id)] == 0;
}

std::uint64_t Ledger::missing_faults(const Batch& batch) const
{
    std::uint64_t faults = 0;
    for (const ChunkId id : batch.chunks)
        faults += is_missing(id) ? chunk(id).count : 0;
    return faults;
}

std::size_t Ledger::missing_chunks(const std::vector<Batch>& batches) const
{
    std::size_t missing = 0;
    for (const Batch& batch : batches)
    {
        missing += static_cast<std::size_t>(std::count_if(batch.chunks.begin(), batch.chunks.end(),
                                                          [this](ChunkId id) { return is_missing(id); }));
    }
    return missing;
}

std::size_t Ledger::found_chunks() const
{
    return static_cast<std::size_t>(std::count(done_.chunks.begin(), done_.chunks.end(), 1));
}

void Ledger::mark_done(const std::vector<Batch>& batches)
{
    for (const Batch& batch : batches)
    {
        for (const ChunkId id : batch.chunks)
            done_.chunks[place(level_of(id), id)] = 1;
    }
}

void Ledger::add(ChunkId id, ChunkRecord record)
{
    const std::size_t layer = index_of(chunk(id).layer);
    const auto level = static_cast<std::uint8_t>(layers_[layer].level);
    DoneChunk done{id, level, std::move(record)};
    count(done);
    critical_->add(chunk(id), done.record.outcomes);
    computed_[layer].at(level) += chunk(id).count;
    chunks_.push_back(std::move(done));
}

void Ledger::follow_course()
{
    done_.screens = totals_of_all();
    if (plan_.iterative())
    {
        done_.hits = hits_;
        context_.world.all_reduce(done_.hits, Reduce::sum);
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
void Ledger::announce(std::size_t layer, std::size_t trial) const
{
    const LayerScreening& now = layers_[layer];
    const ScreenTrial& failed = now.trials[trial];
    if (failed.kept || !context_.world.is_root()) return;
    const bool last = trial + 1 == now.trials.size();
    const ScreenLevel next = last ? now.level : now.trials[trial + 1].level;
    const Screen& screen = last ? now.screen : now.trials[trial + 1].screen;
    log_warning(
        "{} of layer '{}' {}: of {} screened pairs {} were audited and {} disagreed, so up to {:.2g} may "
        "be wrong (95 %), more than campaign.screen_bound = {:g}; its {} chunks are computed again, {}",
        next == ScreenLevel::audited_more ? "audit" : "screen", campaign_.layers()[layer].name,
        next == ScreenLevel::audited_more ? "too small" : "given up", format_count(failed.totals.screened),
        format_count(failed.totals.audited), format_count(failed.totals.disagreements), failed.bound95,
        campaign_.policy.bound, failed.totals.chunks,
        next == ScreenLevel::exact
            ? std::string("exactly")
            : fmt::format("with kappa = {:g}, tau = {:g} and {} % audited", screen.kappa, screen.tau,
                          format_percent(screen.audit_share)));
}

void Ledger::hand_over(Harvest& harvest)
{
    std::uint64_t faults = 0;
    for (std::size_t l = 0; l < layers_.size(); ++l)
        faults += computed_[l][static_cast<std::size_t>(layers_[l].level)];
    harvest.faults = context_.world.all_reduce(faults, Reduce::sum);
    harvest.chunks = course_.wanted();
    harvest.planned = course_.planned();
    harvest.evaluated = course_.evaluated();
    harvest.known = course_.known();
    harvest.done = std::move(chunks_);
    harvest.layers = std::move(layers_);
}

}  // namespace flipstorm
