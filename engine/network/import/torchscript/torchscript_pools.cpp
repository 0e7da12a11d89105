// Pools and means over height and width.

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "engine/network/import/torchscript/torchscript_operations.hpp"

namespace flipstorm::torchscript
{
namespace
{

const Shape& image_shape(const Call& call, const TensorRef& tensor)
{
    if (tensor->shape.size() != 3)
    {
        call.refuse(fmt::format("its input has shape {} for one image, it needs [C, H, W]", tensor->shape));
    }
    return tensor->shape;
}

TensorRef global_pool(GraphBuilder& graph, const Call& call, NodeId node)
{
    return graph.add_node(call, "avg_pool2d", GlobalAvgPoolOp{}, {node});
}

}  // namespace

Abstract max_pool(GraphBuilder& graph, const Call& call)
{
    const TensorRef input = call.tensor("self");
    call.expect(!call.flag("ceil_mode"), "ceil_mode", "it must be False");
    call.expect(call.square("dilation") == 1, "dilation", "it must be 1");
    MaxPool2dOp op;
    op.kernel = call.square("kernel_size");
    op.stride = call.integers("stride").empty() ? op.kernel : call.square("stride");
    op.padding = call.square("padding");
    return graph.add_node(call, "max_pool2d", op, {graph.node_of(call, input)});
}

Abstract avg_pool(GraphBuilder& graph, const Call& call)
{
    const TensorRef input = call.tensor("self");
    const Shape& shape = image_shape(call, input);
    call.expect(!call.flag("ceil_mode"), "ceil_mode", "it must be False");
    call.expect(!call.has("divisor_override"), "divisor_override", "it must be None");
    const std::int64_t padding = call.square("padding");
    NodeId node = graph.node_of(call, input);
    std::vector<std::int64_t> kernel = call.integers("kernel_size");
    if (kernel.size() == 1) kernel.push_back(kernel.front());
    if (padding == 0 && kernel == std::vector<std::int64_t>{shape[1], shape[2]})
    {
        return global_pool(graph, call, node);
    }
    AvgPool2dOp op;
    op.kernel = call.square("kernel_size");
    op.stride = call.integers("stride").empty() ? op.kernel : call.square("stride");
    if (padding > 0)
    {
        call.expect(call.flag("count_include_pad"), "count_include_pad", "with a padding it must be True");
        node = graph.add_node(call, "pad", PadOp{0, 0, padding, padding, padding, padding}, {node})->node;
    }
    return graph.add_node(call, "avg_pool2d", op, {node});
}

Abstract adaptive_avg_pool(GraphBuilder& graph, const Call& call)
{
    const TensorRef input = call.tensor("self");
    const Shape& shape = image_shape(call, input);
    std::vector<std::int64_t> size = call.integers("output_size");
    if (size.size() == 1) size.push_back(size.front());
    const NodeId node = graph.node_of(call, input);
    if (size == std::vector<std::int64_t>{1, 1}) return global_pool(graph, call, node);
    if (size == std::vector<std::int64_t>{shape[1], shape[2]}) return copy(graph, call);
    // Windows that tile the image are an ordinary pool.
    call.expect(
        size.size() == 2 && size[0] > 0 && size[1] > 0 && shape[1] % size[0] == 0 &&
            shape[2] % size[1] == 0 && shape[1] / size[0] == shape[2] / size[1],
        "output_size",
        fmt::format("it must be 1, or divide the {}×{} of its input into squares", shape[1], shape[2]));
    return graph.add_node(call, "avg_pool2d", AvgPool2dOp{shape[1] / size[0], shape[1] / size[0]}, {node});
}

Abstract mean(GraphBuilder& graph, const Call& call)
{
    const TensorRef input = call.tensor("self");
    if (!call.has("dim")) call.refuse("the mean over everything; it must be over height and width");
    std::vector<std::int64_t> dims = call.integers("dim");
    for (std::int64_t& dim : dims)
        dim = dim < 0 ? dim + rank(*input) : dim;
    std::sort(dims.begin(), dims.end());
    std::vector<std::int64_t> positions(
        static_cast<std::size_t>(std::max<std::int64_t>(rank(*input) - 2, 0)));
    std::iota(positions.begin(), positions.end(), 2);
    // [C, H·W] is an image too.
    const NodeId node = graph.computed(call, input);
    const Shape whole = graph.shape(node);
    const bool image = whole.size() == 3 && input->shape.size() >= 2 && input->shape.front() == whole.front();
    call.expect(image && dims == positions, "dim", "it must be height and width");
    call.expect(!call.has("dtype") || call.integer("dtype") == static_cast<std::int64_t>(at::kFloat), "dtype",
                "it must be float32");
    const TensorRef pooled = global_pool(graph, call, node);
    Shape shape{whole.front()};
    if (call.flag("keepdim")) shape.resize(input->shape.size(), 1);
    return reshaped(graph, call, pooled, shape);
}

}  // namespace flipstorm::torchscript
