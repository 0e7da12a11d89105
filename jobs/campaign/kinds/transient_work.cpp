#include "jobs/campaign/kinds/transient_work.hpp"

#include "engine/evaluate/transient_evaluator.hpp"
#include "jobs/campaign/transient_codec.hpp"

namespace flipstorm
{
namespace
{

class TransientWork final : public ChunkWork
{
  public:
    TransientWork(const Context& context, const Campaign& campaign, const TransientPlan& plan)
        : plan_(plan),
          evaluator_(campaign.network, campaign.images, evaluation_options(context, campaign.mode))
    {}

    std::optional<std::vector<ChunkRecord>> compute(const std::vector<Chunk>& chunks,
                                                    const Screen& /*screen*/,
                                                    const std::function<bool()>& should_stop) override
    {
        std::vector<ChunkRecord> records;
        for (const Chunk& chunk : chunks)
        {
            std::vector<TransientStrike> strikes;
            for (std::uint64_t i = 0; i < chunk.count; ++i)
                strikes.push_back(plan_.strike(FaultIndex(chunk.first.value() + i)));
            const auto outcomes = evaluator_.evaluate(chunk.layer, strikes, should_stop);
            if (!outcomes) return std::nullopt;
            records.push_back(as_record(*outcomes));
        }
        return records;
    }

    const Golden& golden() const override { return evaluator_.golden(); }

  private:
    const TransientPlan& plan_;
    TransientEvaluator evaluator_;
};

}  // namespace

std::unique_ptr<ChunkWork> transient_work(const Context& context, const Campaign& campaign,
                                          const TransientPlan& plan)
{
    std::unique_ptr<ChunkWork> work;
    on_all(context.world, [&] { work = std::make_unique<TransientWork>(context, campaign, plan); });
    return work;
}

}  // namespace flipstorm
