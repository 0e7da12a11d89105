#include "engine/network/torchscript_layers.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <numeric>

namespace flipstorm::torchscript
{
namespace
{

/// Share memory between two tensors.
void join_aliases(const TensorRef& one, const TensorRef& other)
{
    if (!one->aliases) one->aliases = std::make_shared<Aliases>(Aliases{one});
    other->aliases = one->aliases;
    other->aliases->push_back(other);
}

/// Give a tensor a new value in place.
void overwrite(const Call& call, Tensor& target, const Tensor& value)
{
    if (target.aliases)
    {
        for (const std::weak_ptr<Tensor>& alias : *target.aliases)
        {
            const TensorRef other = alias.lock();
            if (other && other.get() != &target) other->overwritten = call.kind();
        }
    }
    target.node = value.node;
    target.shape = value.shape;
    target.product = value.product;
}

/// "conv1" of "conv1.weight"; the name itself if it has another suffix, nothing if it has no module.
std::string module_of(const std::string& parameter, const std::string& suffix)
{
    if ("." + parameter == suffix) return "";
    const bool ends_so = parameter.size() > suffix.size() &&
                         parameter.compare(parameter.size() - suffix.size(), suffix.size(), suffix) == 0;
    return ends_so ? parameter.substr(0, parameter.size() - suffix.size()) : parameter;
}

std::int64_t rank(const Tensor& tensor)
{
    return static_cast<std::int64_t>(tensor.shape.size()) + 1;
}

}  // namespace

LayerBuilder::LayerBuilder(const Shape& input_shape, std::set<std::string> reserved)
    : graph_(input_shape),
      input_(std::make_shared<Tensor>(Tensor{graph_.output(), input_shape})),
      reserved_(std::move(reserved))
{}

const std::map<std::string, LayerBuilder::Handler>& LayerBuilder::handlers()
{
    static const std::map<std::string, Handler> table = {
        {"aten::conv2d", &LayerBuilder::convolution},
        {"aten::_convolution", &LayerBuilder::convolution},
        {"aten::convolution", &LayerBuilder::convolution},
        {"aten::linear", &LayerBuilder::linear},
        {"aten::addmm", &LayerBuilder::addmm},
        {"aten::matmul", &LayerBuilder::matmul},
        {"aten::mm", &LayerBuilder::matmul},
        {"aten::batch_norm", &LayerBuilder::batch_norm},
        {"aten::relu", &LayerBuilder::relu},
        {"aten::relu6", &LayerBuilder::relu6},
        {"aten::clamp", &LayerBuilder::clamp},
        {"aten::clamp_min", &LayerBuilder::clamp},
        {"aten::hardtanh", &LayerBuilder::hardtanh},
        {"aten::max_pool2d", &LayerBuilder::max_pool},
        {"aten::avg_pool2d", &LayerBuilder::avg_pool},
        {"aten::adaptive_avg_pool2d", &LayerBuilder::adaptive_avg_pool},
        {"aten::mean", &LayerBuilder::mean},
        {"aten::add", &LayerBuilder::add},
        {"aten::pad", &LayerBuilder::pad},
        {"aten::constant_pad_nd", &LayerBuilder::pad},
        {"aten::slice", &LayerBuilder::slice},
        {"aten::cat", &LayerBuilder::concat},
        {"aten::concat", &LayerBuilder::concat},
        {"aten::flatten", &LayerBuilder::flatten},
        {"aten::view", &LayerBuilder::view},
        {"aten::reshape", &LayerBuilder::view},
        {"aten::squeeze", &LayerBuilder::squeeze},
        {"aten::unsqueeze", &LayerBuilder::unsqueeze},
        {"aten::dropout", &LayerBuilder::dropout},
        {"aten::feature_dropout", &LayerBuilder::dropout},
        {"aten::alpha_dropout", &LayerBuilder::dropout},
        {"aten::feature_alpha_dropout", &LayerBuilder::dropout},
        {"aten::contiguous", &LayerBuilder::alias},
        {"aten::detach", &LayerBuilder::alias},
        {"aten::alias", &LayerBuilder::alias},
        {"aten::clone", &LayerBuilder::copy},
        {"aten::to", &LayerBuilder::cast},
    };
    return table;
}

std::optional<Abstract> LayerBuilder::apply(const Call& call)
{
    std::string kind = call.kind();
    const bool in_place = kind.size() > 1 && kind.back() == '_';
    if (in_place) kind.pop_back();
    const auto found = handlers().find(kind);
    if (found == handlers().end()) return {};
    Abstract result = (this->*found->second)(call);
    if (!in_place) return result;
    const auto* target = std::get_if<TensorRef>(&call.arguments().front());
    if (target == nullptr) call.refuse("it changes a tensor that is not a value of the network");
    const TensorRef value = std::get<TensorRef>(result);
    if (value != *target) overwrite(call, **target, *value);
    return *target;
}

ImportedNetwork LayerBuilder::finish(NodeId output) const
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
        Parameter parameter{spec.name, spec.shape, {}};
        if (part->value.value.isTensor())
        {
            const at::Tensor tensor = part->value.value.toTensor().contiguous();
            parameter.shape = tensor.sizes().vec();
            const float* values = tensor.data_ptr<float>();
            parameter.values.assign(values, values + tensor.numel());
        }
        else
        {
            parameter.values.assign(static_cast<std::size_t>(elements(spec.shape)), part->fill);
        }
        if (part->value.name != spec.name) result.renamed.emplace_back(part->value.name, spec.name);
        network.parameters.push_back(std::move(parameter));
    }
    return result;
}

