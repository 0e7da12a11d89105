// The pairs in which a sum may overflow, with LibTorch's own operations from the faulty layer on, as mode
// `reference` computes them; pairs of many faults side by side.

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "engine/compute/torch/libtorch_program.hpp"
#include "engine/evaluate/tile_evaluator.hpp"
#include "engine/network/change_flow.hpp"

namespace flipstorm
{
namespace
{

class OverflowPass
{
  public:
    OverflowPass(const Executor& executor, const InjectableLayer& layer, const ChangeGroup& group,
                 const Tile& tile, const std::vector<float>& weights, const SuffixGolden* golden)
        : executor_(executor),
          graph_(executor.graph()),
          layer_(layer),
          input_(graph_.node(layer.node).inputs[0]),
          group_(group),
          tile_(tile),
          flow_(change_flow(graph_, layer.node)),
          weights_(weights),
          golden_(golden)
    {}

    double run(const std::vector<OverflowingPair>& pairs)
    {
        std::vector<const OverflowingPair*> at_layer;
        std::vector<const OverflowingPair*> at_restart;
        std::map<std::size_t, std::vector<std::int64_t>> whole;  // images, by fault
        for (const OverflowingPair& pair : pairs)
        {
            if (!std::isfinite(delta_of(pair.fault)))
                whole[pair.fault].push_back(pair.image);
            else
                (pair.change.empty() ? at_layer : at_restart).push_back(&pair);
        }
        for (const auto& [fault, images] : whole)
            whole_network(fault, images);
        in_batches(at_layer, [this](const Batch& batch) { from_layer(batch); });
        in_batches(at_restart, [this](const Batch& batch) { from_restart(batch); });
        return macs_;
    }

  private:
    using Batch = std::vector<const OverflowingPair*>;

    template<class Work>
    void in_batches(const Batch& pairs, const Work& work) const
    {
        // Libraries may take another order for very small batches.
        constexpr std::size_t kFewest = 32;
        const std::size_t most = std::max(static_cast<std::size_t>(tile_.size()), kFewest);
        for (std::size_t first = 0; first < pairs.size(); first += most)
        {
            const auto begin = pairs.begin() + static_cast<std::ptrdiff_t>(first);
            work(Batch(begin, begin + static_cast<std::ptrdiff_t>(std::min(most, pairs.size() - first))));
        }
    }

    [[nodiscard]] float delta_of(std::size_t fault) const
    {
        const WeightChange& change = group_.changes[fault];
        return change.value - weights_[change.parameter];
    }

    void tally(const torch::Tensor& logits, std::int64_t row, std::size_t fault, std::int64_t image)
    {
        const auto i = static_cast<std::size_t>(image);
        tally_change(group_.tallies[fault],
                     judge(logits.data_ptr<float>() + row * logits.size(1), logits.size(1), tile_.label[i],
                           tile_.top1[i]),
                     tile_.top1[i] == tile_.label[i]);
    }

    /// A weight that is not finite: what it makes of the padding's zeros is up to LibTorch's convolution.
    void whole_network(std::size_t fault, const std::vector<std::int64_t>& images)
    {
        const torch::Tensor logits = faulty_logits(executor_, layer_, group_.changes[fault], tile_.images);
        for (const std::int64_t image : images)
            tally(logits, image, fault, image);
        macs_ += static_cast<double>(tile_.size()) * macs_of_image(graph_);
    }

