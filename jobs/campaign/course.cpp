#include "jobs/campaign/course.hpp"

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/faults/iterative.hpp"
#include "jobs/campaign/guide.hpp"

namespace flipstorm
{
namespace
{

/// Faults of each stratum in the round that its share is estimated from: a variance needs two.
constexpr std::uint64_t kLeastSampled = 2;

std::size_t index_of(LayerId layer)
{
    return static_cast<std::size_t>(layer.value());
}

}  // namespace

CourseOptions course_options(const Job& job)
{
    const CampaignTable& table = job.campaign;
    const auto followed = std::find(table.tolerances.begin(), table.tolerances.end(), job.harden.tolerance);
    CourseOptions options;
    options.precision = {table.error_margin, table.t, 0.5};
    options.tolerances = table.tolerances.size();
    if (followed != table.tolerances.end())
        options.tolerance = static_cast<std::size_t>(followed - table.tolerances.begin());
    options.seed = job.job.seed;
    return options;
}

Course::Course(const Plan& plan, std::size_t layers, std::uint64_t images, ScreenPolicy policy,
               CourseOptions options)
    : plan_(plan),
      images_(images),
      policy_(policy),
      options_(options),
      rounds_left_(plan.budget() > 0 ? kGuidedRounds : 0),
      work_(layers),
      wanted_(layers),
      step_(layers, 0),
      chunks_of_stratum_(plan.strata().size()),
      chunks_wanted_(plan.strata().size(), 0),
      known_(plan.strata().size(), 0)
{
    for (const Stratum& stratum : plan.strata())
    {
        planned_.push_back(stratum.planned);
        evaluated_.push_back(plan.iterative() ? 0 : stratum.drawn);
    }
    for (std::size_t c = 0; c < plan.chunks().size(); ++c)
    {
        const Chunk& chunk = plan.chunks()[c];
        if (plan.iterative())
        {
            const StratumId stratum = plan.fault(chunk.first).stratum;
            const auto s = static_cast<std::size_t>(stratum.value());
            chunks_of_stratum_[s].emplace_back(c);
            planned_[s] = plan.pilot(stratum);
            if (evaluated_[s] >= planned_[s]) continue;
            evaluated_[s] += chunk.count;
            ++chunks_wanted_[s];
        }
        want(index_of(chunk.layer), ChunkId(c));
    }
    for (const LayerWork& work : work_)
        screens_.push_back(first_screening(policy_, work.pairs));
}

void Course::want(std::size_t layer, ChunkId chunk)
{
    const std::uint64_t faults = plan_.chunks()[chunk.value()].count;
    wanted_[layer].push_back(chunk);
    ++work_[layer].chunks;
    work_[layer].faults += faults;
    work_[layer].pairs += faults * images_;
}

std::size_t Course::place(ScreenLevel level, ChunkId chunk) const
{
    return static_cast<std::size_t>(level) * plan_.chunks().size() + chunk.value();
}

std::uint64_t Course::hits_of(std::size_t stratum, const DoneWork& done, std::size_t tolerance) const
{
    const auto layer = static_cast<std::size_t>(plan_.strata()[stratum].layer);
    std::uint64_t hits = 0;
    for (std::size_t k = 0; k < chunks_wanted_[stratum]; ++k)
    {
        const std::size_t chunk = place(screens_[layer].level, chunks_of_stratum_[stratum][k]);
        hits += done.hits.at(chunk * options_.tolerances + tolerance);
    }
    return hits;
}

void Course::want_until(std::size_t stratum, std::uint64_t faults)
{
    const auto layer = static_cast<std::size_t>(plan_.strata()[stratum].layer);
    while (evaluated_[stratum] < faults && chunks_wanted_[stratum] < chunks_of_stratum_[stratum].size())
    {
        const ChunkId next = chunks_of_stratum_[stratum][chunks_wanted_[stratum]++];
        evaluated_[stratum] += plan_.chunks()[next.value()].count;
        want(layer, next);
    }
}

bool Course::ask_for_more(std::size_t layer, const DoneWork& done)
{
    const std::size_t before = wanted_[layer].size();
    for (std::size_t s = 0; s < plan_.strata().size(); ++s)
    {
        const Stratum& stratum = plan_.strata()[s];
        if (static_cast<std::size_t>(stratum.layer) != layer) continue;
        for (std::size_t t = 0; t < options_.tolerances; ++t)
        {
            const std::uint64_t needed = next_sample_size(
                stratum.population, {evaluated_[s], hits_of(s, done, t)}, options_.precision);
            if (needed > evaluated_[s]) planned_[s] = std::max(planned_[s], needed);
        }
        want_until(s, planned_[s]);
    }
    if (wanted_[layer].size() == before) return false;
    step_[layer] = before;
    return true;
}

void Course::share_out_round(const DoneWork& done)
{
    std::vector<GuidedCell> cells;
    std::uint64_t seen = 0;
    for (std::size_t s = 0; s < plan_.strata().size(); ++s)
    {
        const Stratum& stratum = plan_.strata()[s];
        cells.push_back({stratum.layer, stratum.bit, stratum.direction, stratum.population, evaluated_[s],
                         hits_of(s, done, options_.tolerance)});
        seen += evaluated_[s];
    }
    // Rounds double: of what is left, the next one has a part in 2^rounds − 1.
    const std::uint64_t left = plan_.budget() - std::min(plan_.budget(), seen);
    const std::uint64_t faults = left / ((std::uint64_t{1} << static_cast<unsigned>(rounds_left_)) - 1);
    for (std::size_t layer = 0; layer < wanted_.size(); ++layer)
        step_[layer] = wanted_[layer].size();
    known_ = evaluated_;
    const std::vector<std::uint64_t> given =
        guided_round(cells, faults, rounds_left_ == 1 ? kLeastSampled : 0, options_.seed);
    for (std::size_t s = 0; s < given.size(); ++s)
    {
        planned_[s] = evaluated_[s] + given[s];
        want_until(s, planned_[s]);
    }
    --rounds_left_;
}

bool Course::all_wanted_done(std::size_t layer, const DoneWork& done) const
{
    return std::all_of(wanted_[layer].begin(), wanted_[layer].end(), [&](ChunkId chunk) {
        return done.chunks.at(place(screens_[layer].level, chunk)) != 0;
    });
}

void Course::advance(const DoneWork& done)
{
    while (rounds_left_ > 0)
    {
        for (std::size_t layer = 0; layer < screens_.size(); ++layer)
        {
            if (!all_wanted_done(layer, done)) return;
        }
        share_out_round(done);
    }
    const bool asks = plan_.iterative() && plan_.budget() == 0;
    for (std::size_t layer = 0; layer < screens_.size(); ++layer)
    {
        LayerScreening& screen = screens_[layer];
        while (!screen.complete && all_wanted_done(layer, done))
        {
            if (asks && ask_for_more(layer, done)) continue;
            judge_screen(screen, policy_, work_[layer],
                         done.screens.at(layer).at(static_cast<std::size_t>(screen.level)));
            step_[layer] = 0;
        }
    }
}

std::vector<Batch> Course::missing(const DoneWork& done) const
{
    std::vector<Batch> batches;
    for (std::size_t layer = 0; layer < screens_.size(); ++layer)
    {
        if (screens_[layer].complete) continue;
        const LayerId id(static_cast<std::int32_t>(layer));
        const auto first = wanted_[layer].begin() + static_cast<std::ptrdiff_t>(step_[layer]);
        std::vector<Batch> of_layer;
        std::uint64_t faults = 0;
        for (auto chunk = first; chunk != wanted_[layer].end(); ++chunk)
        {
            const bool full = !plan_.iterative() || faults >= plan_.batch_faults(id);
            if (of_layer.empty() || full)
            {
                of_layer.push_back({id, {}, 0});
                faults = 0;
            }
            of_layer.back().chunks.push_back(*chunk);
            of_layer.back().macs += plan_.chunks()[chunk->value()].macs;
            faults += plan_.chunks()[chunk->value()].count;
        }
        std::copy_if(of_layer.begin(), of_layer.end(), std::back_inserter(batches), [&](const Batch& batch) {
            return std::any_of(batch.chunks.begin(), batch.chunks.end(), [&](ChunkId chunk) {
                return done.chunks.at(place(screens_[layer].level, chunk)) == 0;
            });
        });
    }
    std::sort(batches.begin(), batches.end(), [](const Batch& a, const Batch& b) {
        return a.macs != b.macs ? a.macs > b.macs : a.chunks.front() < b.chunks.front();
    });
    return batches;
}

std::vector<ChunkId> Course::wanted() const
{
    std::vector<ChunkId> all;
    for (const std::vector<ChunkId>& of_layer : wanted_)
        all.insert(all.end(), of_layer.begin(), of_layer.end());
    std::sort(all.begin(), all.end());
    return all;
}

}  // namespace flipstorm
