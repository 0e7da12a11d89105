#include "jobs/campaign/kinds/weight_work.hpp"

#include "engine/evaluate/whole_network.hpp"
#include "jobs/campaign/kinds/weights.hpp"

namespace flipstorm
{
namespace
{

class WeightWork final : public ChunkWork
{
  public:
    WeightWork(const Campaign& campaign, const WeightFaults& faults, const EvaluationOptions& options)
        : campaign_(campaign),
          faults_(faults),
          options_(options),
          evaluator_(campaign.network, campaign.images, options)
    {}

    std::optional<std::vector<ChunkRecord>> compute(const std::vector<Chunk>& chunks, const Screen& screen,
                                                    const std::function<bool()>& should_stop) override
    {
        std::vector<WeightChange> changes;
        std::vector<Outcome> outcomes;
        std::vector<std::size_t> place;  // of the changes among the outcomes
        for (const Chunk& chunk : chunks)
        {
            for (std::uint64_t i = 0; i < chunk.count; ++i)
            {
                const FaultIndex fault(chunk.first.value() + i);
                outcomes.emplace_back();
                const ListedFault* const listed = faults_.listed(fault);
                if (listed != nullptr && listed->sites.size() > 1)
                {
                    if (should_stop && should_stop()) return std::nullopt;
                    outcomes.back() = together(*listed);
                    continue;
                }
                changes.push_back(change_of(campaign_, fault));
                place.push_back(outcomes.size() - 1);
            }
        }
        if (!changes.empty())
        {
            const auto evaluated =
                evaluate_changes(campaign_, evaluator_, chunks.front().layer, changes, screen, should_stop);
            if (!evaluated) return std::nullopt;
            for (std::size_t i = 0; i < place.size(); ++i)
                outcomes[place[i]] = (*evaluated)[i];
        }
        std::vector<ChunkRecord> records;
        auto next = outcomes.begin();
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
    /// All sites of a fault at once.
    [[nodiscard]] Outcome together(const ListedFault& fault) const
    {
        Network network = campaign_.network;
        for (const ListedSite& site : fault.sites)
        {
            const InjectableLayer& layer =
                campaign_.layers().at(static_cast<std::size_t>(site.layer.value()));
            const std::uint32_t word = struck_tensor(network, layer).word(site.parameter) ^ site.mask;
            set_struck_word(network, layer, site.parameter, word);
        }
        Outcome outcome;
        outcome.tally = evaluate_whole(network, campaign_.images, options_, golden());
        outcome.drop = certain_drop(outcome.tally, golden().correct, golden().images());
        return outcome;
    }

    const Campaign& campaign_;
    const WeightFaults& faults_;
    EvaluationOptions options_;
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

std::unique_ptr<ChunkWork> weight_work(const Context& context, const Campaign& campaign,
                                       const WeightFaults& faults)
{
    EvaluationOptions options = evaluation_options(context, campaign.mode);
    options.golden_logits = golden_logits_of_all(context, campaign, options);
    std::unique_ptr<ChunkWork> work;
    on_all(context.world, [&] { work = std::make_unique<WeightWork>(campaign, faults, options); });
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
