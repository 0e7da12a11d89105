#include "engine/network/change_flow.hpp"

#include <algorithm>

namespace flipstorm
{
namespace
{

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
        std::vector<const Shape*> shapes;
        bool changes = false;
        for (const NodeId input : node.inputs)
        {
            inputs.push_back({flow.extent[index(input)], flow.shift[index(input)]});
            shapes.push_back(&graph.node(input).shape);
            changes = changes || inputs.back().extent != Extent::none;
        }
        if (!changes) continue;
        const ChangedInputs changed{inputs, shapes};
        const Spread spread = std::visit([&](const auto& op) { return op.spread(changed); }, node.operation);
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
