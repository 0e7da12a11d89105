#pragma once
// What a node's value is, behind the shapes: a flattened map still is a map.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/network/graph.hpp"

namespace flipstorm
{

/// A value of one image: a flattened value keeps the form of what was flattened, a neuron is one pixel.
struct ValueForm
{
    std::int64_t channels = 0;
    std::int64_t height = 1;
    std::int64_t width = 1;

    [[nodiscard]] std::int64_t pixels() const { return height * width; }
};

/// By node: the form of its value.
[[nodiscard]] std::vector<ValueForm> value_forms(const Graph& graph);

/// Why a change of one channel does not always stay one channel of a map where a value is flattened; empty if
/// it does.
[[nodiscard]] std::string flat_obstacle(const Graph& graph);

}  // namespace flipstorm
