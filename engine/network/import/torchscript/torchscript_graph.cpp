#include "engine/network/import/torchscript/torchscript_graph.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace flipstorm::torchscript
{
namespace
{

/// "conv1" of "conv1.weight"; the name itself if it has another suffix, nothing if it has no module.
std::string module_of(const std::string& parameter, const std::string& suffix)
{
    if ("." + parameter == suffix) return "";
    const bool ends_so = parameter.size() > suffix.size() &&
                         parameter.compare(parameter.size() - suffix.size(), suffix.size(), suffix) == 0;
    return ends_so ? parameter.substr(0, parameter.size() - suffix.size()) : parameter;
}

}  // namespace

GraphBuilder::GraphBuilder(const Shape& input_shape, std::set<std::string> reserved)
    : graph_(input_shape),
      input_(std::make_shared<Tensor>(Tensor{graph_.output(), input_shape})),
      reserved_(std::move(reserved))
{}

ImportedNetwork GraphBuilder::finish(NodeId output) const
{
    std::vector<bool> needed(graph_.nodes().size(), false);
    needed[static_cast<std::size_t>(output.value())] = true;
    for (std::size_t i = needed.size(); i-- > 1;)
    {
        if (!needed[i]) continue;
        for (const NodeId input : graph_.nodes()[i].inputs)
            needed[static_cast<std::size_t>(input.value())] = true;
    }
    ImportedNetwork result{{"torchscript", NumberFormat::fp32, Graph(graph_.input_shape()), 0, {}, {}}, {}};
    Network& network = result.network;
    std::vector<NodeId> moved(needed.size(), NodeId(0));
    for (std::size_t i = 1; i < needed.size(); ++i)
    {
        if (!needed[i]) continue;
        const Node& node = graph_.nodes()[i];
        std::vector<NodeId> inputs;
        for (const NodeId input : node.inputs)
            inputs.push_back(moved[static_cast<std::size_t>(input.value())]);
        moved[i] = network.graph.add(node.name, node.operation, std::move(inputs));
    }
    for (const ParameterSpec& spec : network.graph.parameters())
    {
        const std::size_t dot = spec.name.rfind('.');
        const std::vector<Part>& parts = parameters_.at(spec.name.substr(0, dot));
        const auto part = std::find_if(parts.begin(), parts.end(), [&](const Part& each) {
            return spec.name.compare(dot, std::string::npos, each.suffix) == 0;
        });
        FS_REQUIRE(part != parts.end(), "import: no value for '{}'", spec.name);
        Shape shape = spec.shape;
        std::vector<float> values;
        if (part->value.value.isTensor())
        {
            const at::Tensor tensor = part->value.value.toTensor().contiguous();
            shape = tensor.sizes().vec();
            values.assign(tensor.data_ptr<float>(), tensor.data_ptr<float>() + tensor.numel());
        }
        else
        {
            values.assign(static_cast<std::size_t>(elements(shape)), part->fill);
        }
        if (part->value.name != spec.name) result.renamed.emplace_back(part->value.name, spec.name);
        network.parameters.emplace_back(spec.name, std::move(shape), std::move(values));
    }
    return result;
}

NodeId GraphBuilder::computed(const Call& call, const TensorRef& tensor)
{
    if (tensor->product)
    {
        const Product product = *tensor->product;
        tensor->node = add_linear(call, product.input, product.weight, Known{})->node;
        tensor->product.reset();
    }
    return tensor->node;
}

NodeId GraphBuilder::node_of(const Call& call, const TensorRef& tensor)
{
    const NodeId node = computed(call, tensor);
    if (graph_.node(node).shape != tensor->shape)
    {
        call.refuse(fmt::format("its input has shape {} for one image, made of {}; it must be that, or flat",
                                tensor->shape, graph_.node(node).shape));
    }
    return node;
}

std::string GraphBuilder::unique_name(const Call& call, const char* word) const
{
    const std::string& module = call.frame().module;
    const auto taken = [this](const std::string& name) {
        if (name.empty() || reserved_.count(name) > 0) return true;
        return std::any_of(graph_.nodes().begin(), graph_.nodes().end(),
                           [&name](const Node& node) { return node.name == name; });
    };
    std::string base = module;
    if (!call.frame().leaf || module.empty() || reserved_.count(module) > 0)
    {
        base += (module.empty() ? "" : ".") + std::string(word);
    }
    std::string name = base;
    for (int count = 2; taken(name); ++count)
        name = fmt::format("{}_{}", base, count);
    return name;
}

TensorRef GraphBuilder::add_node(const Call& call, const char* word, Operation operation,
                                 std::vector<NodeId> inputs)
{
    return add_to_graph(call, unique_name(call, word), operation, std::move(inputs));
}

TensorRef GraphBuilder::add_to_graph(const Call& call, const std::string& name, Operation operation,
                                     std::vector<NodeId> inputs)
{
    try
    {
        const NodeId id = graph_.add(name, operation, std::move(inputs));
        return std::make_shared<Tensor>(Tensor{id, graph_.node(id).shape});
    }
    catch (const DataError& error)
    {
        call.refuse(fmt::format("{}; for images of {}", error.what(), graph_.input_shape()));
    }
}

TensorRef GraphBuilder::add_layer(const Call& call, const char* word, Operation operation, NodeId input,
                                  std::vector<Part> parts, std::size_t main)
{
    const Known& named = parts[main].value;
    std::string name = module_of(named.name, parts[main].suffix);
    if (named.origin == Origin::constant || name.empty()) name = unique_name(call, word);
    if (parameters_.count(name) > 0)
    {
        call.refuse(
            fmt::format("the parameters of '{}' are used a second time; each layer must have its own, "
                        "because one fault would strike both",
                        name));
    }
    if (!std::holds_alternative<BatchNormOp>(operation))
    {
        const auto [first, is_new] = weights_.emplace(named.value.toTensor().data_ptr(), name);
        if (!is_new)
        {
            call.refuse(
                fmt::format("'{}' and '{}' share one weight; each layer must have its own, because one "
                            "fault would strike both",
                            first->second, name));
        }
    }
    TensorRef result = add_to_graph(call, name, operation, {input});
    parameters_.emplace(name, std::move(parts));
    return result;
}

TensorRef GraphBuilder::add_linear(const Call& call, NodeId input, const Known& weight, const Known& bias)
{
    const std::vector<std::int64_t> shape = weight.value.toTensor().sizes().vec();
    if (shape.size() != 2) call.refuse(fmt::format("a weight of shape {}, it must be [out, in]", shape));
    LinearOp op;
    op.in_features = shape[1];
    op.out_features = shape[0];
    op.bias = bias.value.isTensor();
    return add_layer(call, "linear", op, input, {{".weight", weight}, {".bias", bias}});
}

}  // namespace flipstorm::torchscript
