// Operations of TorchScript that keep the values of a tensor, or some of them, or put others beside them:
// views, copies, paddings, concatenations, what does nothing.

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <set>

#include "engine/network/import/torchscript/torchscript_operations.hpp"

namespace flipstorm::torchscript
{

Abstract slice(GraphBuilder& graph, const Call& call)
{
    const TensorRef input = call.tensor("self");
    const std::int64_t dim = call.dimension("dim", rank(*input));
    const std::int64_t step = call.integer("step");
    std::int64_t start = call.has("start") ? call.integer("start") : 0;
    constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();
    if (dim == 0)
    {
        const auto* batch = call.has("end") ? std::get_if<BatchSize>(&call.at("end")) : nullptr;
        const bool all =
            start == 0 && step == 1 && (!call.has("end") || batch != nullptr || call.integer("end") == kEnd);
        if (!all) call.refuse("it takes some of the images; it must take all");
        return alias(graph, call);
    }
    const std::int64_t size = input->shape[static_cast<std::size_t>(dim - 1)];
    const auto from_front = [size](std::int64_t position) {
        return std::clamp<std::int64_t>(position < 0 ? position + size : position, 0, size);
    };
    start = from_front(start);
    const std::int64_t end = call.has("end") ? from_front(call.integer("end")) : size;
    if (start == 0 && end == size && step == 1) return alias(graph, call);
    TensorRef result =
        graph.add_node(call, "slice", SliceOp{dim - 1, start, end, step}, {graph.node_of(call, input)});
    join_aliases(input, result);
    return result;
}

Abstract pad(GraphBuilder& graph, const Call& call)
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
        return copy(graph, call);
    return graph.add_node(call, "pad", PadOp{zeros[4], zeros[5], zeros[2], zeros[3], zeros[0], zeros[1]},
                          {graph.node_of(call, input)});
}

Abstract concat(GraphBuilder& graph, const Call& call)
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
        inputs.push_back(graph.node_of(call, *tensor));
    }
    if (inputs.size() == 1)
    {
        const TensorRef only = std::get<TensorRef>(elements->front());
        return std::make_shared<Tensor>(Tensor{inputs.front(), only->shape});
    }
    return graph.add_node(call, "concat", ConcatOp{}, std::move(inputs));
}

TensorRef reshaped(GraphBuilder& graph, const Call& call, const TensorRef& tensor, Shape shape)
{
    NodeId node = graph.computed(call, tensor);
    if (shape.size() == 1 && graph.shape(node).size() != 1)
    {
        node = graph.add_node(call, "flatten", FlattenOp{}, {node})->node;
    }
    TensorRef result = std::make_shared<Tensor>(Tensor{node, std::move(shape)});
    join_aliases(tensor, result);
    return result;
}

Abstract flatten(GraphBuilder& graph, const Call& call)
{
    const TensorRef input = call.tensor("self");
    const auto start = static_cast<std::size_t>(call.dimension("start_dim", rank(*input)));
    const auto end = static_cast<std::size_t>(call.dimension("end_dim", rank(*input)));
    call.expect(start >= 1, "start_dim", "it must be 1 or more: images stay apart");
    call.expect(end >= start, "end_dim", "it must not be before start_dim");
    Shape shape(input->shape.begin(), input->shape.begin() + static_cast<std::ptrdiff_t>(start) - 1);
    shape.push_back(1);
    for (std::size_t dim = start; dim <= end; ++dim)
        shape.back() *= input->shape[dim - 1];
    shape.insert(shape.end(), input->shape.begin() + static_cast<std::ptrdiff_t>(end), input->shape.end());
    return reshaped(graph, call, input, std::move(shape));
}

