// The layers that the graph has, from the operations of TorchScript that compute them.

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "engine/network/import/torchscript/torchscript_layers.hpp"

namespace flipstorm::torchscript
{

Abstract LayerBuilder::convolution(const Call& call)
{
    const TensorRef input = call.tensor("input");
    const Known weight = stored(call, "weight");
    const Known bias = stored_or_none(call, "bias");
    const std::vector<std::int64_t> shape = weight.value.toTensor().sizes().vec();
    if (shape.size() != 4 || weight.transposed)
    {
        call.refuse(fmt::format("a weight of shape {}; only 2-D convolutions can be imported", shape));
    }
    if (call.kind() == "aten::_convolution" || call.kind() == "aten::convolution")
    {
        call.expect(!call.flag("transposed"), "transposed", "only ordinary convolutions can be imported");
    }
    if (shape[2] != shape[3])
    {
        call.refuse(
            fmt::format("kernel_size = [{}, {}], height and width must have the same", shape[2], shape[3]));
    }
    Conv2dOp op;
    op.dilation = call.square("dilation");
    op.groups = call.integer("groups");
    op.in_channels = shape[1] * op.groups;
    op.out_channels = shape[0];
    op.kernel = shape[2];
    op.stride = call.square("stride");
    op.bias = bias.value.isTensor();
    const auto* padding = std::get_if<Known>(&call.at("padding"));
    if (padding != nullptr && padding->value.isString())
    {
        const std::string text = call.text("padding");
        call.expect(text == "valid" || (text == "same" && op.kernel % 2 == 1), "padding",
                    "it must be numbers, 'valid', or 'same' with an odd kernel");
        op.padding = text == "same" ? op.kernel / 2 * op.dilation : 0;
    }
    else
    {
        op.padding = call.square("padding");
    }
    return add_layer(call, "conv2d", op, node_of(call, input), {{".weight", weight}, {".bias", bias}});
}

TensorRef LayerBuilder::add_linear(const Call& call, NodeId input, const Known& weight, const Known& bias)
{
    const std::vector<std::int64_t> shape = weight.value.toTensor().sizes().vec();
    if (shape.size() != 2) call.refuse(fmt::format("a weight of shape {}, it must be [out, in]", shape));
    LinearOp op;
    op.in_features = shape[1];
    op.out_features = shape[0];
    op.bias = bias.value.isTensor();
    return add_layer(call, "linear", op, input, {{".weight", weight}, {".bias", bias}});
}

Abstract LayerBuilder::linear(const Call& call)
{
    const Known weight = stored(call, "weight");
    call.expect(!weight.transposed, "weight", "it must be stored as [out, in]");
    const Known bias = stored_or_none(call, "bias");
    return add_linear(call, node_of(call, call.tensor("input")), weight, bias);
}

Abstract LayerBuilder::addmm(const Call& call)
{
    Known weight = stored(call, "mat2");
    call.expect(weight.transposed, "mat2", "it must be the transpose of a weight stored as [out, in]");
    call.expect(call.number("alpha") == 1, "alpha", "it must be 1");
    call.expect(call.number("beta") == 1, "beta", "it must be 1");
    weight.value = weight.value.toTensor().t();
    return add_linear(call, node_of(call, call.tensor("mat1")), weight, stored(call, "self"));
}

Abstract LayerBuilder::matmul(const Call& call)
{
    const char* factor = call.kind() == "aten::mm" ? "mat2" : "other";
    const TensorRef input = call.tensor("self");
    Known weight = stored(call, factor);
    call.expect(weight.transposed, factor, "it must be the transpose of a weight stored as [out, in]");
    weight.value = weight.value.toTensor().t();
    const Shape shape{weight.value.toTensor().size(0)};
    return std::make_shared<Tensor>(
        Tensor{NodeId(-1), shape, Product{node_of(call, input), std::move(weight)}});
}

Abstract LayerBuilder::batch_norm(const Call& call)
{
    const TensorRef input = call.tensor("input");
    call.expect(!call.flag("training"), "training",
                "it must be False: with batch statistics an image's logits depend on the others; call "
                "model.eval() before tracing, and keep track_running_stats");
    const Known mean = stored(call, "running_mean");
    const Known var = stored(call, "running_var");
    const Known weight = stored_or_none(call, "weight");
    const Known bias = stored_or_none(call, "bias");
    BatchNormOp op;
    op.channels = mean.value.toTensor().numel();
    op.epsilon = call.number("eps");
    std::vector<Part> parts = {
        {".weight", weight, 1}, {".bias", bias, 0}, {".running_mean", mean}, {".running_var", var}};
    return add_layer(call, "batch_norm", op, node_of(call, input), std::move(parts),
                     weight.value.isTensor() ? 0 : 2);
}

Abstract LayerBuilder::add(const Call& call)
{
    call.expect(call.number("alpha") == 1, "alpha", "it must be 1");
    const auto* left = std::get_if<TensorRef>(&call.at("self"));
    const auto* right = std::get_if<TensorRef>(&call.at("other"));
    if (left != nullptr && right != nullptr)
    {
        const NodeId a = node_of(call, call.tensor("self"));
        const NodeId b = node_of(call, call.tensor("other"));
        return add_node(call, "add", AddOp{}, {a, b});
    }
    // The bias of a product that was written by hand.
    const char* constant = left == nullptr ? "self" : "other";
    const TensorRef tensor = call.tensor(left == nullptr ? "other" : "self");
    call.expect(tensor->product.has_value(), constant, "only two values of the network can be added");
    return add_linear(call, tensor->product->input, tensor->product->weight, stored(call, constant));
}

Abstract LayerBuilder::relu(const Call& call)
{
    return add_node(call, "relu", ReluOp{}, {node_of(call, call.tensor("self"))});
}

Abstract LayerBuilder::relu6(const Call& call)
{
    return add_node(call, "relu6", Relu6Op{}, {node_of(call, call.tensor("self"))});
}

Abstract LayerBuilder::sigmoid(const Call& call)
{
    return add_node(call, "sigmoid", SigmoidOp{}, {node_of(call, call.tensor("self"))});
}

Abstract LayerBuilder::silu(const Call& call)
{
    return add_node(call, "silu", SiluOp{}, {node_of(call, call.tensor("self"))});
}

Abstract LayerBuilder::multiply(const Call& call)
{
    const NodeId a = node_of(call, call.tensor("self"));
    const NodeId b = node_of(call, call.tensor("other"));
    return add_node(call, "multiply", MulOp{}, {a, b});
}

Abstract LayerBuilder::clamp(const Call& call)
{
    call.expect(call.has("min") && call.number("min") == 0, "min", "it must be 0");
    if (call.kind().find("clamp_min") != std::string::npos || !call.has("max")) return relu(call);
    call.expect(call.number("max") == 6, "max", "it must be 6, or there must be none");
    return relu6(call);
}

Abstract LayerBuilder::hardtanh(const Call& call)
{
    call.expect(call.number("min_val") == 0, "min_val", "it must be 0");
    call.expect(call.number("max_val") == 6, "max_val", "it must be 6");
    return relu6(call);
}

const Shape& LayerBuilder::image_shape(const Call& call, const TensorRef& tensor) const
{
    if (tensor->shape.size() != 3)
    {
        call.refuse(fmt::format("its input has shape {} for one image, it needs [C, H, W]", tensor->shape));
    }
    return tensor->shape;
}

Abstract LayerBuilder::max_pool(const Call& call)
{
    const TensorRef input = call.tensor("self");
    call.expect(!call.flag("ceil_mode"), "ceil_mode", "it must be False");
    call.expect(call.square("dilation") == 1, "dilation", "it must be 1");
    MaxPool2dOp op;
    op.kernel = call.square("kernel_size");
    op.stride = call.integers("stride").empty() ? op.kernel : call.square("stride");
    op.padding = call.square("padding");
    return add_node(call, "max_pool2d", op, {node_of(call, input)});
}

TensorRef LayerBuilder::global_pool(const Call& call, NodeId node)
{
    return add_node(call, "avg_pool2d", GlobalAvgPoolOp{}, {node});
}

Abstract LayerBuilder::avg_pool(const Call& call)
{
    const TensorRef input = call.tensor("self");
    const Shape& shape = image_shape(call, input);
    call.expect(!call.flag("ceil_mode"), "ceil_mode", "it must be False");
    call.expect(!call.has("divisor_override"), "divisor_override", "it must be None");
    const std::int64_t padding = call.square("padding");
    NodeId node = node_of(call, input);
    std::vector<std::int64_t> kernel = call.integers("kernel_size");
    if (kernel.size() == 1) kernel.push_back(kernel.front());
    if (padding == 0 && kernel == std::vector<std::int64_t>{shape[1], shape[2]})
    {
        return global_pool(call, node);
    }
    AvgPool2dOp op;
    op.kernel = call.square("kernel_size");
    op.stride = call.integers("stride").empty() ? op.kernel : call.square("stride");
    if (padding > 0)
    {
        call.expect(call.flag("count_include_pad"), "count_include_pad", "with a padding it must be True");
        node = add_node(call, "pad", PadOp{0, 0, padding, padding, padding, padding}, {node})->node;
    }
    return add_node(call, "avg_pool2d", op, {node});
}

Abstract LayerBuilder::adaptive_avg_pool(const Call& call)
{
    const TensorRef input = call.tensor("self");
    const Shape& shape = image_shape(call, input);
    std::vector<std::int64_t> size = call.integers("output_size");
    if (size.size() == 1) size.push_back(size.front());
    const NodeId node = node_of(call, input);
    if (size == std::vector<std::int64_t>{1, 1}) return global_pool(call, node);
    if (size == std::vector<std::int64_t>{shape[1], shape[2]}) return copy(call);
    // Windows that tile the image are an ordinary pool.
    call.expect(
        size.size() == 2 && size[0] > 0 && size[1] > 0 && shape[1] % size[0] == 0 &&
            shape[2] % size[1] == 0 && shape[1] / size[0] == shape[2] / size[1],
        "output_size",
        fmt::format("it must be 1, or divide the {}×{} of its input into squares", shape[1], shape[2]));
    return add_node(call, "avg_pool2d", AvgPool2dOp{shape[1] / size[0], shape[1] / size[0]}, {node});
}

Abstract LayerBuilder::mean(const Call& call)
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
    const NodeId node = computed(call, input);
    const Shape whole = graph_.node(node).shape;
    const bool image = whole.size() == 3 && input->shape.size() >= 2 && input->shape.front() == whole.front();
    call.expect(image && dims == positions, "dim", "it must be height and width");
    call.expect(!call.has("dtype") || call.integer("dtype") == static_cast<std::int64_t>(at::kFloat), "dtype",
                "it must be float32");
    const TensorRef pooled = global_pool(call, node);
    Shape shape{whole.front()};
    if (call.flag("keepdim")) shape.resize(input->shape.size(), 1);
    return reshaped(call, pooled, shape);
}

