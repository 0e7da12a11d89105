#include "engine/compute/torch/overflow_pass.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "engine/compute/torch/libtorch_program.hpp"
#include "engine/compute/torch/reference_backend.hpp"

namespace flipstorm
{
namespace
{

class OverflowPass
{
  public:
    OverflowPass(const Executor& executor, const InjectableLayer& layer, const ChangeGroup& group,
                 const torch::Tensor& images, const std::vector<float>& weights, const SuffixGolden* golden,
                 PairPolicy& policy)
        : executor_(executor),
          graph_(executor.graph()),
          layer_(layer),
          input_(graph_.node(layer.node).inputs[0]),
          group_(group),
          images_(images),
          flow_(change_flow(graph_, layer.node)),
          weights_(weights),
          golden_(golden),
          policy_(policy)
    {}

    double run(const std::vector<OverflowingPair>& pairs)
    {
        std::vector<const OverflowingPair*> at_layer;
        std::vector<const OverflowingPair*> at_restart;
        std::map<std::size_t, std::vector<const OverflowingPair*>> whole;  // by fault
        for (const OverflowingPair& pair : pairs)
        {
            if (!std::isfinite(delta_of(pair)))
                whole[pair.pair.fault].push_back(&pair);
            else
                (pair.change.empty() ? at_layer : at_restart).push_back(&pair);
        }
        for (const auto& [fault, of_fault] : whole)
            whole_network(fault, of_fault);
        for (const Batch& batch : batches(at_layer))
            from_layer(batch);
        if (!at_restart.empty())
        {
            const ChangeFlow flow = change_flow(graph_, golden_->restart);
            for (const Batch& batch : batches(at_restart))
                from_restart(batch, flow);
        }
        return macs_;
    }

  private:
    /// By image of the tile: a pair, or null. Libraries choose the order of a sum by the size of a batch, and
    /// by the row in it: each image stays where it is in the tile.
    using Batch = std::vector<const OverflowingPair*>;

    [[nodiscard]] std::vector<Batch> batches(const std::vector<const OverflowingPair*>& pairs) const
    {
        std::vector<Batch> batches;
        std::vector<std::size_t> of_image(static_cast<std::size_t>(images_.size(0)), 0);
        for (const OverflowingPair* pair : pairs)
        {
            const auto image = static_cast<std::size_t>(pair->pair.image);
            const std::size_t batch = of_image[image]++;
            if (batch == batches.size()) batches.emplace_back(of_image.size(), nullptr);
            batches[batch][image] = pair;
        }
        return batches;
    }

    [[nodiscard]] float delta_of(const OverflowingPair& pair) const
    {
        const WeightChange& change = group_.changes[pair.pair.fault];
        return change.value - weights_[change.parameter];
    }

    void tell(const torch::Tensor& logits, const Pair& pair)
    {
        policy_.at_logits(pair, logits.data_ptr<float>() + pair.image * logits.size(1));
    }

    /// A weight that is not finite: what it makes of the padding's zeros is up to LibTorch's convolution.
    void whole_network(std::size_t fault, const std::vector<const OverflowingPair*>& pairs)
    {
        const torch::Tensor logits = faulty_logits(executor_, layer_, group_.changes[fault], images_);
        for (const OverflowingPair* pair : pairs)
            tell(logits, pair->pair);
        macs_ += static_cast<double>(images_.size(0)) * macs_of_image(graph_);
    }

    /// A copy of golden values, laid out in memory as the golden pass does: libraries choose the order of a
    /// sum by that, too.
    [[nodiscard]] static torch::Tensor copied(const torch::Tensor& values,
                                              const std::vector<std::int64_t>& strides)
    {
        return torch::empty_strided(values.sizes(), strides, values.options()).copy_(values);
    }

    [[nodiscard]] torch::Tensor to_device(const std::vector<std::int64_t>& numbers) const
    {
        return torch::tensor(numbers, torch::kLong).to(executor_.device());
    }

    /// What the faults of pairs add to the layer's output at their channel: their weight's change times what
    /// it meets. [tile, …]
    [[nodiscard]] torch::Tensor change(const std::vector<std::int64_t>& channel,
                                       const std::vector<std::int64_t>& element,
                                       const torch::Tensor& delta) const
    {
        const torch::Tensor every = torch::arange(images_.size(0), to_device({}).options());
        const auto* conv = std::get_if<Conv2dOp>(&graph_.node(layer_.node).operation);
        if (conv == nullptr) return golden_->input.index({every, to_device(element)}) * delta;
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
        const torch::Tensor met = golden_->input.index({every, to_device(in)}).unsqueeze(1);
        return windows(padded_by(met, *conv), *conv)
                   .select(1, 0)
                   .index({every, to_device(row), to_device(column)}) *
               delta.view({-1, 1, 1});
    }