Abstract view(GraphBuilder& graph, const Call& call)
{
    const TensorRef input = call.tensor("self");
    const char* argument = call.kind() == "aten::view" ? "size" : "shape";
    const std::optional<std::vector<Abstract>> sizes = elements_of(call.at(argument));
    const std::string right =
        fmt::format("it must keep the images apart: [the batch size, …] of {} elements for one image",
                    elements(input->shape));
    call.expect(sizes && sizes->size() >= 2, argument, right);
    Shape shape;
    std::optional<std::size_t> open;  // where -1 stands
    std::int64_t given = 1;
    for (std::size_t i = 0; i < sizes->size(); ++i)
    {
        const auto* known = std::get_if<Known>(&(*sizes)[i]);
        const bool batch = std::holds_alternative<BatchSize>((*sizes)[i]);
        call.expect(i == 0 ? batch || known != nullptr : known != nullptr, argument, right);
        const std::int64_t size = batch ? 0 : known->value.toInt();
        if (i == 0)
        {
            call.expect(batch || size == -1, argument,
                        right + "; a number in its place was fixed when the model was traced");
            if (!batch) open = 0;
        }
        else
        {
            call.expect((size > 0 && size <= elements(input->shape) / given) || (size == -1 && !open),
                        argument, right);
            if (size == -1) open = i;
            given *= size == -1 ? 1 : size;
            shape.push_back(size);
        }
    }
    if (open && *open > 0) shape[*open - 1] = elements(input->shape) / given;
    call.expect(elements(shape) == elements(input->shape), argument, right);
    return reshaped(graph, call, input, std::move(shape));
}

Abstract squeeze(GraphBuilder& graph, const Call& call)
{
    const TensorRef input = call.tensor("self");
    std::set<std::int64_t> dims;
    if (call.node().inputs().size() == 1)
    {
        for (std::int64_t dim = 1; dim < rank(*input); ++dim)
            dims.insert(dim);
    }
    else
    {
        for (const std::int64_t dim : call.integers("dim"))
            dims.insert(dim < 0 ? dim + rank(*input) : dim);
        call.expect(*dims.begin() > 0 && *dims.rbegin() < rank(*input), "dim",
                    "it must be a dimension of the image");
    }
    Shape shape;
    for (std::int64_t dim = 1; dim < rank(*input); ++dim)
    {
        const std::int64_t size = input->shape[static_cast<std::size_t>(dim - 1)];
        if (size != 1 || dims.count(dim) == 0) shape.push_back(size);
    }
    if (shape.empty()) call.refuse("nothing of the image would be left");
    return reshaped(graph, call, input, std::move(shape));
}

Abstract unsqueeze(GraphBuilder& graph, const Call& call)
{
    const TensorRef input = call.tensor("self");
    const std::int64_t dim = call.dimension("dim", rank(*input) + 1);
    call.expect(dim > 0, "dim", "it must be a dimension of the image");
    Shape shape = input->shape;
    shape.insert(shape.begin() + dim - 1, 1);
    return reshaped(graph, call, input, std::move(shape));
}

Abstract dropout(GraphBuilder& /*graph*/, const Call& call)
{
    call.expect(!call.flag("train") || call.number("p") == 0, "train",
                "it must be False: call model.eval() before tracing");
    const char* argument = call.node().schema().arguments().front().name() == "input" ? "input" : "self";
    return call.tensor(argument);
}

Abstract alias(GraphBuilder& /*graph*/, const Call& call)
{
    const TensorRef input = call.tensor("self");
    TensorRef result = std::make_shared<Tensor>(*input);
    join_aliases(input, result);
    return result;
}

Abstract copy(GraphBuilder& /*graph*/, const Call& call)
{
    const TensorRef input = call.tensor("self");
    return std::make_shared<Tensor>(Tensor{input->node, input->shape, input->product});
}

Abstract cast(GraphBuilder& graph, const Call& call)
{
    if (call.has("other")) call.refuse("it takes the type of another tensor; only float32 can be imported");
    call.expect(!call.has("dtype") || call.integer("dtype") == static_cast<std::int64_t>(at::kFloat), "dtype",
                "it must be float32");
    return alias(graph, call);
}

}  // namespace flipstorm::torchscript
