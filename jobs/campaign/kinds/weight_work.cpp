#include "jobs/campaign/kinds/weight_work.hpp"

#include "jobs/campaign/kinds/weights.hpp"

namespace flipstorm
{
namespace
{

class WeightWork final : public ChunkWork
{
  public:
    WeightWork(const Campaign& campaign, const EvaluationOptions& options)
        : campaign_(campaign), evaluator_(campaign.network, campaign.images, options)
    {}

    std::optional<std::vector<ChunkRecord>> compute(const std::vector<Chunk>& chunks, const Screen& screen,
                                                    const std::function<bool()>& should_stop) override
    {
        std::vector<WeightChange> changes;
        for (const Chunk& chunk : chunks)
        {
            for (std::uint64_t i = 0; i < chunk.count; ++i)
                changes.push_back(change_of(campaign_, FaultIndex(chunk.first.value() + i)));
        }
        const auto outcomes =
            evaluate_changes(campaign_, evaluator_, chunks.front().layer, changes, screen, should_stop);
        if (!outcomes) return std::nullopt;
        std::vector<ChunkRecord> records;
        auto next = outcomes->begin();
        for (const Chunk& chunk : chunks)
        {
            const auto first = next;
            next += static_cast<std::ptrdiff_t>(chunk.count);
            records.push_back(record_of({first, next}));
        }
        return records;
    }

    const Golden& golden() const override { return evaluator_.golden(); }

  private:
    const Campaign& campaign_;
    Evaluator evaluator_;
};

}  // namespace

std::vector<float> golden_logits_of_all(const Context& context, const Campaign& campaign,
                                        const EvaluationOptions& options)
{
    const Communicator& world = context.world;
    std::vector<float> logits;
    if (world.size() == 1) return logits;
    on_all(world, [&] {
        logits =
            golden_share(campaign.network, campaign.images, options, static_cast<std::uint64_t>(world.rank()),
                         static_cast<std::uint64_t>(world.size()));
    });
    world.all_reduce(logits.data(), logits.size(), Reduce::sum);
    return logits;
}

WeightChange change_of(const Campaign& campaign, FaultIndex index)
{
    const FaultyWeight weight = faulty_weight(campaign.network, campaign.layers(), campaign.plan(), index);
    return {weight.fault.parameter, weight.after, index.value(), weight.word_after};
}

std::unique_ptr<ChunkWork> weight_work(const Context& context, const Campaign& campaign)
{
    EvaluationOptions options = evaluation_options(context, campaign.mode);
    options.golden_logits = golden_logits_of_all(context, campaign, options);
    std::unique_ptr<ChunkWork> work;
    on_all(context.world, [&] { work = std::make_unique<WeightWork>(campaign, options); });
    return work;
}

std::optional<std::vector<Outcome>> evaluate_changes(const Campaign& campaign, Evaluator& evaluator,
                                                     LayerId layer, const std::vector<WeightChange>& changes,
                                                     const Screen& screen,
                                                     const std::function<bool()>& should_stop)
{
    const StoredTensor golden =
        struck_tensor(campaign.network, campaign.layers().at(static_cast<std::size_t>(layer.value())));
    std::vector<WeightChange> real;
    std::vector<std::size_t> place;
    for (std::size_t i = 0; i < changes.size(); ++i)
    {
        const bool same = golden.word(changes[i].parameter) == changes[i].word;
        if (same && campaign.mode != EvaluationMode::reference) continue;
        real.push_back(changes[i]);
        place.push_back(i);
    }
    Outcome masked;
    masked.tally.evaluated = static_cast<std::uint32_t>(evaluator.golden().images());
    masked.tally.correct = static_cast<std::uint32_t>(evaluator.golden().correct);
    std::vector<Outcome> outcomes(changes.size(), masked);
    if (real.empty()) return outcomes;
    const auto evaluated = evaluator.evaluate(layer, real, screen, should_stop);
    if (!evaluated) return std::nullopt;
    for (std::size_t i = 0; i < place.size(); ++i)
        outcomes[place[i]] = (*evaluated)[i];
    return outcomes;
}

}  // namespace flipstorm
