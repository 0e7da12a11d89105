// Mode `exact`: everything before the faulty layer is golden; the faulty layer changes one output channel,
// which goes alone through the activation and the pooling behind it; an image whose channel comes out
// bit-identical is done; and the rest of the network runs on the others, the images of many faults side by
// side in one batch.

#include <algorithm>
#include <optional>

#include "engine/base/error.hpp"
#include "engine/evaluate/tile_evaluator.hpp"

namespace flipstorm
{
namespace
{

class ExactEvaluator : public TileEvaluator
{
  public:
    ExactEvaluator(const Network& network, const Executor& executor)
        : graph_(network.graph), executor_(executor)
    {
        for (const InjectableLayer& layer : injectable_layers(network))
            suffixes_.push_back(suffix_of(layer.node));
    }

    [[nodiscard]] std::vector<NodeId> golden_nodes(const InjectableLayer& layer) const override
    {
        const Suffix& suffix = suffix_of_layer(layer);
        std::vector<NodeId> nodes = suffix.golden_inputs;
        nodes.push_back(graph_.node(layer.node).inputs[0]);
        nodes.push_back(suffix.entry);
        return nodes;
    }

    [[nodiscard]] std::size_t group_size(std::int64_t tile_images) const override
    {
        return static_cast<std::size_t>(std::max<std::int64_t>(1, kPairs / tile_images));
    }

    [[nodiscard]] std::uint64_t work_bytes(const InjectableLayer& layer,
                                           std::int64_t tile_images) const override
    {
        const Shape& shape = graph_.node(layer.node).shape;
        // The faulty channels before and behind an operation, and what lies behind for a batch of pairs.
        const std::int64_t channels = 2 * tile_images * static_cast<std::int64_t>(group_size(tile_images)) *
                                      (elements(shape) / shape[0]);
        const Suffix& suffix = suffix_of_layer(layer);
        return static_cast<std::uint64_t>(channels + suffix.batch * suffix.live_elements) * sizeof(float);
    }

    void evaluate(const InjectableLayer& layer, const ChangeGroup& group, const Tile& tile) const override
    {
        const Suffix& suffix = suffix_of_layer(layer);
        const auto at = static_cast<std::size_t>(suffix.entry.value());
        const torch::Tensor& golden = tile.values[at];
        std::vector<std::int64_t> channel_of(group.count);
        const std::int64_t filter = static_cast<std::int64_t>(layer.weights) / layer.out_channels;
        for (std::size_t f = 0; f < group.count; ++f)
        {
            channel_of[f] = static_cast<std::int64_t>(group.changes[f].parameter) / filter;
        }
        const torch::Tensor channels =
            torch::tensor(channel_of, torch::TensorOptions().dtype(torch::kLong)).to(executor_.device());
        torch::Tensor faulty = faulty_channels(layer, group, channels, tile);  // [tile, faults, …]
        for (const NodeId id : suffix.channelwise)
            faulty = executor_.apply(id, {faulty});
        torch::Tensor changed = faulty.ne(golden.index_select(1, channels));  // NaN ≠ anything
        if (changed.dim() > 2) changed = changed.flatten(2).any(2);           // [tile, faults]
        const torch::Tensor pairs = changed.nonzero();                        // [pairs, 2]
        tally_as_golden(group, tile);
        for (std::int64_t first = 0; first < pairs.size(0); first += suffix.batch)
        {
            const torch::Tensor batch = pairs.narrow(0, first, std::min(suffix.batch, pairs.size(0) - first));
            const torch::Tensor image = batch.select(1, 0);
            const torch::Tensor fault = batch.select(1, 1);
            torch::Tensor value = golden.index_select(0, image);
            const torch::Tensor row = torch::arange(batch.size(0), channels.options());
            value.index_put_({row, channels.index_select(0, fault)}, faulty.index({image, fault}));
            std::vector<torch::Tensor> values(graph_.nodes().size());
            for (const NodeId id : suffix.golden_inputs)
            {
                const auto i = static_cast<std::size_t>(id.value());
                values[i] = tile.values[i].index_select(0, image);
            }
            values[at] = value;
            const torch::Tensor logits = executor_.resume(std::move(values), suffix.nodes);
            tally(group, tile, batch.to(torch::kCPU).contiguous(), logits.to(torch::kCPU).contiguous());
        }
    }

  private:
    /// What lies behind a layer.
    struct Suffix
    {
        std::vector<NodeId> channelwise;  ///< follow the layer and keep its channels apart, in order
        NodeId entry;               ///< the last of those, or the layer: from here on all channels are needed
        std::vector<NodeId> nodes;  ///< depend on `entry`, in order
        std::vector<NodeId> golden_inputs;  ///< read by those, do not depend on the layer
        std::int64_t live_elements = 0;     ///< alive at once while `nodes` are computed, for one image
        std::int64_t batch = 0;             ///< pairs that are computed together
    };

    /// (fault, image) pairs of a group: large enough to hide the cost of a LibTorch call.
    static constexpr std::int64_t kPairs = 1024;

    [[nodiscard]] const Suffix& suffix_of_layer(const InjectableLayer& layer) const
    {
        return suffixes_[static_cast<std::size_t>(layer.id.value())];
    }

