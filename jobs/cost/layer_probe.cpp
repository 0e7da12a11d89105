#include "jobs/cost/layer_probe.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/base/stop_request.hpp"
#include "jobs/bench/bench.hpp"
#include "jobs/campaign/kinds/weight_work.hpp"
#include "jobs/cost/work_watch.hpp"

namespace flipstorm
{

LayerProbe::LayerProbe(const Campaign& campaign, const std::vector<BitClasses>& classes,
                       const EvaluationOptions& options, std::uint64_t seed, StopConditions* stop,
                       std::function<bool()> give_up)
    : campaign_(campaign),
      classes_(classes),
      mode_(options.mode),
      threads_(options.threads),
      cuda_(options.device.cuda),
      seed_(seed),
      stop_(stop),
      give_up_(std::move(give_up))
{}

LayerSamples LayerProbe::measure(Evaluator& evaluator, std::size_t layer, std::uint64_t images,
                                 std::uint64_t faults) const
{
    LayerSamples found;
    found.shared = shared_seconds(evaluator, layer);
    if (std::isnan(found.shared)) return found;
    const LayerMemory memory = evaluator.memory(campaign_.layers()[layer].id, images, threads_);
    const double again =
        found.shared * static_cast<double>(memory.tiles - memory.kept) / static_cast<double>(memory.tiles);
    const std::vector<std::vector<WeightChange>> changes = changes_of(layer, faults);
    found.classes.resize(changes.size());
    for (std::size_t c = 0; c < changes.size(); ++c)
    {
        if (changes[c].empty()) continue;
        const std::uint64_t finished_before = evaluator.work().finished;
        const WorkWatch watch(cuda_);
        auto outcomes = evaluate(evaluator, layer, changes[c]);
        const double seconds = watch.seconds();
        if (!outcomes) return found;
        found.seconds += seconds;
        found.faults += outcomes->size();
        found.classes[c] = {std::max(seconds - again, seconds / 20), std::move(*outcomes),
                            evaluator.work().finished - finished_before};
    }
    found.complete = true;
    return found;
}

double LayerProbe::shared_seconds(Evaluator& evaluator, std::size_t layer) const
{
    if (mode_ == EvaluationMode::reference) return 0;
    // A change to the value that is there changes nothing: what takes time is what all share.
    const StoredTensor golden = struck_tensor(campaign_.network, campaign_.layers()[layer]);
    const WeightChange nothing{0, golden.values().front(), campaign_.plan().size(), golden.word(0)};
    const WorkWatch watch(cuda_);
    const bool done = evaluate(evaluator, layer, {nothing}).has_value();
    return done ? watch.seconds() : kUnknownSeconds;
}

Screen LayerProbe::screen_of(std::size_t layer) const
{
    return screening_of(campaign_.policy, campaign_.work[layer], {}).screen;
}

std::optional<std::vector<Outcome>> LayerProbe::evaluate(Evaluator& evaluator, std::size_t layer,
                                                         const std::vector<WeightChange>& changes) const
{
    Screen screen = screen_of(layer);
    screen.audit_share = 0;
    auto outcomes = evaluator.evaluate(campaign_.layers()[layer].id, changes, screen,
                                       [this] { return give_up_() || asked_to_stop(); });
    if (asked_to_stop()) throw Stopped();
    return outcomes;
}

std::vector<std::vector<WeightChange>> LayerProbe::changes_of(std::size_t layer, std::uint64_t count) const
{
    constexpr std::uint64_t kTries = 200;  // a class is 1/32 of the faults, or more
    const BitClasses& classes = classes_.at(layer);
    std::vector<std::vector<WeightChange>> samples(classes.size());
    for (const FaultIndex fault :
         bench_faults(campaign_.plan(), campaign_.layers()[layer].id, kTries * count, seed_))
    {
        const auto bit = static_cast<std::size_t>(campaign_.plan().fault(fault).bit);
        std::vector<WeightChange>& sample = samples[classes.of_bit.at(bit)];
        if (sample.size() < count) sample.push_back(change_of(campaign_, fault));
    }
    return samples;
}

}  // namespace flipstorm
