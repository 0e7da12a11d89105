#include "engine/compute/torch/native_tile.hpp"

#include <utility>

#include "engine/compute/cpu/operations.hpp"
#include "engine/compute/torch/golden_pass.hpp"

namespace flipstorm
{
namespace
{

/// A tensor of floats with room to read a vector past its end.
torch::Tensor with_slack(std::int64_t floats)
{
    torch::Tensor tensor = torch::empty({floats + kLanes}, torch::kFloat32);
    tensor.narrow(0, floats, kLanes).zero_();
    return tensor;
}

/// Values [tile, …] as maps, [tile][values][C][pixels].
torch::Tensor as_maps(const std::vector<torch::Tensor>& values)
{
    const std::int64_t images = values[0].size(0);
    const std::int64_t map = values[0].numel() / images;
    const auto count = static_cast<std::int64_t>(values.size());
    torch::Tensor maps = with_slack(images * count * map);
    const torch::Tensor rows = maps.narrow(0, 0, images * count * map).view({images, count, map});
    for (std::int64_t k = 0; k < count; ++k)
        rows.select(1, k).copy_(values[static_cast<std::size_t>(k)].reshape({images, map}));
    return maps;
}

/// Values [tile, …] as slots, [tile][values][pixels][padded C].
torch::Tensor as_slots(const std::vector<torch::Tensor>& values, const PaddedForm& form)
{
    const std::int64_t images = values[0].size(0);
    const auto count = static_cast<std::int64_t>(values.size());
    const std::vector<std::int64_t> shape{images, count, form.pixels(), padded(form.channels)};
    torch::Tensor slots = form.channels == padded(form.channels) ? torch::empty(shape, torch::kFloat32)
                                                                 : torch::zeros(shape, torch::kFloat32);
    for (std::int64_t k = 0; k < count; ++k)
    {
        slots.select(1, k)
            .narrow(2, 0, form.channels)
            .copy_(values[static_cast<std::size_t>(k)]
                       .reshape({images, form.channels, form.pixels()})
                       .permute({0, 2, 1}));
    }
    return slots;
}

/// What the pairs that may overflow need; where maps hold a value already, they are looked at.
SuffixGolden suffix_of(const NativeNetwork& network, const NativeProgram& plan, NodeId layer,
                       const GoldenPass& pass, const NativeTile& tile, std::int64_t images)
{
    const Graph& graph = network.graph;
    const auto view_of = [&](NodeId id, std::vector<std::int64_t> shape) {
        shape.insert(shape.begin(), images);
        return tile.maps[index(id)].narrow(0, 0, images * elements(graph.node(id).shape)).view(shape);
    };
    const NodeId input = graph.node(layer).inputs[0];
    SuffixGolden suffix;
    suffix.input = view_of(input, graph.node(input).shape);
    suffix.values.resize(graph.nodes().size());
    for (const NodeId id : suffix_starts(graph, plan.flow, layer))
        suffix.values[index(id)] = pass.values[index(id)];
    suffix.restart = plan.restart;
    if (plan.restart == layer) return suffix;
    const Node& node = graph.node(plan.restart);
    const CpuTraits traits = std::visit([](const auto& op) { return cpu_traits(op); }, node.operation);
    suffix.held = traits.reads_golden_output ? plan.restart : node.inputs[0];
    const PaddedForm& form = network.form(suffix.held);
    suffix.map = view_of(suffix.held, {form.channels, form.height, form.width});
    suffix.restart_strides = pass.values[index(plan.restart)].strides().vec();
    return suffix;
}

/// Null where a tensor is not defined.
std::vector<const float*> addresses(const std::vector<torch::Tensor>& tensors)
{
    std::vector<const float*> addresses;
    for (const torch::Tensor& tensor : tensors)
        addresses.push_back(tensor.defined() ? tensor.data_ptr<float>() : nullptr);
    return addresses;
}

}  // namespace

std::unique_ptr<NativeTile> native_tile(const NativeNetwork& network, const NativeProgram& plan,
                                        const Executor& executor, NodeId layer, const torch::Tensor& images,
                                        bool gradients)
{
    const Graph& graph = network.graph;
    const NodeId input = graph.node(layer).inputs[0];
    GoldenRequest request;
    request.layer = layer;
    request.values = plan.golden_maps;
    request.values.insert(request.values.end(), plan.golden_slots.begin(), plan.golden_slots.end());
    request.values.push_back(input);
    const std::vector<NodeId> starts = suffix_starts(graph, plan.flow, layer);
    request.values.insert(request.values.end(), starts.begin(), starts.end());
    request.values.push_back(plan.restart);
    if (gradients)
    {
        request.gradients.push_back(layer);
        for (const NativeStep& step : plan.steps)
        {
            if (step.checkpoint) request.gradients.push_back(step.node);
        }
    }
    GoldenPass pass = golden_pass(executor, images, request);
    const torch::NoGradGuard no_gradients;
    auto prepared = std::make_unique<NativeTile>();
    const std::size_t count = graph.nodes().size();
    prepared->maps.resize(count);
    prepared->slots.resize(count);
    prepared->gradient_maps.resize(count);
    prepared->gradient_slots.resize(count);
    std::vector<NodeId> maps = plan.golden_maps;
    maps.push_back(input);
    const auto hold = [&](const torch::Tensor& tensor) {
        prepared->size += static_cast<std::uint64_t>(tensor.numel()) * sizeof(float);
        return tensor;
    };
    for (const NodeId id : maps)
        prepared->maps[index(id)] = hold(as_maps({pass.values[index(id)]}));
    for (const NodeId id : plan.golden_slots)
        prepared->slots[index(id)] = hold(as_slots({pass.values[index(id)]}, network.form(id)));
    prepared->suffix = suffix_of(network, plan, layer, pass, *prepared, images.size(0));
    for (const NodeId id : starts)
        hold(prepared->suffix.values[index(id)]);
    pass.values.clear();
    prepared->logits = pass.logits;
    prepared->margins = std::move(pass.margins);
    for (const NodeId id : request.gradients)
    {
        std::vector<torch::Tensor>& of_node = pass.gradients[index(id)];
        if (plan.flow.extent[index(id)] == Extent::channel)
            prepared->gradient_maps[index(id)] = hold(as_maps(of_node));
        else
            prepared->gradient_slots[index(id)] = hold(as_slots(of_node, network.form(id)));
        of_node.clear();
    }
    NativeGolden& golden = prepared->golden;
    golden.values.maps = addresses(prepared->maps);
    golden.values.slots = addresses(prepared->slots);
    golden.gradient_maps = addresses(prepared->gradient_maps);
    golden.gradient_slots = addresses(prepared->gradient_slots);
    golden.logits = prepared->logits.data_ptr<float>();
    golden.images = images.size(0);
    golden.classes = prepared->logits.size(1);
    golden.rivals = prepared->margins.rivals;
    return prepared;
}

TileMemory native_tile_memory(const NativeNetwork& network, const NativeProgram& plan, NodeId layer,
                              std::int64_t tile_images, bool gradients)
{
    const NodeId input = network.graph.node(layer).inputs[0];
    const auto slot_of = [&](NodeId id) { return network.form(id).slot(); };
    const auto map_of = [&](NodeId id) { return network.form(id).channels * network.form(id).pixels(); };
    std::int64_t floats = map_of(input);
    for (const NodeId id : plan.golden_maps)
        floats += map_of(id);
    for (const NodeId id : plan.golden_slots)
        floats += slot_of(id);
    for (const NodeId id : suffix_starts(network.graph, plan.flow, layer))
        floats += elements(network.graph.node(id).shape);
    std::int64_t transient = floats;
    if (gradients)
    {
        std::int64_t of_gradients = map_of(layer);
        for (const NativeStep& step : plan.steps)
        {
            if (step.checkpoint)
                of_gradients += step.extent == Extent::channel ? map_of(step.node) : slot_of(step.node);
        }
        of_gradients *= rivals_of(network.graph, layer);
        floats += of_gradients;
        // What automatic differentiation keeps of every node, and the gradients before they are laid out
        // anew.
        transient += of_gradients;
        for (const NodeId id : plan.flow.nodes)
            transient += map_of(id);
    }
    else
    {
        transient += live_elements(network.graph, NodeId(0));
    }
    TileMemory memory;
    memory.prepared = static_cast<std::uint64_t>(floats * tile_images) * sizeof(float);
    memory.preparing = static_cast<std::uint64_t>(transient * tile_images) * sizeof(float);
    memory.work = plan.work_bytes();
    return memory;
}

}  // namespace flipstorm
