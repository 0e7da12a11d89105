// Layers with parameters: convolutions, products with a weight, batch norms.

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "engine/network/import/torchscript/torchscript_operations.hpp"

namespace flipstorm::torchscript
{

Abstract convolution(GraphBuilder& graph, const Call& call)
{
    const TensorRef input = call.tensor("input");
    const Known weight = call.stored("weight");
    const Known bias = call.stored_or_none("bias");
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
    return graph.add_layer(call, "conv2d", op, graph.node_of(call, input),
                           {{".weight", weight}, {".bias", bias}});
}

Abstract linear(GraphBuilder& graph, const Call& call)
{
    const Known weight = call.stored("weight");
    call.expect(!weight.transposed, "weight", "it must be stored as [out, in]");
    const Known bias = call.stored_or_none("bias");
    return graph.add_linear(call, graph.node_of(call, call.tensor("input")), weight, bias);
}

Abstract addmm(GraphBuilder& graph, const Call& call)
{
    Known weight = call.stored("mat2");
    call.expect(weight.transposed, "mat2", "it must be the transpose of a weight stored as [out, in]");
    call.expect(call.number("alpha") == 1, "alpha", "it must be 1");
    call.expect(call.number("beta") == 1, "beta", "it must be 1");
    weight.value = weight.value.toTensor().t();
    return graph.add_linear(call, graph.node_of(call, call.tensor("mat1")), weight, call.stored("self"));
}

Abstract matmul(GraphBuilder& graph, const Call& call)
{
    const char* factor = call.kind() == "aten::mm" ? "mat2" : "other";
    const TensorRef input = call.tensor("self");
    Known weight = call.stored(factor);
    call.expect(weight.transposed, factor, "it must be the transpose of a weight stored as [out, in]");
    weight.value = weight.value.toTensor().t();
    const Shape shape{weight.value.toTensor().size(0)};
    return std::make_shared<Tensor>(
        Tensor{NodeId(-1), shape, Product{graph.node_of(call, input), std::move(weight)}});
}

Abstract batch_norm(GraphBuilder& graph, const Call& call)
{
    const TensorRef input = call.tensor("input");
    call.expect(!call.flag("training"), "training",
                "it must be False: with batch statistics an image's logits depend on the others; call "
                "model.eval() before tracing, and keep track_running_stats");
    const Known mean = call.stored("running_mean");
    const Known var = call.stored("running_var");
    const Known weight = call.stored_or_none("weight");
    const Known bias = call.stored_or_none("bias");
    BatchNormOp op;
    op.channels = mean.value.toTensor().numel();
    op.epsilon = call.number("eps");
    std::vector<GraphBuilder::Part> parts = {
        {".weight", weight, 1}, {".bias", bias, 0}, {".running_mean", mean}, {".running_var", var}};
    return graph.add_layer(call, "batch_norm", op, graph.node_of(call, input), std::move(parts),
                           weight.value.isTensor() ? 0 : 2);
}

}  // namespace flipstorm::torchscript
