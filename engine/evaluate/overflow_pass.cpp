// The pairs in which a sum may overflow, with LibTorch's own operations from the faulty layer on, as mode
// `reference` computes them; pairs of many faults side by side.

#include <algorithm>
#include <cmath>

#include "engine/evaluate/change_flow.hpp"
#include "engine/evaluate/libtorch_program.hpp"
#include "engine/evaluate/tile_evaluator.hpp"

namespace flipstorm
{
namespace
{

struct Pair
{
    std::size_t fault = 0;   ///< in its group
    std::int64_t image = 0;  ///< in its tile
};

class OverflowPass
{
  public:
    OverflowPass(const Executor& executor, const InjectableLayer& layer, const ChangeGroup& group,
                 const Tile& tile)
        : executor_(executor),
          graph_(executor.graph()),
          layer_(layer),
          input_(graph_.node(layer.node).inputs[0]),
          group_(group),
          tile_(tile),
          flow_(change_flow(graph_, layer.node)),
          weight_(executor.parameters()[layer.weight].to(torch::kCPU).contiguous())
    {}

    double run(const std::vector<std::vector<std::int64_t>>& images)
    {
        std::vector<Pair> finite;
        for (std::size_t f = 0; f < images.size(); ++f)
        {
            if (images[f].empty()) continue;
            if (!std::isfinite(delta_of(f)))
            {
                whole_network(f, images[f]);
                continue;
            }
            for (const std::int64_t image : images[f])
                finite.push_back({f, image});
        }
        const auto batch = static_cast<std::size_t>(std::max<std::int64_t>(tile_.size(), kFewest));
        for (std::size_t first = 0; first < finite.size(); first += batch)
            suffix(finite.data() + first, std::min(batch, finite.size() - first));
        return macs_;
    }

  private:
    /// Pairs in a batch, if there are so many: libraries may take another order for very small ones.
    static constexpr std::int64_t kFewest = 32;

    [[nodiscard]] float delta_of(std::size_t fault) const
    {
        const WeightChange& change = group_.changes[fault];
        return change.value - weight_.data_ptr<float>()[change.parameter];
    }

    void tally(const torch::Tensor& logits, std::int64_t row, const Pair& pair)
    {
        const auto i = static_cast<std::size_t>(pair.image);
        tally_change(group_.tallies[pair.fault],
                     judge(logits.data_ptr<float>() + row * logits.size(1), logits.size(1), tile_.label[i],
                           tile_.top1[i]),
                     tile_.top1[i] == tile_.label[i]);
    }

    /// A weight that is not finite: what it makes of the padding's zeros is up to LibTorch's convolution.
    void whole_network(std::size_t fault, const std::vector<std::int64_t>& images)
    {
        Executor faulty = executor_;
        const torch::Tensor weight = executor_.parameters()[layer_.weight].clone();
        weight.view(-1)[static_cast<std::int64_t>(group_.changes[fault].parameter)] =
            group_.changes[fault].value;
        faulty.set_parameter(layer_.weight, weight);
        const torch::Tensor logits = faulty.forward(tile_.images).to(torch::kCPU).contiguous();
        for (const std::int64_t image : images)
            tally(logits, image, {fault, image});
        for (std::int32_t i = 0; i <= graph_.output().value(); ++i)
            macs_ += static_cast<double>(tile_.size() * graph_.macs(NodeId(i)));
    }

    /// Golden values of the tile: the layer, its input, and what its suffix reads from the side.
    void prepare()
    {
        std::vector<NodeId> wanted{layer_.node, input_};
        for (const NodeId id : flow_.nodes)
        {
            for (const NodeId input : graph_.node(id).inputs)
            {
                if (flow_.extent[index(input)] == Extent::none) sides_.push_back(input);
            }
        }
        wanted.insert(wanted.end(), sides_.begin(), sides_.end());
        golden_ = executor_.forward_to(tile_.images, wanted);
        // One huge term decides about the layer's own sum, whatever their order.
        const auto* conv = std::get_if<Conv2dOp>(&graph_.node(layer_.node).operation);
        met_ = conv != nullptr ? padded_by(golden_[index(input_)], *conv) : golden_[index(input_)];
    }

    /// Golden values of the pairs' images, laid out in memory to the stride as the golden pass does:
    /// libraries choose the order of a sum by that, too.
    [[nodiscard]] torch::Tensor picked(NodeId id, const torch::Tensor& rows) const
    {
        const torch::Tensor& values = golden_[index(id)];
        std::vector<std::int64_t> sizes = values.sizes().vec();
        std::vector<std::int64_t> strides = values.strides().vec();
        strides[0] = values.numel() / sizes[0];
        sizes[0] = rows.size(0);
        return torch::empty_strided(sizes, strides, values.options()).copy_(values.index_select(0, rows));
    }

