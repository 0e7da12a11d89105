#pragma once
// A network whose values are computed one image at a time, whole or in boxes, and where they lie in memory.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/compute/cpu/native_network.hpp"
#include "engine/compute/overflow_bound.hpp"

namespace flipstorm
{

/// The network, with where the values of an image lie. Thread-safe.
class ReplayNetwork
{
  public:
    /// A node's value: [frame + height + frame][frame + width + frame][padded channels] at `offset`, the
    /// frame of zeros for the convolutions that read it. A flattened value lies where its input does.
    struct Place
    {
        std::int64_t offset = 0;
        std::int64_t frame = 0;
        std::int64_t row_floats = 0;  ///< between neighbouring rows
        std::int64_t channels = 0;    ///< padded
    };

    /// \throws Error if native_obstacle() says so.
    explicit ReplayNetwork(const Network& network);

    /// Where in the values of an image pixel (y, x) of a node is.
    [[nodiscard]] std::int64_t at(NodeId id, std::int64_t y, std::int64_t x) const
    {
        const Place& place = places_[index(id)];
        return place.offset + (y + place.frame) * place.row_floats + (x + place.frame) * place.channels;
    }

    [[nodiscard]] const Place& place(NodeId id) const { return places_[index(id)]; }
    /// Where a product's taps read.
    [[nodiscard]] const std::vector<std::ptrdiff_t>& taps(NodeId id) const { return taps_[index(id)]; }
    [[nodiscard]] const Kernels& kernels() const { return kernels_; }
    [[nodiscard]] const NativeNetwork& native() const { return native_; }
    [[nodiscard]] const Graph& graph() const { return native_.graph; }
    [[nodiscard]] const OverflowBound& overflow() const { return overflow_; }
    /// Floats of the values of an image.
    [[nodiscard]] std::int64_t floats() const { return floats_; }

  private:
    const Kernels& kernels_;
    NativeNetwork native_;
    OverflowBound overflow_;
    std::vector<Place> places_;                      ///< by node
    std::vector<std::vector<std::ptrdiff_t>> taps_;  ///< by node
    std::int64_t floats_ = 0;
};

}  // namespace flipstorm
