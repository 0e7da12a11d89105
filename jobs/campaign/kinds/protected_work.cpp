#include "jobs/campaign/kinds/protected_work.hpp"

#include <fmt/format.h>

#include "analysis/tables.hpp"
#include "engine/evaluate/whole_network.hpp"
#include "jobs/campaign/kinds/weight_work.hpp"
#include "jobs/cost/plan_tables.hpp"

namespace flipstorm
{
namespace
{

class ProtectedWork final : public ChunkWork
{
  public:
    ProtectedWork(const Campaign& campaign, const ProtectedFaults& faults, const EvaluationOptions& options)
        : campaign_(campaign),
          faults_(faults),
          options_(options),
          tensors_(injectable_layers(campaign.network, options.parameters)),
          evaluator_(campaign.network, campaign.images, options)
    {}

    std::optional<std::vector<ChunkRecord>> compute(const std::vector<Chunk>& chunks, const Screen& screen,
                                                    const std::function<bool()>& should_stop) override
    {
        const InjectableLayer& tensor =
            tensors_[static_cast<std::size_t>(faults_.memory().layer(chunks.front().layer).value())];
        const StoredTensor golden = struck_tensor(campaign_.network, tensor);
        std::vector<Outcome> outcomes;
        std::vector<WeightChange> changes;
        std::vector<std::size_t> place;
        for (const Chunk& chunk : chunks)
        {
            for (std::uint64_t i = 0; i < chunk.count; ++i)
            {
                const FaultIndex fault(chunk.first.value() + i);
                const UpsetReading reading = faults_.reading(fault);
                outcomes.push_back(unchanged());
                if (reading.changed.size() > 1)
                {
                    if (should_stop && should_stop()) return std::nullopt;
                    outcomes.back() = whole(tensor, reading.changed);
                }
                if (reading.changed.size() != 1) continue;
                const ChangedWord& word = reading.changed.front();
                changes.push_back(
                    {word.element, golden.decoded(word.element, word.word), fault.value(), word.word});
                place.push_back(outcomes.size() - 1);
            }
        }
        if (!changes.empty())
        {
            const auto evaluated = evaluator_.evaluate(tensor.id, changes, screen, should_stop);
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
    [[nodiscard]] Outcome unchanged() const
    {
        Outcome outcome;
        outcome.tally.evaluated = static_cast<std::uint32_t>(golden().images());
        outcome.tally.correct = static_cast<std::uint32_t>(golden().correct);
        return outcome;
    }

    /// The network with several words that read otherwise.
    [[nodiscard]] Outcome whole(const InjectableLayer& tensor, const std::vector<ChangedWord>& changed) const
    {
        Network network = campaign_.network;
        for (const ChangedWord& word : changed)
            set_struck_word(network, tensor, word.element, word.word);
        Outcome outcome;
        outcome.tally = evaluate_whole(network, campaign_.images, options_, golden());
        outcome.drop = certain_drop(outcome.tally, golden().correct, golden().images());
        return outcome;
    }

    const Campaign& campaign_;
    const ProtectedFaults& faults_;
    EvaluationOptions options_;
    std::vector<InjectableLayer> tensors_;
    Evaluator evaluator_;
};

}  // namespace

std::unique_ptr<ChunkWork> protected_work(const Context& context, const Campaign& campaign,
                                          const ProtectedFaults& faults)
{
    EvaluationOptions options = evaluation_options(context, campaign.mode);
    options.golden_logits = golden_logits_of_all(context, campaign, options);
    std::unique_ptr<ChunkWork> work;
    on_all(context.world, [&] { work = std::make_unique<ProtectedWork>(campaign, faults, options); });
    return work;
}

std::string describe_protected_plan(const Context& context, const ProtectedFaults& faults)
{
    const Plan& plan = faults.plan();
    std::string text = render_text(
        strata_table(context.job, faults.layers(), plan, faults.images_per_fault(), context.all_strata));
    return text + fmt::format(
                      "\n{} upsets of {} bits of memory; each is decoded first, and only what reads "
                      "otherwise then is evaluated.\n",
                      format_count(plan.size()), format_count(faults.memory().bits()));
}

}  // namespace flipstorm