// --- Layers with parameters
// -----------------------------------------------------------------------------------

Known LayerBuilder::stored(const Call& call, const char* argument) const
{
    const Known& value = call.known(argument);
    call.expect(value.value.isTensor() && value.value.toTensor().defined(), argument,
                "it must be a stored tensor");
    const at::Tensor& tensor = value.value.toTensor();
    call.expect(value.origin != Origin::computed, argument,
                "it is computed when the network runs, but faults strike stored values");
    if (tensor.layout() != at::kStrided || tensor.scalar_type() != at::kFloat)
    {
        call.refuse(
            fmt::format("{} = {} has type {}; only float32 can be imported: save the model after "
                        ".float()",
                        argument, to_text(value), at::toString(tensor.scalar_type())));
    }
    return value;
}

Known LayerBuilder::stored_or_none(const Call& call, const char* argument) const
{
    return call.has(argument) ? stored(call, argument) : Known{};
}

TensorRef LayerBuilder::add_layer(const Call& call, const char* word, Operation operation, NodeId input,
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
    if (call.kind() != "aten::conv2d")
    {
        call.expect(!call.flag("transposed"), "transposed", "only ordinary convolutions can be imported");
    }
    if (shape[2] != shape[3])
    {
        call.refuse(
            fmt::format("kernel_size = [{}, {}], height and width must have the same", shape[2], shape[3]));
    }
    call.expect(call.square("dilation") == 1, "dilation", "it must be 1");
    Conv2dOp op;
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
        op.padding = text == "same" ? op.kernel / 2 : 0;
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

// --- Nodes without parameters
// ---------------------------------------------------------------------------------

Abstract LayerBuilder::relu(const Call& call)
{
    return add_node(call, "relu", ReluOp{}, {node_of(call, call.tensor("self"))});
}

Abstract LayerBuilder::relu6(const Call& call)
{
    return add_node(call, "relu6", Relu6Op{}, {node_of(call, call.tensor("self"))});
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

Abstract LayerBuilder::slice(const Call& call)
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
        return alias(call);
    }
    const std::int64_t size = input->shape[static_cast<std::size_t>(dim - 1)];
    const auto from_front = [size](std::int64_t position) {
        return std::clamp<std::int64_t>(position < 0 ? position + size : position, 0, size);
    };
    start = from_front(start);
    const std::int64_t end = call.has("end") ? from_front(call.integer("end")) : size;
    if (start == 0 && end == size && step == 1) return alias(call);
    TensorRef result = add_node(call, "slice", SliceOp{dim - 1, start, end, step}, {node_of(call, input)});
    join_aliases(input, result);
    return result;
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

// --- The same values in another shape
// -------------------------------------------------------------------------

TensorRef LayerBuilder::reshaped(const Call& call, const TensorRef& tensor, Shape shape)
{
    NodeId node = computed(call, tensor);
    if (shape.size() == 1 && graph_.node(node).shape.size() != 1)
    {
        node = add_node(call, "flatten", FlattenOp{}, {node})->node;
    }
    TensorRef result = std::make_shared<Tensor>(Tensor{node, std::move(shape)});
    join_aliases(tensor, result);
    return result;
}

Abstract LayerBuilder::flatten(const Call& call)
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
    return reshaped(call, input, std::move(shape));
}

