// Mode `reference`: flip, run the whole network on the tile, next.

#include "engine/evaluate/tile_evaluator.hpp"

namespace flipstorm
{
namespace
{

class ReferenceEvaluator : public TileEvaluator
{
  public:
    explicit ReferenceEvaluator(const Executor& executor) : executor_(executor) {}

    [[nodiscard]] std::vector<bool> golden_nodes() const override { return {}; }

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

  private:
    Executor executor_;
};

}  // namespace

std::unique_ptr<TileEvaluator> make_reference_evaluator(const Executor& executor)
{
    return std::make_unique<ReferenceEvaluator>(executor);
}

}  // namespace flipstorm
