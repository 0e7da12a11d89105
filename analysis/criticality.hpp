#pragma once
// What a forest says of every bit of every weight of a layer. A tree cuts the space (output channel, input
// channel, sign, bit) of a layer into boxes, one per leaf; adding each leaf's vote to its box by differences
// at the corners and summing once at the end costs as much as the leaves and the distinct cells, not cells ×
// trees × depth.

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/forest.hpp"
#include "analysis/share_table.hpp"
#include "engine/memory/shared_values.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/forest_file.hpp"

namespace flipstorm
{

/// Golden values of the weight tensor of an injectable layer.
struct LayerWeights
{
    std::string name;     ///< as in the campaign's layer table
    SharedValues values;  ///< decoded, row-major [out, in, kernel…]
};

/**
 * Predict every bit of every weight of layer `layer`.
 *
 * The result is round(255 p) with p exactly as Forest::predict gives it for the row (sign of the value, bit,
 * layer, output channel, input channel). Channels and bits that no fault of the campaign hit are compared
 * with the thresholds like any other value. A weight of zero has the sign of its sign bit.
 *
 * \param forest  over the features of FaultFeature
 * \param stop    asked between trees
 * \throws DataError if name or number of the weights differ from the layer table's; Stopped. Thread-safe.
 */
LayerCriticality predict_layer(const Forest& forest, const LayerTable& layers, std::size_t layer,
                               const LayerWeights& weights, int threads, const StopRequest& stop = {});

/// The same of a table of shares: all weights of a layer alike. Thread-safe.
LayerCriticality predict_layer(const ShareTable& shares, const LayerTable& layers, std::size_t layer);

/// The same value for every bit: the map of a tolerance for which all faults were of one class.
LayerCriticality constant_layer(const LayerTable& layers, std::size_t layer, std::uint8_t value);

}  // namespace flipstorm
