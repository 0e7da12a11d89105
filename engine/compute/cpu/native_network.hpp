#pragma once
// The network as the native kernels want it: values with channels innermost, weights packed for the register
// blocks of the instruction set.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/compute/cpu/packed_weights.hpp"
#include "engine/network/network.hpp"
#include "engine/network/value_form.hpp"

namespace flipstorm
{

/// A value of one image, as the kernels hold it.
struct PaddedForm : ValueForm
{
    /// Floats of a slot: [pixels][padded channels].
    [[nodiscard]] std::int64_t slot() const { return pixels() * padded(channels); }
    /// Floats of a map: [pixels], padded to whole vectors.
    [[nodiscard]] std::int64_t map() const { return padded(pixels()); }
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

/// What an operation's kernels need of a node, whatever layer is faulty.
struct NativeNode
{
    PaddedForm form;           ///< of its value
    PackedLayer packed;        ///< of a convolution or linear layer
    ConvGeometry geometry;     ///< of a convolution or linear layer
    std::vector<float> scale;  ///< of a batch norm, what each channel is multiplied by; padded with zeros
    std::vector<float> shift;  ///< what a bias or a batch norm adds to each channel; padded with zeros
};

/// A network, prepared for the kernels.
struct NativeNetwork
{
    Graph graph;
    std::vector<NativeNode> nodes;

    [[nodiscard]] const PaddedForm& form(NodeId id) const { return nodes[index(id)].form; }
};

/// Why the native kernels cannot evaluate the graph; empty if they can.
[[nodiscard]] std::string native_obstacle(const Graph& graph);

/// \throws Error if native_obstacle() says so.
[[nodiscard]] NativeNetwork native_network(const Network& network, const Kernels& kernels);

}  // namespace flipstorm
