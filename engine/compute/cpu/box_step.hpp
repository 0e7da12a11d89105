#pragma once
// A box of a node's value that is to be computed, all channels of some rows and columns of one image.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/compute/cpu/replay_network.hpp"
#include "engine/compute/cpu/value_box.hpp"

namespace flipstorm
{

/// Work space, kept from one step to the next.
struct BoxSpace
{
    std::vector<std::ptrdiff_t> quads;
    std::vector<float> block;
};

struct BoxStep
{
    const ReplayNetwork& network;
    NodeId id;
    const Box& box;
    const std::vector<const float*>& from;  ///< by node: values of the image that inputs are read from
    float* to;                              ///< values of the image that the box is written to
    BoxSpace& space;

    [[nodiscard]] const Node& node() const { return network.graph().node(id); }
    [[nodiscard]] const NativeNode& native() const { return network.native().nodes[index(id)]; }
    [[nodiscard]] NodeId input() const { return node().inputs[0]; }
    [[nodiscard]] const PaddedForm& form(NodeId of) const { return network.native().form(of); }
    [[nodiscard]] std::int64_t channels() const { return network.place(id).channels; }
    [[nodiscard]] const float* read(NodeId of, std::int64_t y, std::int64_t x) const
    {
        return from[index(of)] + network.at(of, y, x);
    }
    [[nodiscard]] float* write(std::int64_t y, std::int64_t x) const { return to + network.at(id, y, x); }

    /// Call `pixel(y, x, output)` for every pixel of the box.
    template<class Pixel>
    void by_pixel(const Pixel& pixel) const
    {
        for (std::int64_t y = box.top; y < box.bottom; ++y)
        {
            for (std::int64_t x = box.left; x < box.right; ++x)
                pixel(y, x, write(y, x));
        }
    }

    /// Call `row(first input, last input, output, floats)` for every row of the box.
    template<class Row>
    void by_row(const Row& row) const
    {
        const NodeId first = node().inputs.front();
        const NodeId last = node().inputs.back();
        const std::int64_t count = (box.right - box.left) * channels();
        for (std::int64_t y = box.top; y < box.bottom; ++y)
            row(read(first, y, box.left), read(last, y, box.left), write(y, box.left), count);
    }
};

}  // namespace flipstorm
