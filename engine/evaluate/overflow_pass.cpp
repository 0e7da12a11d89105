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
                 const Tile& tile, const SuffixGolden* golden)
        : executor_(executor),
          graph_(executor.graph()),
          layer_(layer),
          input_(graph_.node(layer.node).inputs[0]),
          group_(group),
          tile_(tile),
          flow_(change_flow(graph_, layer.node)),
          weight_(executor.parameters()[layer.weight].to(torch::kCPU).contiguous()),
          golden_(golden)
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

    /// Golden values of the pairs' images, laid out in memory to the stride as the golden pass does:
    /// libraries choose the order of a sum by that, too.
    [[nodiscard]] torch::Tensor picked(NodeId id, const torch::Tensor& rows) const
    {
        const torch::Tensor& values = golden_->values[index(id)];
        std::vector<std::int64_t> sizes = values.sizes().vec();
        std::vector<std::int64_t> strides = values.strides().vec();
        strides[0] = values.numel() / sizes[0];
        sizes[0] = rows.size(0);
        return torch::empty_strided(sizes, strides, values.options()).copy_(values.index_select(0, rows));
    }

    [[nodiscard]] torch::Tensor to_device(const std::vector<std::int64_t>& numbers) const
    {
        return torch::tensor(numbers, torch::kLong).to(executor_.device());
    }

    /// What the faults of pairs add to the layer's output at their channel: their weight's change times what
    /// it meets. [pairs, …]
    [[nodiscard]] torch::Tensor change(const torch::Tensor& images, const std::vector<std::int64_t>& channel,
                                       const std::vector<std::int64_t>& element,
                                       const torch::Tensor& delta) const
    {
        const auto* conv = std::get_if<Conv2dOp>(&graph_.node(layer_.node).operation);
        if (conv == nullptr) return golden_->input.index({images, to_device(element)}) * delta;
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
        const torch::Tensor met = golden_->input.index({images, to_device(in)}).unsqueeze(1);
        return windows(padded_by(met, *conv), *conv)
                   .select(1, 0)
                   .index(
                       {torch::arange(images.size(0), images.options()), to_device(row), to_device(column)}) *
               delta.view({-1, 1, 1});
    }

    /// Finite changes: the layer's golden output with one channel changed, and all that lies behind.
    void suffix(const Pair* pairs, std::size_t count)
    {
        if (golden_ == nullptr)
        {
            std::vector<NodeId> wanted = suffix_starts(graph_, flow_, layer_.node);
            wanted.push_back(input_);
            own_.values = executor_.forward_to(tile_.images, wanted);
            own_.input = own_.values[index(input_)].contiguous();
            golden_ = &own_;
        }
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
        const torch::Tensor rows = to_device(image);
        torch::Tensor output = picked(layer_.node, rows);
        const torch::Tensor every = torch::arange(static_cast<std::int64_t>(count), rows.options());
        output.index_put_({every, to_device(channel)},
                          change(rows, channel, element, torch::tensor(delta).to(executor_.device())), true);
        torch::Tensor logits = output;
        if (!flow_.nodes.empty())
        {
            std::vector<torch::Tensor> values(graph_.nodes().size());
            for (const NodeId start : suffix_starts(graph_, flow_, layer_.node))
            {
                if (start != layer_.node) values[index(start)] = picked(start, rows);
            }
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
    torch::Tensor weight_;  ///< golden, on the CPU
    const SuffixGolden* golden_;
    SuffixGolden own_;  ///< where none was given
    double macs_ = 0;
};

}  // namespace

std::vector<NodeId> suffix_starts(const Graph& graph, const ChangeFlow& flow, NodeId layer)
{
    std::vector<NodeId> starts{layer};
    for (const NodeId id : flow.nodes)
    {
        for (const NodeId input : graph.node(id).inputs)
        {
            const bool is_new = std::find(starts.begin(), starts.end(), input) == starts.end();
            if (flow.extent[index(input)] == Extent::none && is_new) starts.push_back(input);
        }
    }
    return starts;
}

double tally_as_reference(const Executor& executor, const InjectableLayer& layer, const ChangeGroup& group,
                          const Tile& tile, const std::vector<std::vector<std::int64_t>>& images,
                          const SuffixGolden* golden)
{
    if (images.empty()) return 0;
    const torch::NoGradGuard no_gradients;
    return OverflowPass(executor, layer, group, tile, golden).run(images);
}

}  // namespace flipstorm