Abstract LayerBuilder::pad(const Call& call)
{
    const TensorRef input = call.tensor("self");
    if (call.kind() == "aten::pad")
    {
        call.expect(call.text("mode") == "constant", "mode", "it must be 'constant'");
    }
    call.expect(!call.has("value") || call.number("value") == 0, "value", "it must be 0");
    // Pairs from the last dimension on.
    std::vector<std::int64_t> zeros = call.integers("pad");
    call.expect(zeros.size() % 2 == 0 && zeros.size() <= 8, "pad", "it must be pairs, of up to 4 dimensions");
    zeros.resize(8, 0);
    call.expect(zeros[6] == 0 && zeros[7] == 0, "pad", "no images can be added");
    if (std::all_of(zeros.begin(), zeros.end(), [](std::int64_t count) { return count == 0; }))
        return copy(call);
    return add_node(call, "pad", PadOp{zeros[4], zeros[5], zeros[2], zeros[3], zeros[0], zeros[1]},
                    {node_of(call, input)});
}

Abstract LayerBuilder::concat(const Call& call)
{
    const std::optional<std::vector<Abstract>> elements = elements_of(call.at("tensors"));
    call.expect(elements && !elements->empty(), "tensors", "it must be a list of values of the network");
    std::vector<NodeId> inputs;
    for (const Abstract& element : *elements)
    {
        const auto* tensor = std::get_if<TensorRef>(&element);
        call.expect(tensor != nullptr && (*tensor)->overwritten.empty(), "tensors",
                    "all must be values of the network that were not changed in place since");
        call.expect(call.dimension("dim", rank(**tensor)) == 1, "dim", "it must be the channels, 1");
        inputs.push_back(node_of(call, *tensor));
    }
    if (inputs.size() == 1)
    {
        const TensorRef only = std::get<TensorRef>(elements->front());
        return std::make_shared<Tensor>(Tensor{inputs.front(), only->shape});
    }
    return add_node(call, "concat", ConcatOp{}, std::move(inputs));
}

}  // namespace flipstorm::torchscript
