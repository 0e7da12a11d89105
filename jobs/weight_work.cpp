#include "jobs/weight_work.hpp"

namespace flipstorm
{
namespace
{

class WeightWork : public ChunkWork
{
  public:
    WeightWork(const Context& context, const Campaign& campaign)
        : campaign_(campaign),
          evaluator_(campaign.network, campaign.images,
                     evaluation_options(context, evaluation_mode(context.job.campaign.evaluation)))
    {}

    std::optional<std::string> compute(const Chunk& chunk, const Screen& screen,
                                       const std::function<bool()>& should_stop) override
    {
        std::vector<WeightChange> changes;
        for (std::uint64_t i = 0; i < chunk.count; ++i)
            changes.push_back(change_of(campaign_, FaultIndex(chunk.first.value() + i)));
        const auto outcomes = evaluator_.evaluate(chunk.layer, changes, screen, should_stop);
        if (!outcomes) return std::nullopt;
        return encode_outcomes(*outcomes);
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

std::unique_ptr<ChunkWork> weight_work(const Context& context, const Campaign& campaign)
{
    return std::make_unique<WeightWork>(context, campaign);
}

}  // namespace flipstorm