    /// Golden values of the pairs' images, laid out in memory to the stride as the golden pass does:
    /// libraries choose the order of a sum by that, too.
    [[nodiscard]] static torch::Tensor picked(const torch::Tensor& values, std::vector<std::int64_t> strides,
                                              const torch::Tensor& rows)
    {
        std::vector<std::int64_t> sizes = values.sizes().vec();
        strides[0] = values.numel() / sizes[0];
        sizes[0] = rows.size(0);
        return torch::empty_strided(sizes, strides, values.options()).copy_(values.index_select(0, rows));
    }
    [[nodiscard]] torch::Tensor picked(NodeId id, const torch::Tensor& rows) const
    {
        const torch::Tensor& values = golden_->values[index(id)];
        return picked(values, values.strides().vec(), rows);
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

    /// The layer's golden output with one channel changed, and all that lies behind.
    void from_layer(const Batch& pairs)
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
        std::vector<std::int64_t> channel;
        std::vector<std::int64_t> element;
        std::vector<float> delta;
        for (const OverflowingPair* pair : pairs)
        {
            const auto parameter = static_cast<std::int64_t>(group_.changes[pair->fault].parameter);
            channel.push_back(parameter / filter);
            element.push_back(parameter % filter);
            delta.push_back(delta_of(pair->fault));
        }
        const torch::Tensor rows = rows_of(pairs);
        torch::Tensor output = picked(layer_.node, rows);
        const torch::Tensor every = torch::arange(rows.size(0), rows.options());
        output.index_put_({every, to_device(channel)},
                          change(rows, channel, element, torch::tensor(delta).to(executor_.device())), true);
        finish(layer_.node, flow_, std::move(output), rows, pairs);
    }

    /// The same from where the change is the last one before the first sum.
    void from_restart(const Batch& pairs)
    {
        std::vector<std::int64_t> channel;
        std::vector<float> values;
        for (const OverflowingPair* pair : pairs)
        {
            channel.push_back(pair->channel);
            values.insert(values.end(), pair->change.begin(), pair->change.end());
        }
        const torch::Tensor rows = rows_of(pairs);
        const Shape& shape = graph_.node(golden_->restart).shape;
        torch::Tensor output = picked(golden_->map, map_strides(), rows);
        if (golden_->held != golden_->restart) output = executor_.apply(golden_->restart, {output});
        const torch::Tensor every = torch::arange(rows.size(0), rows.options());
        output.index_put_({every, to_device(channel)},
                          torch::tensor(values).view({rows.size(0), output.size(2), output.size(3)}), true);
        if (shape.size() == 1) output = output.flatten(1);
        finish(golden_->restart, change_flow(graph_, golden_->restart), std::move(output), rows, pairs);
    }

    /// Strides of the restart's value as a map, where a golden pass may have it flat.
    [[nodiscard]] std::vector<std::int64_t> map_strides() const
    {
        return golden_->restart_strides.size() == 4 ? golden_->restart_strides : golden_->map.strides().vec();
    }

    [[nodiscard]] torch::Tensor rows_of(const Batch& pairs) const
    {
        std::vector<std::int64_t> image;
        for (const OverflowingPair* pair : pairs)
            image.push_back(pair->image);
        return to_device(image);
    }

    /// All that lies behind a node, and what it says of the images.
    void finish(NodeId start, const ChangeFlow& flow, torch::Tensor value, const torch::Tensor& rows,
                const Batch& pairs)
    {
        torch::Tensor logits = value;
        if (!flow.nodes.empty())
        {
            std::vector<torch::Tensor> values(graph_.nodes().size());
            for (const NodeId id : suffix_starts(graph_, flow, start))
            {
                if (id != start) values[index(id)] = picked(id, rows);
            }
            values[index(start)] = std::move(value);
            logits = executor_.resume(std::move(values), flow.nodes);
        }
        logits = logits.to(torch::kCPU).contiguous();
        for (std::size_t p = 0; p < pairs.size(); ++p)
            tally(logits, static_cast<std::int64_t>(p), pairs[p]->fault, pairs[p]->image);
        for (const NodeId id : flow.nodes)
            macs_ += static_cast<double>(pairs.size()) * static_cast<double>(graph_.macs(id));
    }

    const Executor& executor_;
    const Graph& graph_;
    const InjectableLayer& layer_;
    NodeId input_;
    const ChangeGroup& group_;
    const Tile& tile_;
    ChangeFlow flow_;
    const std::vector<float>& weights_;
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
                          const Tile& tile, const std::vector<float>& weights,
                          const std::vector<OverflowingPair>& pairs, const SuffixGolden* golden)
{
    if (pairs.empty()) return 0;
    const torch::NoGradGuard no_gradients;
    return OverflowPass(executor, layer, group, tile, weights, golden).run(pairs);
}

}  // namespace flipstorm
