#include "jobs/campaign/kinds/word_work.hpp"

#include "engine/evaluate/whole_network.hpp"

namespace flipstorm
{

WordWork::WordWork(const Campaign& campaign, const EvaluationOptions& options)
    : campaign_(campaign),
      options_(options),
      tensors_(injectable_layers(campaign.network, options.parameters)),
      evaluator_(campaign.network, campaign.images, options)
{}

const InjectableLayer& WordWork::tensor(LayerId id) const
{
    return tensors_.at(static_cast<std::size_t>(id.value()));
}

std::optional<std::vector<ChunkRecord>> WordWork::compute(const std::vector<Chunk>& chunks,
                                                          const Screen& screen,
                                                          const std::function<bool()>& should_stop)
{
    const InjectableLayer& struck = tensor(tensor_of(chunks.front().layer));
    const StoredTensor golden = struck_tensor(campaign_.network, struck);
    std::vector<Outcome> outcomes;
    std::vector<WeightChange> changes;
    std::vector<std::size_t> place;  // of the changes among the outcomes
    for (const Chunk& chunk : chunks)
    {
        for (std::uint64_t i = 0; i < chunk.count; ++i)
        {
            const FaultIndex fault(chunk.first.value() + i);
            const std::vector<ChangedWord> changed = changed_words(fault);
            outcomes.push_back(masked());
            if (changed.empty()) continue;
            if (changed.size() > 1)
            {
                if (should_stop && should_stop()) return std::nullopt;
                outcomes.back() = outcome_of(changed);
                continue;
            }
            const ChangedWord& word = changed.front();
            const bool same = golden.word(word.element) == word.word;
            if (same && campaign_.mode != EvaluationMode::reference) continue;
            changes.push_back(
                {word.element, golden.decoded(word.element, word.word), fault.value(), word.word});
            place.push_back(outcomes.size() - 1);
        }
    }
    if (!changes.empty())
    {
        const auto evaluated = evaluator_.evaluate(struck.id, changes, screen, should_stop);
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

Outcome WordWork::masked() const
{
    Outcome outcome;
    outcome.tally.evaluated = static_cast<std::uint32_t>(golden().images());
    outcome.tally.correct = static_cast<std::uint32_t>(golden().correct);
    return outcome;
}

Outcome WordWork::outcome_of(const std::vector<ChangedWord>& changed) const
{
    Outcome outcome;
    outcome.tally = evaluate_whole(with_words(campaign_.network, tensors_, changed), campaign_.images,
                                   options_, golden());
    outcome.drop = certain_drop(outcome.tally, golden().correct, golden().images());
    return outcome;
}

EvaluationOptions shared_evaluation_options(const Context& context, const Campaign& campaign)
{
    EvaluationOptions options = evaluation_options(context, campaign.mode);
    const Communicator& world = context.world;
    if (world.size() == 1) return options;
    std::vector<float> logits;
    on_all(world, [&] {
        logits =
            golden_share(campaign.network, campaign.images, options, static_cast<std::uint64_t>(world.rank()),
                         static_cast<std::uint64_t>(world.size()));
    });
    world.all_reduce(logits.data(), logits.size(), Reduce::sum);
    options.golden_logits = std::move(logits);
    return options;
}

}  // namespace flipstorm
