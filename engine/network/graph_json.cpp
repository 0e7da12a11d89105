#define BOOST_BIND_GLOBAL_PLACEHOLDERS  // what Boost 1.74 itself still uses in property_tree
#include <boost/property_tree/json_parser.hpp>
#include <boost/property_tree/ptree.hpp>
#include <sstream>

#include "engine/base/error.hpp"
#include "engine/network/graph.hpp"

namespace flipstorm
{
namespace
{

using boost::property_tree::ptree;

std::string quoted(const std::string& text)
{
    std::string out = "\"";
    for (const char c : text)
    {
        if (c == '"' || c == '\\')
        {
            out += '\\';
            out += c;
        }
        else if (static_cast<unsigned char>(c) < 0x20)
        {
            out += fmt::format("\\u{:04x}", static_cast<int>(c));
        }
        else
        {
            out += c;
        }
    }
    return out + '"';
}

/// The operation's name and attributes as JSON members. Digests of models hash this text: an attribute that
/// is added later is written only where it is not its default, so that older models keep theirs.
struct WriteOperation
{
    std::string operator()(const InputOp& /*op*/) const { return R"("op": "input")"; }
    std::string operator()(const Conv2dOp& op) const
    {
        return fmt::format(
            R"("op": "conv2d", "in_channels": {}, "out_channels": {}, "kernel": {}, "stride": {}, )"
            R"("padding": {}, "groups": {}, "bias": {})",
            op.in_channels, op.out_channels, op.kernel, op.stride, op.padding, op.groups, op.bias);
    }
    std::string operator()(const LinearOp& op) const
    {
        return fmt::format(R"("op": "linear", "in_features": {}, "out_features": {}, "bias": {})",
                           op.in_features, op.out_features, op.bias);
    }
    std::string operator()(const BatchNormOp& op) const
    {
        return fmt::format(R"("op": "batch_norm", "channels": {}, "epsilon": {})", op.channels, op.epsilon);
    }
    std::string operator()(const ReluOp& /*op*/) const { return R"("op": "relu")"; }
    std::string operator()(const Relu6Op& /*op*/) const { return R"("op": "relu6")"; }
    std::string operator()(const MaxPool2dOp& op) const
    {
        return fmt::format(R"("op": "max_pool2d", "kernel": {}, "stride": {}{})", op.kernel, op.stride,
                           op.padding == 0 ? "" : fmt::format(R"(, "padding": {})", op.padding));
    }
    std::string operator()(const AvgPool2dOp& op) const
    {
        return fmt::format(R"("op": "avg_pool2d", "kernel": {}, "stride": {})", op.kernel, op.stride);
    }
    std::string operator()(const GlobalAvgPoolOp& /*op*/) const { return R"("op": "global_avg_pool")"; }
    std::string operator()(const AddOp& /*op*/) const { return R"("op": "add")"; }
    std::string operator()(const PadOp& op) const
    {
        return fmt::format(
            R"("op": "pad", "channels_before": {}, "channels_behind": {}, "top": {}, "bottom": {}, )"
            R"("left": {}, "right": {})",
            op.channels_before, op.channels_behind, op.top, op.bottom, op.left, op.right);
    }
    std::string operator()(const SliceOp& op) const
    {
        return fmt::format(R"("op": "slice", "dimension": {}, "start": {}, "end": {}, "step": {})",
                           op.dimension, op.start, op.end, op.step);
    }
    std::string operator()(const ConcatOp& /*op*/) const { return R"("op": "concat")"; }
    std::string operator()(const FlattenOp& /*op*/) const { return R"("op": "flatten")"; }
};

template<class T>
T member(const ptree& tree, const std::string& node, const char* key)
{
    const auto value = tree.get_optional<T>(key);
    FS_CHECK(DataError, value, "graph: node '{}' has no valid '{}'", node, key);
    return *value;
}

Operation read_operation(const ptree& tree, const std::string& node)
{
    const auto integer = [&](const char* key) { return member<std::int64_t>(tree, node, key); };
    const auto kind = member<std::string>(tree, node, "op");
    if (kind == "conv2d")
    {
        return Conv2dOp{integer("in_channels"),
                        integer("out_channels"),
                        integer("kernel"),
                        integer("stride"),
                        integer("padding"),
                        integer("groups"),
                        member<bool>(tree, node, "bias")};
    }
    if (kind == "linear")
    {
        return LinearOp{integer("in_features"), integer("out_features"), member<bool>(tree, node, "bias")};
    }
    if (kind == "batch_norm") return BatchNormOp{integer("channels"), member<double>(tree, node, "epsilon")};
    if (kind == "relu") return ReluOp{};
    if (kind == "relu6") return Relu6Op{};
    if (kind == "max_pool2d")
    {
        const bool padded = tree.find("padding") != tree.not_found();
        return MaxPool2dOp{integer("kernel"), integer("stride"), padded ? integer("padding") : 0};
    }
    if (kind == "avg_pool2d") return AvgPool2dOp{integer("kernel"), integer("stride")};
    if (kind == "global_avg_pool") return GlobalAvgPoolOp{};
    if (kind == "add") return AddOp{};
    if (kind == "pad")
    {
        return PadOp{integer("channels_before"),
                     integer("channels_behind"),
                     integer("top"),
                     integer("bottom"),
                     integer("left"),
                     integer("right")};
    }
    if (kind == "slice")
        return SliceOp{integer("dimension"), integer("start"), integer("end"), integer("step")};
    if (kind == "concat") return ConcatOp{};
    if (kind == "flatten") return FlattenOp{};
    throw DataError("graph: node '{}' has the unknown operation '{}'", node, kind);
}

/// The parser calls itself for each bracket within another: a million of them would end the process.
void check_nesting(const std::string& json)
{
    constexpr int kDeepest = 16;  // a graph is an array of objects of arrays
    int depth = 0;
    bool in_text = false;
    for (std::size_t i = 0; i < json.size(); ++i)
    {
        const char c = json[i];
        if (in_text && c == '\\')
            ++i;
        else if (c == '"')
            in_text = !in_text;
        else if (!in_text && (c == '[' || c == '{'))
            ++depth;
        else if (!in_text && (c == ']' || c == '}'))
            --depth;
        FS_CHECK(DataError, depth <= kDeepest, "graph: no valid JSON: brackets are nested more than {} deep",
                 kDeepest);
    }
}

}  // namespace

std::string to_json(const Graph& graph)
{
    std::string text = "[\n";
    for (std::size_t i = 0; i < graph.nodes().size(); ++i)
    {
        const Node& node = graph.nodes()[i];
        std::string inputs;
        for (const NodeId input : node.inputs)
        {
            inputs += (inputs.empty() ? "" : ", ") + quoted(graph.node(input).name);
        }
        std::string shape;
        for (const std::int64_t size : node.shape)
            shape += fmt::format("{}{}", shape.empty() ? "" : ", ", size);
        text += fmt::format("  {{\"name\": {}, {}, \"inputs\": [{}], \"shape\": [{}]}}{}\n",
                            quoted(node.name), std::visit(WriteOperation{}, node.operation), inputs, shape,
                            i + 1 < graph.nodes().size() ? "," : "");
    }
    return text + "]\n";
}

Graph graph_from_json(const std::string& json)
{
    constexpr std::size_t kMostNodes = 16384;
    check_nesting(json);
    ptree tree;
    try
    {
        std::istringstream stream(json);
        boost::property_tree::read_json(stream, tree);
    }
    catch (const boost::property_tree::json_parser_error& error)
    {
        throw DataError("graph: no valid JSON, line {}: {}", error.line(), error.message());
    }
    FS_CHECK(DataError, !tree.empty(), "graph: no nodes");
    FS_CHECK(DataError, tree.size() <= kMostNodes, "graph: {} nodes; at most {} are possible", tree.size(),
             kMostNodes);
    const auto read_shape = [](const ptree& entry, const std::string& name) {
        Shape shape;
        const auto list = entry.get_child_optional("shape");
        FS_CHECK(DataError, list, "graph: node '{}' has no 'shape'", name);
        for (const auto& [unused, size] : *list)
        {
            const auto value = size.get_value_optional<std::int64_t>();
            FS_CHECK(DataError, value && *value > 0, "graph: node '{}' has a bad 'shape'", name);
            shape.push_back(*value);
        }
        return shape;
    };
    const ptree& first = tree.front().second;
    FS_CHECK(DataError, member<std::string>(first, "0", "op") == "input",
             "graph: the first node is not the input");
    Graph graph(read_shape(first, "input"));
    for (auto entry = std::next(tree.begin()); entry != tree.end(); ++entry)
    {
        const auto name = member<std::string>(entry->second, std::to_string(graph.nodes().size()), "name");
        std::vector<NodeId> inputs;
        const auto list = entry->second.get_child_optional("inputs");
        FS_CHECK(DataError, list, "graph: node '{}' has no 'inputs'", name);
        for (const auto& [unused, input] : *list)
        {
            const auto wanted = input.get_value<std::string>();
            NodeId found(-1);
            for (std::size_t i = 0; i < graph.nodes().size(); ++i)
            {
                if (graph.nodes()[i].name == wanted) found = NodeId(static_cast<std::int32_t>(i));
            }
            FS_CHECK(DataError, found.value() >= 0,
                     "graph: node '{}' reads '{}', which does not come before it", name, wanted);
            inputs.push_back(found);
        }
        const NodeId added = graph.add(name, read_operation(entry->second, name), std::move(inputs));
        FS_CHECK(DataError, graph.node(added).shape == read_shape(entry->second, name),
                 "graph: the 'shape' of node '{}' is not what its operation gives", name);
    }
    return graph;
}

}  // namespace flipstorm