Abstract LayerBuilder::view(const Call& call)
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
    return reshaped(call, input, std::move(shape));
}

Abstract LayerBuilder::squeeze(const Call& call)
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
    return reshaped(call, input, std::move(shape));
}

Abstract LayerBuilder::unsqueeze(const Call& call)
{
    const TensorRef input = call.tensor("self");
    const std::int64_t dim = call.dimension("dim", rank(*input) + 1);
    call.expect(dim > 0, "dim", "it must be a dimension of the image");
    Shape shape = input->shape;
    shape.insert(shape.begin() + dim - 1, 1);
    return reshaped(call, input, std::move(shape));
}

Abstract LayerBuilder::dropout(const Call& call)
{
    call.expect(!call.flag("train") || call.number("p") == 0, "train",
                "it must be False: call model.eval() before tracing");
    const char* argument = call.node().schema().arguments().front().name() == "input" ? "input" : "self";
    return call.tensor(argument);
}

Abstract LayerBuilder::alias(const Call& call)
{
    const TensorRef input = call.tensor("self");
    TensorRef result = std::make_shared<Tensor>(*input);
    join_aliases(input, result);
    return result;
}

Abstract LayerBuilder::copy(const Call& call)
{
    const TensorRef input = call.tensor("self");
    return std::make_shared<Tensor>(Tensor{input->node, input->shape, input->product});
}

Abstract LayerBuilder::cast(const Call& call)
{
    if (call.has("other")) call.refuse("it takes the type of another tensor; only float32 can be imported");
    call.expect(!call.has("dtype") || call.integer("dtype") == static_cast<std::int64_t>(at::kFloat), "dtype",
                "it must be float32");
    return alias(call);
}

// --- Nodes and their names
// ------------------------------------------------------------------------------------

NodeId LayerBuilder::computed(const Call& call, const TensorRef& tensor)
{
    if (tensor->product)
    {
        const Product product = *tensor->product;
        tensor->node = add_linear(call, product.input, product.weight, Known{})->node;
        tensor->product.reset();
    }
    return tensor->node;
}

NodeId LayerBuilder::node_of(const Call& call, const TensorRef& tensor)
{
    const NodeId node = computed(call, tensor);
    if (graph_.node(node).shape != tensor->shape)
    {
        call.refuse(fmt::format("its input has shape {} for one image, made of {}; it must be that, or flat",
                                tensor->shape, graph_.node(node).shape));
    }
    return node;
}

std::string LayerBuilder::unique_name(const Call& call, const char* word) const
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

TensorRef LayerBuilder::add_node(const Call& call, const char* word, Operation operation,
                                 std::vector<NodeId> inputs)
{
    return add_to_graph(call, unique_name(call, word), operation, std::move(inputs));
}

TensorRef LayerBuilder::add_to_graph(const Call& call, const std::string& name, Operation operation,
                                     std::vector<NodeId> inputs)
{
    try
    {
        const NodeId id = graph_.add(name, operation, std::move(inputs));
        return std::make_shared<Tensor>(Tensor{id, graph_.node(id).shape});
    }
    catch (const DataError& error)
    {
        call.refuse(error.what());
    }
}

}  // namespace flipstorm::torchscript
