#include "engine/network/graph_json.hpp"

#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

using nlohmann::json;
using nlohmann::ordered_json;

/// Calls `write(name, value)` for the fields of an operation that are written.
template<class Write>
struct WrittenFields
{
    const Write& write;

    template<class T>
    void operator()(const char* name, const T& value) const
    {
        write(name, value);
    }
    template<class T, class Fallback>
    void operator()(const char* name, const T& value, Fallback fallback) const
    {
        if (value != static_cast<T>(fallback)) write(name, value);
    }
};

template<class Write>
void for_each_written(const Operation& operation, const Write& write)
{
    std::visit([&](const auto& op) { op.fields(op, WrittenFields<Write>{write}); }, operation);
}

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

/// A value of a JSON object. \throws DataError naming the node
const json& value_at(const json& entry, const std::string& node, const char* key)
{
    const bool there = entry.is_object() && entry.contains(key);
    FS_CHECK(DataError, there, "graph: node '{}' has no valid '{}'", node, key);
    return entry.at(key);
}

std::string text_at(const json& entry, const std::string& node, const char* key)
{
    const json& value = value_at(entry, node, key);
    FS_CHECK(DataError, value.is_string(), "graph: node '{}' has no valid '{}'", node, key);
    return value.get<std::string>();
}

/// Whether it is an integer that fits 64 bits with a sign.
bool is_integer(const json& value)
{
    return value.is_number_integer() &&
           !(value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{INT64_MAX});
}

/// Fills in an operation's fields from a JSON object.
struct ReadFields
{
    const json& entry;
    const std::string& node;

    void operator()(const char* name, std::int64_t& field) const { field = read<std::int64_t>(name); }
    void operator()(const char* name, bool& field) const { field = read<bool>(name); }
    void operator()(const char* name, double& field) const { field = read<double>(name); }
    template<class T, class Fallback>
    void operator()(const char* name, T& field, Fallback fallback) const
    {
        field = static_cast<T>(fallback);
        if (entry.contains(name)) (*this)(name, field);
    }

  private:
    static bool holds(const json& value, std::int64_t /*type*/) { return is_integer(value); }
    static bool holds(const json& value, bool /*type*/) { return value.is_boolean(); }
    static bool holds(const json& value, double /*type*/) { return value.is_number(); }

    template<class T>
    [[nodiscard]] T read(const char* name) const
    {
        const json& value = value_at(entry, node, name);
        FS_CHECK(DataError, holds(value, T{}), "graph: node '{}' has no valid '{}'", node, name);
        return value.get<T>();
    }
};

/// The alternative of that name, from alternative I on.
template<std::size_t I = 0>
Operation read_operation(const json& entry, const std::string& node, const std::string& kind)
{
    if constexpr (I == std::variant_size_v<Operation>)
        throw DataError("graph: node '{}' has the unknown operation '{}'", node, kind);
    else
    {
        using Op = std::variant_alternative_t<I, Operation>;
        if (kind != Op::kName) return read_operation<I + 1>(entry, node, kind);
        Op op;
        Op::fields(op, ReadFields{entry, node});
        return op;
    }
}

Shape read_shape(const json& entry, const std::string& name)
{
    FS_CHECK(DataError, entry.is_object() && entry.contains("shape"), "graph: node '{}' has no 'shape'",
             name);
    FS_CHECK(DataError, entry.at("shape").is_array(), "graph: node '{}' has a bad 'shape'", name);
    Shape shape;
    for (const json& size : entry.at("shape"))
    {
        FS_CHECK(DataError, is_integer(size) && size.get<std::int64_t>() > 0,
                 "graph: node '{}' has a bad 'shape'", name);
        shape.push_back(size.get<std::int64_t>());
    }
    return shape;
}