    /// What the pairs' faults add to the layer's output at their channel. [pairs, …]
    [[nodiscard]] torch::Tensor change(const std::vector<std::int64_t>& image,
                                       const std::vector<std::int64_t>& channel,
                                       const std::vector<std::int64_t>& element,
                                       const torch::Tensor& delta) const
    {
        const auto on_device = [&](const std::vector<std::int64_t>& numbers) {
            return torch::tensor(numbers, torch::kLong).to(executor_.device());
        };
        const auto* conv = std::get_if<Conv2dOp>(&graph_.node(layer_.node).operation);
        if (conv == nullptr) return met_.index({on_device(image), on_device(element)}) * delta;
        const std::int64_t taps = conv->kernel * conv->kernel;
        std::vector<std::int64_t> in;
        std::vector<std::int64_t> row;
        std::vector<std::int64_t> column;
        for (std::size_t p = 0; p < element.size(); ++p)
        {
            const std::int64_t group = channel[p] / (conv->out_channels / conv->groups);
            in.push_back(group * (conv->in_channels / conv->groups) + element[p] / taps);
            row.push_back(element[p] / conv->kernel % conv->kernel);
            column.push_back(element[p] % conv->kernel);
        }
        return windows(met_, *conv)
                   .index({on_device(image), on_device(in), on_device(row), on_device(column)}) *
               delta.view({-1, 1, 1});
    }

    /// Finite changes: the layer's golden output with one channel changed, and all that lies behind.
    void suffix(const Pair* pairs, std::size_t count)
    {
        if (golden_.empty()) prepare();
        const std::int64_t filter = static_cast<std::int64_t>(layer_.weights) / layer_.out_channels;
        std::vector<std::int64_t> image;
        std::vector<std::int64_t> channel;
        std::vector<std::int64_t> element;
        std::vector<float> delta;
        for (std::size_t p = 0; p < count; ++p)
        {
            const auto parameter = static_cast<std::int64_t>(group_.changes[pairs[p].fault].parameter);
            image.push_back(pairs[p].image);
            channel.push_back(parameter / filter);
            element.push_back(parameter % filter);
            delta.push_back(delta_of(pairs[p].fault));
        }
        const torch::Tensor rows = torch::tensor(image, torch::kLong).to(executor_.device());
        const torch::Tensor channels = torch::tensor(channel, torch::kLong).to(executor_.device());
        torch::Tensor output = picked(layer_.node, rows);
        const torch::Tensor every = torch::arange(static_cast<std::int64_t>(count), rows.options());
        output.index_put_({every, channels},
                          change(image, channel, element, torch::tensor(delta).to(executor_.device())), true);
        torch::Tensor logits = output;
        if (!flow_.nodes.empty())
        {
            std::vector<torch::Tensor> values(graph_.nodes().size());
            for (const NodeId side : sides_)
                values[index(side)] = picked(side, rows);
            values[index(layer_.node)] = output;
            logits = executor_.resume(std::move(values), flow_.nodes);
        }
        logits = logits.to(torch::kCPU).contiguous();
        for (std::size_t p = 0; p < count; ++p)
            tally(logits, static_cast<std::int64_t>(p), pairs[p]);
        for (const NodeId id : flow_.nodes)
            macs_ += static_cast<double>(count) * static_cast<double>(graph_.macs(id));
    }

    const Executor& executor_;
    const Graph& graph_;
    const InjectableLayer& layer_;
    NodeId input_;
    const ChangeGroup& group_;
    const Tile& tile_;
    ChangeFlow flow_;
    torch::Tensor weight_;               ///< golden, on the CPU
    std::vector<NodeId> sides_;          ///< read by the suffix, unchanged
    std::vector<torch::Tensor> golden_;  ///< by node
    torch::Tensor met_;  ///< what weights are multiplied by: the input, of a convolution padded
    double macs_ = 0;
};

}  // namespace

double tally_as_reference(const Executor& executor, const InjectableLayer& layer, const ChangeGroup& group,
                          const Tile& tile, const std::vector<std::vector<std::int64_t>>& images)
{
    if (images.empty()) return 0;
    const torch::NoGradGuard no_gradients;
    return OverflowPass(executor, layer, group, tile).run(images);
}

}  // namespace flipstorm
