#include "engine/compute/torch/executor.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/compute/torch/fake_quantise.hpp"
#include "engine/compute/torch/operations.hpp"

namespace flipstorm
{
Executor::Executor(const Network& network, torch::Device device)
    : graph_(network.graph), activations_(network.activations), device_(device)
{
    for (const Parameter& parameter : network.parameters)
    {
        // The tensor is one more owner of the network's values.
        const torch::Tensor shared = torch::from_blob(
            const_cast<float*>(parameter.values().data()), parameter.shape(),
            [owner = parameter.values()](void*) { static_cast<void>(owner); }, torch::kFloat32);
        parameters_.push_back(shared.to(device));
    }
    std::size_t first = 0;
    for (const Node& node : graph_.nodes())
    {
        first_parameter_.push_back(first);
        first += flipstorm::parameters_of(node).size();
    }
    FS_REQUIRE(first == parameters_.size(), "{} parameters for a graph with {}", parameters_.size(), first);
}

torch::Tensor Executor::apply(NodeId id, const std::vector<torch::Tensor>& inputs) const
{
    return apply(id, inputs, nullptr);
}

torch::Tensor Executor::apply(NodeId id, const std::vector<torch::Tensor>& inputs,
                              const TrainingHooks* training) const
{
    const Node& node = graph_.node(id);
    const torch::Tensor* parameters = parameters_of(id);
    std::vector<torch::Tensor> replaced;
    if (training != nullptr && training->parameters && is_product(node.operation))
    {
        replaced = training->parameters(id, parameters);
        parameters = replaced.data();
    }
    const ValueStep step{node.name, inputs, parameters, training};
    return finished(id, std::visit([&](const auto& op) { return value_on_torch(op, step); }, node.operation),
                    training);
}

torch::Tensor Executor::finished(NodeId id, torch::Tensor value, const TrainingHooks* training) const
{
    const Operation& operation = graph_.node(id).operation;
    if (training != nullptr)
    {
        if (training->computed) training->computed(id, value);
        if (training->layer_output && is_product(operation)) training->layer_output(id, value);
        if (training->value) value = training->value(id, value);
    }
    if (activations_.empty() || !is_rounded(operation)) return value;
    return fake_quantise(value, activations_[index(id)]);
}

std::vector<torch::Tensor> Executor::compute(std::vector<torch::Tensor> values,
                                             const std::vector<NodeId>& nodes,
                                             const std::vector<NodeId>& wanted,
                                             const TrainingHooks* training) const
{
    constexpr std::size_t kAlways = std::numeric_limits<std::size_t>::max();
    values.resize(graph_.nodes().size());
    // A value is let go as soon as no later node reads it: it keeps the working set small.
    std::vector<std::size_t> last_use(values.size(), 0);
    for (std::size_t k = 0; k < nodes.size(); ++k)
    {
        for (const NodeId input : graph_.node(nodes[k]).inputs)
            last_use[index(input)] = k;
    }
    for (const NodeId id : wanted)
        last_use[index(id)] = kAlways;
    for (std::size_t k = 0; k < nodes.size(); ++k)
    {
        std::vector<torch::Tensor> inputs;
        for (const NodeId input : graph_.node(nodes[k]).inputs)
        {
            const torch::Tensor& value = values[index(input)];
            FS_REQUIRE(value.defined(), "node '{}' is needed but was not given", graph_.node(input).name);
            inputs.push_back(value);
        }
        for (const NodeId input : graph_.node(nodes[k]).inputs)
        {
            if (last_use[index(input)] == k) values[index(input)].reset();
        }
        values[index(nodes[k])] = apply(nodes[k], inputs, training);
    }
    return values;
}

torch::Tensor Executor::resume(std::vector<torch::Tensor> values, const std::vector<NodeId>& nodes) const
{
    return compute(std::move(values), nodes, {graph_.output()})[index(graph_.output())];
}

std::vector<torch::Tensor> Executor::forward_to(const torch::Tensor& images,
                                                const std::vector<NodeId>& wanted) const
{
    std::vector<bool> needed(graph_.nodes().size(), false);
    for (const NodeId id : wanted)
        needed[index(id)] = true;
    for (std::size_t i = needed.size(); i-- > 1;)
    {
        if (!needed[i]) continue;
        for (const NodeId input : graph_.nodes()[i].inputs)
            needed[index(input)] = true;
    }
    std::vector<NodeId> nodes = nodes_from(graph_, NodeId(1));
    nodes.erase(std::remove_if(nodes.begin(), nodes.end(), [&](NodeId id) { return !needed[index(id)]; }),
                nodes.end());
    return compute({finished(NodeId(0), images, nullptr)}, nodes, wanted);
}

torch::Tensor Executor::forward(const torch::Tensor& images) const
{
    return resume({finished(NodeId(0), images, nullptr)}, nodes_from(graph_, NodeId(1)));
}

torch::Tensor Executor::forward_training(const torch::Tensor& images, const TrainingHooks& hooks)
{
    FS_REQUIRE(owns_parameters_, "training would change parameters that others share");
    return compute({finished(NodeId(0), images, &hooks)}, nodes_from(graph_, NodeId(1)), {graph_.output()},
                   &hooks)[index(graph_.output())];
}

void Executor::own_parameters()
{
    for (torch::Tensor& parameter : parameters_)
        parameter = parameter.clone();
    owns_parameters_ = true;
}

void Executor::store(Network& network) const
{
    for (std::size_t i = 0; i < parameters_.size(); ++i)
    {
        const torch::Tensor value = parameters_[i].detach().to(torch::kCPU).contiguous();
        const float* const values = value.data_ptr<float>();
        network.parameters.at(i).set_values(std::vector<float>(values, values + value.numel()));
    }
}

torch::Device torch_device(Device device)
{
    return device.cuda ? torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(device.index))
                       : torch::Device(torch::kCPU);
}

std::uint64_t Executor::bytes() const
{
    if (!owns_parameters_ && device_.is_cpu()) return 0;
    std::uint64_t bytes = 0;
    for (const torch::Tensor& parameter : parameters_)
        bytes += static_cast<std::uint64_t>(parameter.numel()) * sizeof(float);
    return bytes;
}

torch::Tensor image_batch(const ImageSet& images, const std::vector<std::int64_t>& indices,
                          const Normalisation& normalisation, torch::Device device)
{
    torch::Tensor batch = torch::empty(
        {static_cast<std::int64_t>(indices.size()), images.channels, images.height, images.width},
        torch::kFloat32);
    normalise(images, indices, normalisation, batch.data_ptr<float>());
    return batch.to(device);
}

}  // namespace flipstorm
