#include "jobs/campaign/course.hpp"

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/faults/iterative.hpp"

namespace flipstorm
{
namespace
{

std::size_t index_of(LayerId layer)
{
    return static_cast<std::size_t>(layer.value());
}

}  // namespace

Course::Course(const Plan& plan, std::size_t layers, std::uint64_t images, ScreenPolicy policy,
               Precision precision, std::size_t tolerances)
    : plan_(plan),
      images_(images),
      policy_(policy),
      precision_(precision),
      tolerances_(tolerances),
      work_(layers),
      wanted_(layers),
      step_(layers, 0),
      chunks_of_stratum_(plan.strata().size()),
      chunks_wanted_(plan.strata().size(), 0)
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

bool Course::ask_for_more(std::size_t layer, const DoneWork& done)
{
    const std::size_t before = wanted_[layer].size();
    const ScreenLevel level = screens_[layer].level;
    for (std::size_t s = 0; s < plan_.strata().size(); ++s)
    {
        const Stratum& stratum = plan_.strata()[s];
        if (static_cast<std::size_t>(stratum.layer) != layer) continue;
        for (std::size_t t = 0; t < tolerances_; ++t)
        {
            std::uint64_t hits = 0;
            for (std::size_t k = 0; k < chunks_wanted_[s]; ++k)
                hits += done.hits.at(place(level, chunks_of_stratum_[s][k]) * tolerances_ + t);
            const std::uint64_t needed =
                next_sample_size(stratum.population, {evaluated_[s], hits}, precision_);
            if (needed > evaluated_[s]) planned_[s] = std::max(planned_[s], needed);
        }
        while (evaluated_[s] < planned_[s] && chunks_wanted_[s] < chunks_of_stratum_[s].size())
        {
            const ChunkId next = chunks_of_stratum_[s][chunks_wanted_[s]++];
            evaluated_[s] += plan_.chunks()[next.value()].count;
            want(layer, next);
        }
    }
    if (wanted_[layer].size() == before) return false;
    step_[layer] = before;
    return true;
}

void Course::advance(const DoneWork& done)
{
    for (std::size_t layer = 0; layer < screens_.size(); ++layer)
    {
        LayerScreening& screen = screens_[layer];
        while (!screen.complete)
        {
            const bool all_done =
                std::all_of(wanted_[layer].begin(), wanted_[layer].end(),
                            [&](ChunkId chunk) { return done.chunks.at(place(screen.level, chunk)) != 0; });
            if (!all_done) break;
            if (plan_.iterative() && ask_for_more(layer, done)) continue;
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
