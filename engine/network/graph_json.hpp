#pragma once
// The graph as text: JSON for files, and its fields in one fixed spelling for digests.

#include <string>

#include "engine/network/graph.hpp"

namespace flipstorm
{

/// The graph as JSON, an array of nodes; see hdf5_schema/SCHEMA.md.
[[nodiscard]] std::string to_json(const Graph& graph);

/// Graph from its JSON, whoever wrote it. \throws DataError naming the node and what is wrong with it.
[[nodiscard]] Graph graph_from_json(const std::string& json);

/// All fields of all nodes, as digests of models hash them: never to be changed. A field that was added later
/// is there only where it is not its default.
[[nodiscard]] std::string canonical_text(const Graph& graph);

}  // namespace flipstorm
