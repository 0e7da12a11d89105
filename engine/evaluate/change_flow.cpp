#include "engine/evaluate/change_flow.hpp"

#include <algorithm>
#include <type_traits>

namespace flipstorm
{
namespace
{

/// A change, as a node sees it on its inputs.
struct Spread
{
    Extent extent = Extent::none;
    std::int64_t shift = 0;
};

/// What a node makes of the changes of its inputs, at least one of which changes.
struct SpreadRule
{
    const Graph& graph;
    const Node& node;
    const std::vector<Spread>& inputs;

    Spread operator()(const Conv2dOp& /*op*/) const { return {Extent::everything, 0}; }
    Spread operator()(const LinearOp& /*op*/) const { return {Extent::everything, 0}; }

    Spread operator()(const PadOp& op) const
    {
        return {inputs[0].extent, inputs[0].shift + op.channels_before};
    }

    Spread operator()(const SliceOp& op) const
    {
        // A slice of channels may drop the channel: not known before the fault is.
        return op.dimension == 0 ? Spread{Extent::everything, 0} : inputs[0];
    }

    Spread operator()(const AddOp& /*op*/) const
    {
        if (inputs[0].extent == Extent::none) return inputs[1];
        if (inputs[1].extent == Extent::none) return inputs[0];
        const bool same = inputs[0].extent == Extent::channel && inputs[1].extent == Extent::channel &&
                          inputs[0].shift == inputs[1].shift;
        return same ? inputs[0] : Spread{Extent::everything, 0};
    }

    Spread operator()(const ConcatOp& /*op*/) const
    {
        std::int64_t before = 0;
        Spread result;
        for (std::size_t i = 0; i < inputs.size(); ++i)
        {
            if (inputs[i].extent != Extent::none)
            {
                if (result.extent != Extent::none || inputs[i].extent == Extent::everything)
                    return {Extent::everything, 0};
                result = {Extent::channel, inputs[i].shift + before};
            }
            before += graph.node(node.inputs[i]).shape[0];
        }
        return result;
    }

    /// Everything else works on each channel alone.
    template<class Op>
    Spread operator()(const Op& /*op*/) const
    {
        return inputs[0];
    }
};

/// Nodes through which everything behind them changes: no edge from an earlier changed node leads past them.
std::vector<bool> cuts(const Graph& graph, const ChangeFlow& flow)
{
    std::vector<std::size_t> last_use(graph.nodes().size(), 0);
    for (std::size_t i = 0; i < graph.nodes().size(); ++i)
    {
        for (const NodeId input : graph.nodes()[i].inputs)
            last_use[index(input)] = i;
    }
    std::vector<bool> cut(graph.nodes().size(), false);
    std::size_t farthest = 0;
    for (std::size_t i = 0; i < cut.size(); ++i)
    {
        if (flow.extent[i] == Extent::none) continue;
        cut[i] = farthest <= i;
        farthest = std::max(farthest, last_use[i]);
    }
    return cut;
}

/// Whether the node's change goes on to a node that mixes channels, or to several nodes.
bool spreads(const Graph& graph, const std::vector<std::vector<NodeId>>& consumers, NodeId id)
{
    const std::vector<NodeId>& readers = consumers[index(id)];
    if (readers.size() != 1) return true;
    const Operation& operation = graph.node(readers[0]).operation;
    if (std::holds_alternative<FlattenOp>(operation)) return spreads(graph, consumers, readers[0]);
    return is_product(operation);
}

}  // namespace

bool is_product(const Operation& operation)
{
    return std::holds_alternative<Conv2dOp>(operation) || std::holds_alternative<LinearOp>(operation);
}

bool is_nonlinear(const Operation& operation)
{
    return std::holds_alternative<ReluOp>(operation) || std::holds_alternative<Relu6Op>(operation) ||
           std::holds_alternative<MaxPool2dOp>(operation);
}

std::vector<std::vector<NodeId>> consumers_of(const Graph& graph)
{
    std::vector<std::vector<NodeId>> consumers(graph.nodes().size());
    for (std::size_t i = 0; i < graph.nodes().size(); ++i)
    {
        for (const NodeId input : graph.nodes()[i].inputs)
            consumers[index(input)].emplace_back(static_cast<std::int32_t>(i));
    }
    return consumers;
}

ChangeFlow change_flow(const Graph& graph, NodeId layer)
{
    const std::size_t count = graph.nodes().size();
    ChangeFlow flow;
    flow.extent.assign(count, Extent::none);
    flow.shift.assign(count, 0);
    flow.extent[index(layer)] = Extent::channel;
    for (std::size_t i = index(layer) + 1; i < count; ++i)
    {
        const Node& node = graph.nodes()[i];
        std::vector<Spread> inputs;
        bool changes = false;
        for (const NodeId input : node.inputs)
        {
            inputs.push_back({flow.extent[index(input)], flow.shift[index(input)]});
            changes = changes || inputs.back().extent != Extent::none;
        }
        if (!changes) continue;
        const Spread spread = std::visit(SpreadRule{graph, node, inputs}, node.operation);
        flow.extent[i] = spread.extent;
        flow.shift[i] = spread.extent == Extent::channel ? spread.shift : 0;
        flow.nodes.emplace_back(static_cast<std::int32_t>(i));
    }
    flow.cut = cuts(graph, flow);
    const std::vector<std::vector<NodeId>> consumers = consumers_of(graph);
    bool nonlinear = false;
    for (const NodeId id : flow.nodes)
    {
        nonlinear = nonlinear || is_nonlinear(graph.node(id).operation);
        const bool flat = std::holds_alternative<FlattenOp>(graph.node(id).operation);
        if (!nonlinear || flat || !flow.cut[index(id)] || id == graph.output()) continue;
        if (!spreads(graph, consumers, id)) continue;
        flow.checkpoints.push_back(id);
        nonlinear = false;
    }
    return flow;
}

}  // namespace flipstorm
