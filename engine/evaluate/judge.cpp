#include "engine/evaluate/judge.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/error.hpp"

namespace flipstorm
{

Tally judge(const float* logits, std::int64_t classes, std::int32_t label, std::int32_t golden_top1)
{
    std::int32_t top1 = 0;
    bool finite = std::isfinite(logits[0]);
    for (std::int32_t c = 1; c < classes; ++c)
    {
        finite = finite && std::isfinite(logits[c]);
        if (logits[c] > logits[top1]) top1 = c;
    }
    Tally tally;
    tally.evaluated = 1;
    tally.nonfinite = finite ? 0 : 1;
    tally.correct = finite && top1 == label ? 1 : 0;
    tally.mismatches = finite && top1 == golden_top1 ? 0 : 1;
    return tally;
}

Tally golden_tally(const Tile& tile)
{
    Tally golden;
    golden.evaluated = static_cast<std::uint32_t>(tile.size());
    for (std::size_t i = 0; i < tile.label.size(); ++i)
        golden.correct += tile.top1[i] == tile.label[i] ? 1U : 0U;
    return golden;
}

void tally_change(Tally& tally, const Tally& judged, bool golden_correct)
{
    tally.correct -= golden_correct ? 1U : 0U;
    tally.correct += judged.correct;
    tally.mismatches += judged.mismatches;
    tally.nonfinite += judged.nonfinite;
}

void check_test_images(const Network& network, const ImageSet& images)
{
    FS_CHECK(DataError, images.size() > 0, "no test images");
    FS_CHECK(DataError, network.graph.input_shape() == (Shape{images.channels, images.height, images.width}),
             "the network takes {}x{}x{} images (C×H×W), the test images are {}x{}x{}",
             network.graph.input_shape()[0], network.graph.input_shape()[1], network.graph.input_shape()[2],
             images.channels, images.height, images.width);
    FS_CHECK(DataError, network.num_classes > 1, "a network with {} class cannot mispredict",
             network.num_classes);
}

Golden golden_of(const std::vector<float>& logits, const std::vector<std::int32_t>& labels)
{
    Golden golden;
    golden.label = labels;
    const std::size_t classes = logits.size() / labels.size();
    for (std::size_t n = 0; n < labels.size(); ++n)
    {
        const float* row = logits.data() + n * classes;
        FS_CHECK(DataError, std::all_of(row, row + classes, [](float z) { return std::isfinite(z); }),
                 "the fault-free network gives a non-finite logit for test image {}", n);
        const float* top = std::max_element(row, row + classes);
        float rival = -std::numeric_limits<float>::infinity();
        for (const float* z = row; z != row + classes; ++z)
        {
            if (z != top) rival = std::max(rival, *z);
        }
        golden.top1.push_back(static_cast<std::int32_t>(top - row));
        golden.margin.push_back(*top - rival);
    }
    for (std::size_t i = 0; i < golden.label.size(); ++i)
        golden.correct += golden.label[i] == golden.top1[i] ? 1U : 0U;
    return golden;
}

}  // namespace flipstorm
