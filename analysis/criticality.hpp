#pragma once
// What a forest says of every bit of every weight of a layer. A tree cuts the space (output channel, input
// channel, kernel position, sign, bit) of a layer into boxes, one per leaf; adding each leaf's vote to its
// box by differences at the corners and summing once at the end costs as much as the leaves and the distinct
// cells, not cells × trees × depth.

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/fault_features.hpp"
#include "analysis/forest.hpp"
#include "analysis/share_table.hpp"
#include "engine/memory/shared_values.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/forest_file.hpp"

namespace flipstorm
{

/**
 * Predict every bit of every weight of layer `layer`.
 *
 * The result is round(255 p) with p exactly as Forest::predict gives it for the row (sign of the value, bit,
 * layer, output channel, input channel, extra features). Channels and bits that no fault of the campaign hit
 * are compared with the thresholds like any other value. A weight of zero has the sign of its sign bit.
 *
 * Features that follow from the place of a weight (its layer, its channels, its position in the kernel) cost
 * what the trees' leaves cost; with others each distinct row goes down all trees.
 *
 * \param forest  over `features`
 * \param stop    asked between trees
 * \throws DataError if name or number of the weights differ from the layer table's; Stopped. Thread-safe.
 */
LayerCriticality predict_layer(const Forest& forest, const FaultFeatures& features, const LayerTable& layers,
                               std::size_t layer, const LayerWeights& weights, int threads,
                               const StopRequest& stop = {});

/// The same of a table of shares: all weights of a layer alike. Thread-safe.
LayerCriticality predict_layer(const ShareTable& shares, const LayerTable& layers, std::size_t layer);

/// The same value for every bit: the map of a tolerance for which all faults were of one class.
LayerCriticality constant_layer(const LayerTable& layers, std::size_t layer, std::uint8_t value);

}  // namespace flipstorm
