#pragma once
// The network as the native kernels want it: values with channels innermost, weights packed for the register
// blocks of the instruction set.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "engine/evaluate/kernels.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/// A value of one image: a flattened value keeps the form of what was flattened, a neuron is one pixel.
struct ValueForm
{
    std::int64_t channels = 0;
    std::int64_t height = 1;
    std::int64_t width = 1;

    [[nodiscard]] std::int64_t pixels() const { return height * width; }
    /// Floats of a slot: [pixels][padded channels].
    [[nodiscard]] std::int64_t slot() const { return pixels() * padded(channels); }
    /// Floats of a map: [pixels], padded to whole vectors.
    [[nodiscard]] std::int64_t map() const { return padded(pixels()); }
};

/// Outputs of a convolution or linear layer that are computed side by side.
struct WeightBlock
{
    std::int64_t first_output = 0;  ///< channel
    std::int64_t vectors = 0;
    std::int64_t group = 0;
    std::int64_t outputs = 0;  ///< real channels; the rest of the vectors is padding
    std::size_t offset = 0;    ///< into the packed weights
};

/// A convolution or linear layer: [block][tap][input channel of the group][vectors·16].
struct PackedLayer
{
    std::vector<float> weights;
    std::vector<WeightBlock> blocks;
    std::int64_t taps = 0;
    std::int64_t group_inputs = 0;
    std::int64_t group_outputs = 0;
    std::int64_t groups = 1;
    bool whole_vectors = true;  ///< every block's vectors lie within its own group's outputs or the padding
};

/// Where a convolution's kernels read: over an input padded by a frame of zeros.
struct ConvGeometry
{
    std::int64_t framed_height = 0;
    std::int64_t framed_width = 0;
    std::int64_t frame = 0;                  ///< width of the frame of zeros
    std::vector<std::ptrdiff_t> taps_slot;   ///< offsets of the taps in a framed slot
    std::vector<std::ptrdiff_t> taps_map;    ///< the same in a framed map
    std::vector<std::ptrdiff_t> quads_slot;  ///< offset of every fourth output pixel's input
    std::vector<std::ptrdiff_t> quads_map;
    std::int64_t pixels_per_call = 0;   ///< a whole plane, or a row where rows are not whole quads
    std::ptrdiff_t call_step_slot = 0;  ///< floats between the inputs of two calls
    std::ptrdiff_t call_step_map = 0;
};

/// What the native kernels need of a network, whatever layer is faulty.
struct NativeNetwork
{
    Graph graph;
    std::vector<ValueForm> form;            ///< by node
    std::vector<PackedLayer> packed;        ///< by node; empty for other operations
    std::vector<ConvGeometry> geometry;     ///< by node
    std::vector<std::vector<float>> scale;  ///< by node: batch norm's factor per channel, padded with zeros
};

/// Why the native kernels cannot evaluate the graph; empty if they can.
std::string native_obstacle(const Graph& graph);

/// \throws Error if native_obstacle() says so.
NativeNetwork native_network(const Network& network, const Kernels& kernels);

/// By node: the form of its value.
std::vector<ValueForm> value_forms(const Graph& graph);

}  // namespace flipstorm
