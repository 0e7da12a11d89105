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
    {}

    [[nodiscard]] std::vector<NodeId> golden_nodes(const InjectableLayer& /*layer*/) const override
    {
        return {};
    }

    [[nodiscard]] std::size_t group_size(std::int64_t /*tile_images*/) const override { return 1; }

    void evaluate(const InjectableLayer& layer, const ChangeGroup& group, const Tile& tile) const override
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
    }

    [[nodiscard]] std::uint64_t work_bytes(const InjectableLayer& /*layer*/,
                                           std::int64_t tile_images) const override
    {
        return static_cast<std::uint64_t>(live_elements_ * tile_images) * sizeof(float);
    }

  private:
    Executor executor_;
    std::int64_t live_elements_;
};

}  // namespace

std::unique_ptr<TileEvaluator> make_reference_evaluator(const Network& network, const Executor& executor)
{
    return std::make_unique<ReferenceEvaluator>(network, executor);
}

}  // namespace flipstorm