/// Deep nesting is no graph, and costs memory.
void check_nesting(const std::string& text)
{
    constexpr int kDeepest = 16;  // a graph is an array of objects of arrays
    int depth = 0;
    bool in_text = false;
    for (std::size_t i = 0; i < text.size(); ++i)
    {
        const char c = text[i];
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

json parse(const std::string& text)
{
    try
    {
        return json::parse(text);
    }
    catch (const json::exception& error)  // numbers beyond a double are none of parse_error
    {
        throw DataError("graph: no valid JSON: {}", error.what());
    }
}

}  // namespace

std::string to_json(const Graph& graph)
{
    std::string text = "[\n";
    for (std::size_t i = 0; i < graph.nodes().size(); ++i)
    {
        const Node& node = graph.nodes()[i];
        ordered_json entry{{"name", node.name}, {"op", name_of(node.operation)}};
        for_each_written(node.operation, [&](const char* name, const auto& value) { entry[name] = value; });
        entry["inputs"] = ordered_json::array();
        for (const NodeId input : node.inputs)
            entry["inputs"].push_back(graph.node(input).name);
        entry["shape"] = node.shape;
        const bool last = i + 1 == graph.nodes().size();
        text += "  " + entry.dump() + (last ? "\n" : ",\n");
    }
    return text + "]\n";
}

std::string canonical_text(const Graph& graph)
{
    std::string text = "[\n";
    for (std::size_t i = 0; i < graph.nodes().size(); ++i)
    {
        const Node& node = graph.nodes()[i];
        std::string fields;
        for_each_written(node.operation, [&](const char* name, const auto& value) {
            fields += fmt::format(R"(, "{}": {})", name, value);
        });
        std::string inputs;
        for (const NodeId input : node.inputs)
            inputs += (inputs.empty() ? "" : ", ") + quoted(graph.node(input).name);
        std::string shape;
        for (const std::int64_t size : node.shape)
            shape += fmt::format("{}{}", shape.empty() ? "" : ", ", size);
        text += fmt::format("  {{\"name\": {}, \"op\": \"{}\"{}, \"inputs\": [{}], \"shape\": [{}]}}{}\n",
                            quoted(node.name), name_of(node.operation), fields, inputs, shape,
                            i + 1 < graph.nodes().size() ? "," : "");
    }
    return text + "]\n";
}

Graph graph_from_json(const std::string& text)
{
    constexpr std::size_t kMostNodes = 16384;
    check_nesting(text);
    const json entries = parse(text);
    FS_CHECK(DataError, entries.is_array() && !entries.empty(), "graph: no nodes");
    FS_CHECK(DataError, entries.size() <= kMostNodes, "graph: {} nodes; at most {} are possible",
             entries.size(), kMostNodes);
    FS_CHECK(DataError, text_at(entries.front(), "0", "op") == InputOp::kName,
             "graph: the first node is not the input");
    Graph graph(read_shape(entries.front(), "input"));
    std::unordered_map<std::string, NodeId> known{{graph.nodes().front().name, NodeId(0)}};
    for (std::size_t i = 1; i < entries.size(); ++i)
    {
        const json& entry = entries[i];
        const std::string name = text_at(entry, std::to_string(i), "name");
        FS_CHECK(DataError, entry.contains("inputs"), "graph: node '{}' has no 'inputs'", name);
        FS_CHECK(DataError, entry.at("inputs").is_array(), "graph: node '{}' has bad 'inputs'", name);
        std::vector<NodeId> inputs;
        for (const json& input : entry.at("inputs"))
        {
            FS_CHECK(DataError, input.is_string(), "graph: node '{}' has bad 'inputs'", name);
            const auto found = known.find(input.get<std::string>());
            FS_CHECK(DataError, found != known.end(),
                     "graph: node '{}' reads '{}', which does not come before it", name,
                     input.get<std::string>());
            inputs.push_back(found->second);
        }
        const Operation operation = read_operation(entry, name, text_at(entry, name, "op"));
        const NodeId added = graph.add(name, operation, std::move(inputs));
        known.emplace(name, added);
        FS_CHECK(DataError, graph.node(added).shape == read_shape(entry, name),
                 "graph: the 'shape' of node '{}' is not what its operation gives", name);
    }
    return graph;
}

}  // namespace flipstorm