    [[nodiscard]] Suffix suffix_of(NodeId layer) const
    {
        Suffix suffix;
        suffix.entry = layer;
        while (const std::optional<NodeId> next = channelwise_consumer(suffix.entry))
        {
            suffix.channelwise.push_back(*next);
            suffix.entry = *next;
        }
        const std::vector<bool> reached = graph_.reachable_from(suffix.entry);
        std::vector<bool> read(reached.size(), false);
        for (std::size_t i = static_cast<std::size_t>(suffix.entry.value()) + 1; i < reached.size(); ++i)
        {
            if (!reached[i]) continue;
            suffix.nodes.emplace_back(static_cast<std::int32_t>(i));
            for (const NodeId input : graph_.nodes()[i].inputs)
                read[static_cast<std::size_t>(input.value())] = true;
        }
        for (std::size_t i = 0; i < read.size(); ++i)
        {
            if (read[i] && !reached[i]) suffix.golden_inputs.emplace_back(static_cast<std::int32_t>(i));
        }
        // A batch stays within some tens of MiB, whatever the network; fixed, so that results are.
        constexpr std::int64_t kBatchElements = std::int64_t{1} << 24;
        suffix.live_elements = live_elements(graph_, suffix.entry);
        suffix.batch = std::clamp<std::int64_t>(kBatchElements / suffix.live_elements, 16, kPairs);
        return suffix;
    }

    /// The only node that reads `id`, if it computes each channel from the same channel of `id` alone.
    [[nodiscard]] std::optional<NodeId> channelwise_consumer(NodeId id) const
    {
        std::optional<NodeId> consumer;
        for (std::size_t i = 0; i < graph_.nodes().size(); ++i)
        {
            for (const NodeId input : graph_.nodes()[i].inputs)
            {
                if (input != id) continue;
                if (consumer) return std::nullopt;
                consumer = NodeId(static_cast<std::int32_t>(i));
            }
        }
        if (!consumer) return std::nullopt;
        const Operation& operation = graph_.node(*consumer).operation;
        const bool channelwise =
            std::holds_alternative<ReluOp>(operation) || std::holds_alternative<MaxPool2dOp>(operation);
        return channelwise ? consumer : std::nullopt;
    }

    /// Output channel of each change, [tile, changes, H, W] or [tile, changes].
    [[nodiscard]] torch::Tensor faulty_channels(const InjectableLayer& layer, const ChangeGroup& group,
                                                const torch::Tensor& channels, const Tile& tile) const
    {
        const Node& node = graph_.node(layer.node);
        const torch::Tensor& input = tile.values[static_cast<std::size_t>(node.inputs[0].value())];
        torch::Tensor weight = executor_.parameters()[layer.weight].index_select(0, channels);
        const torch::Tensor flat = weight.view({static_cast<std::int64_t>(group.count), -1});
        for (std::size_t f = 0; f < group.count; ++f)
        {
            const auto element = static_cast<std::int64_t>(group.changes[f].parameter) % flat.size(1);
            flat[static_cast<std::int64_t>(f)][element] = group.changes[f].value;
        }
        if (const auto* linear = std::get_if<LinearOp>(&node.operation))
        {
            return torch::linear(input, weight,
                                 linear->bias ? bias(layer).index_select(0, channels) : torch::Tensor());
        }
        const auto& conv = std::get<Conv2dOp>(node.operation);
        const torch::Tensor biases = conv.bias ? bias(layer).index_select(0, channels) : torch::Tensor();
        if (conv.groups == 1) return torch::conv2d(input, weight, biases, conv.stride, conv.padding);
        std::vector<torch::Tensor> outputs;
        for (std::int64_t f = 0; f < weight.size(0); ++f)
        {
            const std::int64_t part = channels[f].item<std::int64_t>() / (conv.out_channels / conv.groups);
            outputs.push_back(torch::conv2d(
                input.narrow(1, part * weight.size(1), weight.size(1)), weight.narrow(0, f, 1),
                biases.defined() ? biases.narrow(0, f, 1) : torch::Tensor(), conv.stride, conv.padding));
        }
        return torch::cat(outputs, 1);
    }

    [[nodiscard]] const torch::Tensor& bias(const InjectableLayer& layer) const
    {
        return executor_.parameters()[layer.weight + 1];
    }

    /// Add the whole tile to each change's tally as if nothing had changed.
    static void tally_as_golden(const ChangeGroup& group, const Tile& tile)
    {
        Tally golden;
        golden.evaluated = static_cast<std::uint32_t>(tile.size());
        for (std::size_t i = 0; i < tile.label.size(); ++i)
            golden.correct += tile.top1[i] == tile.label[i] ? 1U : 0U;
        for (std::size_t f = 0; f < group.count; ++f)
            group.tallies[f] += golden;
    }

    /// Replace what was tallied for some pairs of (image, change) [pairs, 2] by what their logits say.
    static void tally(const ChangeGroup& group, const Tile& tile, const torch::Tensor& pairs,
                      const torch::Tensor& logits)
    {
        const auto* pair = pairs.data_ptr<std::int64_t>();
        for (std::int64_t p = 0; p < pairs.size(0); ++p)
        {
            const auto i = static_cast<std::size_t>(pair[2 * p]);
            Tally& total = group.tallies[pair[2 * p + 1]];
            const Tally judged = judge(logits.data_ptr<float>() + p * logits.size(1), logits.size(1),
                                       tile.label[i], tile.top1[i]);
            total.correct -= tile.top1[i] == tile.label[i] ? 1U : 0U;
            total.correct += judged.correct;
            total.mismatches += judged.mismatches;
            total.nonfinite += judged.nonfinite;
        }
    }

    Graph graph_;
    Executor executor_;
    std::vector<Suffix> suffixes_;  ///< by layer id
};

}  // namespace

std::unique_ptr<TileEvaluator> make_exact_evaluator(const Network& network, const Executor& executor)
{
    return std::make_unique<ExactEvaluator>(network, executor);
}

}  // namespace flipstorm
