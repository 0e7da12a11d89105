#pragma once
// Faults in feature maps: after a convolution or a linear layer has computed its output, some elements of it
// are wrong (Cavagnero et al., IOLTS 2022).

#include <functional>
#include <string_view>
#include <vector>

#include "engine/base/philox.hpp"
#include "engine/faults/error_value.hpp"
#include "engine/faults/geometry.hpp"
#include "engine/network/graph.hpp"

namespace flipstorm
{

/// How an error value v meets a golden value y.
enum class Combine
{
    add,       ///< y + v
    multiply,  ///< y · v
    relative,  ///< y · (1 + v): |v| is the relative error
    bit_flip,  ///< bit v of the word that y is stored as flips
};

/// Rule of that name. \throws JobError naming the known ones.
[[nodiscard]] Combine combine_from(std::string_view name);
/// "add", "multiply", "relative", "bit_flip"
[[nodiscard]] const char* to_string(Combine combine);

/// What faults in feature maps look like.
struct FeatureMapRules
{
    std::vector<Geometry> geometries;         ///< one of them is drawn, uniformly
    std::vector<double> channel_probability;  ///< of each geometry: see draw_region
    ErrorValue value;
    Combine combine = Combine::add;
};

/// One fault: the same error value in all elements of a region.
struct FeatureMapFault
{
    Geometry geometry = Geometry::single;
    FaultRegion region;
    float value = 0;
    Combine combine = Combine::add;
};

/**
 * Draw geometry, region and error value. For `relative`, whose laws give magnitudes, the sign is drawn too.
 *
 * \param map  shape of the layer's output for one image \param word_bits  of its values as they are stored
 * \throws Error as draw_region. Thread-safe for different streams.
 */
[[nodiscard]] FeatureMapFault draw_feature_map_fault(const FeatureMapRules& rules, const Shape& map,
                                                     int word_bits, RandomStream& random);

/// The corrupted value of a float. Sum and product in single precision; `relative` in double, then rounded.
[[nodiscard]] float corrupted(Combine combine, float golden, float value);

/// Call `strike` with the place of each struck element of an output, row-major. Thread-safe.
void for_each_struck(const FeatureMapFault& fault, const Shape& map,
                     const std::function<void(std::size_t)>& strike);

/// Corrupt an output [C, H, W] or [features] in place, row-major. Thread-safe.
void corrupt(const FeatureMapFault& fault, const Shape& map, float* output);

}  // namespace flipstorm
