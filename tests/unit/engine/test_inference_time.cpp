#include "engine/compute/torch/inference_time.hpp"

#include <gtest/gtest.h>

#include "engine/base/error.hpp"
#include "engine/base/timing.hpp"
#include "engine/data/synthetic.hpp"
#include "engine/network/builders.hpp"

namespace flipstorm
{
namespace
{

TEST(InferenceTime, IsThatOfTheNetworks)
{
    const ImageSet images = make_synthetic_test_images(1).head(32);
    const Normalisation normalisation{{0.3F}, {0.3F}};
    const Network small = build_network("lenet5", {1, 28, 28}, 10, normalisation, 1);
    const Network large = build_network("resnet20", {1, 28, 28}, 10, normalisation, 1);
    TimingOptions options;
    options.least_rounds = 10;  // the best of ten, whatever else the machine does
    options.most_rounds = 10;
    options.batch = 16;
    const Stopwatch watch;
    const std::vector<double> seconds =
        seconds_per_image({{&small, &images, {}}, {&large, &images, {}}, {&small, &images, {}}}, options);
    ASSERT_EQ(seconds.size(), 3U);
    // Two counted passes of 16 images each fit into the time that the call took.
    EXPECT_LT(2 * 16 * (seconds[0] + seconds[1] + seconds[2]), watch.seconds());
    // 31 against 0.4 million multiply-accumulates.
    EXPECT_GT(seconds[1], 2 * seconds[0]);
    EXPECT_GT(seconds[0], 0);
    EXPECT_TRUE(seconds_per_image({}, options).empty());
    const ImageSet none;
    EXPECT_THROW(static_cast<void>(seconds_per_image({{&small, &none, {}}}, options)), Error);
}

}  // namespace
}  // namespace flipstorm
