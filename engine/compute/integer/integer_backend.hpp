#pragma once
// Faults in weights of networks of whole numbers: changes are followed in whole numbers; what screens them,
// gradients of margins, comes from elsewhere.

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engine/compute/backend.hpp"

namespace flipstorm
{

/// Gradients of the margins of a tile's images with respect to a layer's value.
struct IntegerTile : PreparedTile
{
    std::vector<float> gradients;  ///< [images][rivals][channels][pixels], and a vector more
    std::vector<float> lengths;    ///< of each channel's, [images][rivals][channels]
    /// How far margins move if everything behind the layer is rounded otherwise: the root of the sum of the
    /// squares of half a code's moves, element by element. [images][rivals]
    std::vector<float> roundings;
    std::int64_t rivals = 0;
    std::int64_t channels = 0;
    std::int64_t pixels = 0;

    [[nodiscard]] std::uint64_t bytes() const override
    {
        return (gradients.size() + lengths.size() + roundings.size()) * sizeof(float);
    }
    [[nodiscard]] const float* gradient(std::int64_t image, std::int64_t rival, std::int64_t channel) const
    {
        return gradients.data() + ((image * rivals + rival) * channels + channel) * pixels;
    }
    [[nodiscard]] float rounding(std::int64_t image, std::int64_t rival) const
    {
        return roundings[static_cast<std::size_t>(image * rivals + rival)];
    }
    [[nodiscard]] float length(std::int64_t image, std::int64_t rival, std::int64_t channel) const
    {
        return lengths[static_cast<std::size_t>((image * rivals + rival) * channels + channel)];
    }
};

/// Gradients for a layer. \param pixels  normalised images, [count, C, H, W]
using GradientPass = std::function<std::unique_ptr<IntegerTile>(
    NodeId layer, const std::vector<float>& pixels, std::int64_t count)>;

/// \throws JobError if integer_obstacle() says so
[[nodiscard]] std::unique_ptr<ComputeBackend> make_integer_backend(const Network& network,
                                                                   GradientPass gradients);

}  // namespace flipstorm
