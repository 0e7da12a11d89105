// Mode `reference`: flip, run the whole network on the tile, next.

#include "engine/evaluate/tile_evaluator.hpp"

namespace flipstorm
{
torch::Tensor faulty_logits(const Executor& executor, const InjectableLayer& layer,
                            const WeightChange& change, const torch::Tensor& images)
{
    Executor faulty = executor;
    const torch::Tensor weight = executor.parameters()[layer.weight].clone();
    weight.view(-1)[static_cast<std::int64_t>(change.parameter)] = change.value;
    faulty.set_parameter(layer.weight, weight);
    return faulty.forward(images).to(torch::kCPU).contiguous();
}

double macs_of_image(const Graph& graph)
{
    double macs = 0;
    for (std::int32_t i = 0; i <= graph.output().value(); ++i)
        macs += static_cast<double>(graph.macs(NodeId(i)));
    return macs;
}

namespace
{

class ReferenceEvaluator : public TileEvaluator
{
  public:
    ReferenceEvaluator(const Network& network, const Executor& executor)
        : executor_(executor),
          live_elements_(live_elements(network.graph, NodeId(0))),
          macs_(macs_of_image(network.graph))
    {}

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
            const torch::Tensor logits = faulty_logits(executor_, layer, group.changes[f], tile.images);
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
    double macs_;  ///< of an image
};

}  // namespace

std::unique_ptr<TileEvaluator> make_reference_evaluator(const Network& network, const Executor& executor)
{
    return std::make_unique<ReferenceEvaluator>(network, executor);
}

}  // namespace flipstorm
