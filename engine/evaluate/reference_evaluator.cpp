// Mode `reference`: flip, run the whole network on the tile, next.

#include "engine/evaluate/tile_evaluator.hpp"

namespace flipstorm
{
namespace
{

class ReferenceEvaluator : public TileEvaluator
{
  public:
    ReferenceEvaluator(const Network& network, const Executor& executor)
        : executor_(executor), live_elements_(live_elements(network.graph, NodeId(0)))
    {
        for (std::int32_t i = 0; i <= network.graph.output().value(); ++i)
            macs_ += static_cast<double>(network.graph.macs(NodeId(i)));
    }

    [[nodiscard]] std::size_t group_size() const override { return 1; }

    [[nodiscard]] std::unique_ptr<PreparedTile> prepare(const InjectableLayer& /*layer*/,
                                                        const Tile& /*tile*/,
                                                        bool /*screened*/) const override
    {
        return nullptr;
    }

    WorkCount evaluate(const InjectableLayer& layer, const Screen* /*screen*/, const ChangeGroup& group,
                       const Tile& tile, const PreparedTile* /*prepared*/) const override
    {
        for (std::size_t f = 0; f < group.count; ++f)
        {
            Executor faulty = executor_;
            const torch::Tensor weight = executor_.parameters()[layer.weight].clone();
            weight.view(-1)[static_cast<std::int64_t>(group.changes[f].parameter)] = group.changes[f].value;
            faulty.set_parameter(layer.weight, weight);
            const torch::Tensor logits = faulty.forward(tile.images).to(torch::kCPU).contiguous();
            for (std::int64_t n = 0; n < tile.size(); ++n)
            {
                const auto i = static_cast<std::size_t>(n);
                group.tallies[f] += judge(logits.data_ptr<float>() + n * logits.size(1), logits.size(1),
                                          tile.label[i], tile.top1[i]);
            }
        }
        WorkCount work;
        work.pairs = work.finished = group.count * static_cast<std::uint64_t>(tile.size());
        work.macs = static_cast<double>(work.pairs) * macs_;
        return work;
    }

    [[nodiscard]] TileMemory memory(const InjectableLayer& /*layer*/, std::int64_t tile_images) const override
    {
        return {0, 0, static_cast<std::uint64_t>(live_elements_ * tile_images) * sizeof(float)};
    }

  private:
    Executor executor_;
    std::int64_t live_elements_;
    double macs_ = 0;  ///< of an image
};

}  // namespace

std::unique_ptr<TileEvaluator> make_reference_evaluator(const Network& network, const Executor& executor)
{
    return std::make_unique<ReferenceEvaluator>(network, executor);
}

}  // namespace flipstorm