    /// The layer's golden output with one channel changed, and all that lies behind.
    void from_layer(const Batch& batch)
    {
        if (golden_ == nullptr)
        {
            std::vector<NodeId> wanted = suffix_starts(graph_, flow_, layer_.node);
            wanted.push_back(input_);
            own_.values = executor_.forward_to(images_, wanted);
            own_.input = own_.values[index(input_)].contiguous();
            golden_ = &own_;
        }
        const std::int64_t filter = static_cast<std::int64_t>(layer_.weights) / layer_.out_channels;
        std::vector<std::int64_t> channel(batch.size(), 0);
        std::vector<std::int64_t> element(batch.size(), 0);
        std::vector<float> delta(batch.size(), 0);
        for (std::size_t n = 0; n < batch.size(); ++n)
        {
            if (batch[n] == nullptr) continue;
            const auto parameter = static_cast<std::int64_t>(group_.changes[batch[n]->pair.fault].parameter);
            channel[n] = parameter / filter;
            element[n] = parameter % filter;
            delta[n] = delta_of(*batch[n]);
        }
        const torch::Tensor& values = golden_->values[index(layer_.node)];
        torch::Tensor output = copied(values, values.strides().vec());
        add(output, channel, change(channel, element, torch::tensor(delta).to(executor_.device())));
        finish(layer_.node, flow_, std::move(output), batch);
    }

    /// The same from where the change is the last one before the first sum.
    void from_restart(const Batch& batch, const ChangeFlow& flow)
    {
        const Shape& shape = graph_.node(golden_->restart).shape;
        torch::Tensor output = copied(golden_->map, map_strides());
        if (golden_->held != golden_->restart) output = executor_.apply(golden_->restart, {output});
        const auto pixels = static_cast<std::size_t>(output.size(2) * output.size(3));
        std::vector<std::int64_t> channel(batch.size(), 0);
        std::vector<float> values(batch.size() * pixels, 0);
        for (std::size_t n = 0; n < batch.size(); ++n)
        {
            if (batch[n] == nullptr) continue;
            channel[n] = batch[n]->channel;
            std::copy(batch[n]->change.begin(), batch[n]->change.end(),
                      values.begin() + static_cast<std::ptrdiff_t>(n * pixels));
        }
        add(output, channel, torch::tensor(values).view({-1, output.size(2), output.size(3)}));
        if (shape.size() == 1) output = output.flatten(1);
        finish(golden_->restart, flow, std::move(output), batch);
    }

    /// Add to one channel of each image. \param change  [tile, …]
    void add(torch::Tensor& output, const std::vector<std::int64_t>& channel,
             const torch::Tensor& change) const
    {
        const torch::Tensor channels = to_device(channel);
        output.index_put_({torch::arange(output.size(0), channels.options()), channels}, change, true);
    }

    /// Strides of the held map, laid out as the restart's value is in a golden pass.
    [[nodiscard]] std::vector<std::int64_t> map_strides() const
    {
        const torch::Tensor& map = golden_->map;
        const std::vector<std::int64_t>& strides = golden_->restart_strides;
        if (strides.size() != 4) return map.strides().vec();
        const Shape& restart = graph_.node(golden_->restart).shape;
        if (restart == Shape(map.sizes().begin() + 1, map.sizes().end())) return strides;
        return strides[1] == 1 ? c10::get_channels_last_strides_2d(map.sizes()) : map.strides().vec();
    }

    /// All that lies behind a node, and what it says of the images.
    void finish(NodeId start, const ChangeFlow& flow, torch::Tensor value, const Batch& batch)
    {
        torch::Tensor logits = value;
        if (!flow.nodes.empty())
        {
            std::vector<torch::Tensor> values(graph_.nodes().size());
            for (const NodeId id : suffix_starts(graph_, flow, start))
                values[index(id)] = golden_->values[index(id)];
            values[index(start)] = std::move(value);
            logits = executor_.resume(std::move(values), flow.nodes);
        }
        logits = logits.to(torch::kCPU).contiguous();
        for (const OverflowingPair* pair : batch)
        {
            if (pair != nullptr) tell(logits, pair->pair);
        }
        for (const NodeId id : flow.nodes)
            macs_ += static_cast<double>(batch.size()) * static_cast<double>(graph_.macs(id));
    }

    const Executor& executor_;
    const Graph& graph_;
    const InjectableLayer& layer_;
    NodeId input_;
    const ChangeGroup& group_;
    const torch::Tensor& images_;
    ChangeFlow flow_;
    const std::vector<float>& weights_;
    const SuffixGolden* golden_;
    PairPolicy& policy_;
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

double overflow_pass(const Executor& executor, const InjectableLayer& layer, const ChangeGroup& group,
                     const torch::Tensor& images, const std::vector<float>& weights,
                     const std::vector<OverflowingPair>& pairs, const SuffixGolden* golden,
                     PairPolicy& policy)
{
    if (pairs.empty()) return 0;
    const c10::InferenceMode no_gradients;
    return OverflowPass(executor, layer, group, images, weights, golden, policy).run(pairs);
}

}  // namespace flipstorm
