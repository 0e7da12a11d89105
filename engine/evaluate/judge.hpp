#pragma once
// What an image's logits say, and how that is tallied.

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/compute/backend.hpp"
#include "engine/evaluate/outcome.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/// Images evaluated together, with what the fault-free network says of them.
struct Tile
{
    std::int64_t first = 0;  ///< of its images in evaluation order
    std::unique_ptr<DeviceImages> images;
    std::vector<std::int32_t> label;  ///< [tile]
    std::vector<std::int32_t> top1;   ///< golden, [tile]
    std::vector<float> certainty;     ///< golden margin over the mean margin of all test images, [tile]

    [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(label.size()); }
};

/**
 * Tally one image's logits.
 *
 * \param logits  [classes]; of equal largest logits the first wins
 */
[[nodiscard]] Tally judge(const float* logits, std::int64_t classes, std::int32_t label,
                          std::int32_t golden_top1);

/// A tile's tally while nothing changes.
[[nodiscard]] Tally golden_tally(const Tile& tile);

/// Put what an image was judged to be in the place of what was tallied of it as unchanged.
void tally_change(Tally& tally, const Tally& judged, bool golden_correct);

/// \throws DataError unless there are images, of the network's shape, and two classes.
void check_test_images(const Network& network, const ImageSet& images);

/// Predictions and margins. \param logits  [images, classes] \throws DataError if a logit is not finite.
[[nodiscard]] Golden golden_of(const std::vector<float>& logits, const std::vector<std::int32_t>& labels);

}  // namespace flipstorm
