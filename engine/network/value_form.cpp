#include "engine/network/value_form.hpp"

#include <fmt/format.h>

namespace flipstorm
{

std::vector<ValueForm> value_forms(const Graph& graph)
{
    std::vector<ValueForm> forms;
    for (const Node& node : graph.nodes())
    {
        const bool keeps = std::visit([](const auto& op) { return op.kKeepsForm; }, node.operation);
        if (keeps && node.shape.size() == 1)
            forms.push_back(forms[index(node.inputs[0])]);
        else if (node.shape.size() == 3)
            forms.push_back({node.shape[0], node.shape[1], node.shape[2]});
        else
            forms.push_back({node.shape[0], 1, 1});
    }
    return forms;
}

std::string flat_obstacle(const Graph& graph)
{
    const std::vector<ValueForm> forms = value_forms(graph);
    for (const Node& node : graph.nodes())
    {
        const bool reads_flat = std::visit([](const auto& op) { return op.kReadsFlat; }, node.operation);
        for (const NodeId input : node.inputs)
        {
            const bool flat = graph.node(input).shape.size() == 1 && forms[index(input)].pixels() > 1;
            if (flat && !reads_flat)
                return fmt::format("node '{}' reads a flattened map ('{}')", node.name,
                                   graph.node(input).name);
        }
    }
    const ValueForm& logits = forms.back();
    if (logits.pixels() > 1)
        return fmt::format("the logits are a flattened map of {}×{}", logits.height, logits.width);
    return {};
}

}  // namespace flipstorm
