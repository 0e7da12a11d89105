#include "jobs/campaign/weight_work.hpp"

namespace flipstorm
{
namespace
{

class WeightWork : public ChunkWork
{
  public:
    WeightWork(const Campaign& campaign, const EvaluationOptions& options)
        : campaign_(campaign), evaluator_(campaign.network, campaign.images, options)
    {}

    std::optional<std::vector<std::string>> compute(const std::vector<Chunk>& chunks, const Screen& screen,
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
        std::vector<std::string> bytes;
        auto next = outcomes->begin();
        for (const Chunk& chunk : chunks)
        {
            const auto first = next;
            next += static_cast<std::ptrdiff_t>(chunk.count);
            bytes.push_back(encode_outcomes({first, next}));
        }
        return bytes;
    }

    ChunkRecord decode(const std::string& bytes, std::uint64_t count) const override
    {
        return decode_outcomes(bytes, count, evaluator_.golden().images());
    }

    const Golden& golden() const override { return evaluator_.golden(); }

  private:
    const Campaign& campaign_;
    Evaluator evaluator_;
};

}  // namespace

std::unique_ptr<ChunkWork> weight_work(const Context& context, const Campaign& campaign,
                                       std::vector<float> golden_logits)
{
    EvaluationOptions options = evaluation_options(context, campaign.mode);
    options.golden_logits = std::move(golden_logits);
    return std::make_unique<WeightWork>(campaign, options);
}

std::vector<float> golden_logits_of_all(const Context& context, const Campaign& campaign)
{
    const Communicator& world = context.world;
    std::vector<float> logits;
    if (world.size() == 1) return logits;
    on_all(world, [&] {
        logits =
            golden_share(campaign.network, campaign.images, evaluation_options(context, campaign.mode),
                         static_cast<std::uint64_t>(world.rank()), static_cast<std::uint64_t>(world.size()));
    });
    world.all_reduce(logits.data(), logits.size(), Reduce::sum);
    return logits;
}

}  // namespace flipstorm
