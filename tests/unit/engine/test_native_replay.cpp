// The network image by image: against LibTorch, against itself with another image, and in boxes against
// everywhere.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "engine/compute/cpu/native_replay.hpp"
#include "engine/compute/torch/inference.hpp"
#include "engine/network/builders.hpp"
#include "sample_networks.hpp"

namespace flipstorm
{
namespace
{

std::vector<float> pixels_of(const Network& network, const ImageSet& images, std::int64_t image)
{
    std::vector<float> pixels(static_cast<std::size_t>(elements(network.graph.input_shape())));
    normalise(images, {image}, network.normalisation, pixels.data());
    return pixels;
}

/// A replay with all golden values of an image.
std::unique_ptr<Replay> replay_of(const ReplayNetwork& native, const Network& network, const ImageSet& images,
                                  std::int64_t image)
{
    auto replay = std::make_unique<Replay>(native);
    replay->load(pixels_of(network, images, image).data());
    replay->golden(nodes_from(network.graph, NodeId(1)));
    return replay;
}

std::vector<float> logits_at(const float* logits, const Network& network)
{
    return {logits, logits + network.num_classes};
}

std::vector<Network> networks()
{
    const Normalisation normalisation{{0.5F, 0.5F, 0.5F}, {0.3F, 0.3F, 0.3F}};
    std::vector<Network> all{network_of_everything(), gated_network()};
    all.push_back(build_network("lenet5", {1, 28, 28}, 10, {{0.5F}, {0.3F}}, 3));
    all.push_back(build_network("resnet20", {3, 16, 16}, 4, normalisation, 2));
    BuildOptions options;
    options.activation = Activation::relu6;
    options.order = LayerOrder::conv_act_norm;
    options.shortcut = Shortcut::projection;
    all.push_back(build_network("resnet8", {3, 12, 12}, 4, normalisation, 2, options));
    return all;
}

TEST(Replay, GoldenLogitsAsLibTorch)
{
    for (const Network& network : networks())
    {
        const ImageSet images = images_for(network, 3);
        const ReplayNetwork native(network);
        const std::vector<float> want = logits_of(network, images, Device{});
        for (std::int64_t n = 0; n < images.size(); ++n)
        {
            const auto replay = replay_of(native, network, images, n);
            for (std::int32_t c = 0; c < network.num_classes; ++c)
            {
                const float z = want[static_cast<std::size_t>(n * network.num_classes + c)];
                EXPECT_NEAR(replay->golden_logits()[c], z, 1e-4 * std::max(1.0F, std::fabs(z)))
                    << network.arch << ", image " << n;
            }
        }
    }
}

TEST(Replay, AnotherImagesOutputGivesItsLogits)
{
    std::size_t followed = 0;
    for (const Network& network : networks())
    {
        const ImageSet images = images_for(network, 2);
        const ReplayNetwork native(network);
        const auto one = replay_of(native, network, images, 0);
        const auto other = replay_of(native, network, images, 1);
        const std::vector<float> golden = logits_at(one->golden_logits(), network);
        const std::vector<float> want = logits_at(other->golden_logits(), network);
        for (const InjectableLayer& layer : injectable_layers(network))
        {
            const LayerSuffix suffix = layer_suffix(network.graph, layer.node);
            if (!suffix.near_sides.empty() || !suffix.far_sides.empty()) continue;
            ++followed;
            const std::vector<float> mine = one->golden_map(layer.node);
            ASSERT_TRUE(one->strike(layer.node, mine.data(), other->golden_map(layer.node).data()));
            const float* const logits = one->follow(suffix, golden.data(), 1);
            ASSERT_NE(logits, nullptr) << layer.name;
            EXPECT_EQ(logits_at(logits, network), want) << layer.name;
        }
    }
    EXPECT_GE(followed, 12U);
}

TEST(Replay, BoxesAsEverywhereAndLessWork)
{
    for (const Network& network : networks())
    {
        const ImageSet images = images_for(network, 1);
        const ReplayNetwork native(network);
        // One knows all golden values and follows boxes; the other only what it needs, and everything.
        const auto boxes = replay_of(native, network, images, 0);
        const std::vector<float> golden = logits_at(boxes->golden_logits(), network);
        Replay everywhere(native);
        RandomStream random(5, RandomPurpose::test, 1);
        for (const InjectableLayer& layer : injectable_layers(network))
        {
            const LayerSuffix suffix = layer_suffix(network.graph, layer.node);
            std::vector<NodeId> before = nodes_from(network.graph, NodeId(1));
            before.erase(std::remove_if(before.begin(), before.end(),
                                        [&](NodeId id) {
                                            return std::count(suffix.far_nodes.begin(),
                                                              suffix.far_nodes.end(), id) > 0;
                                        }),
                         before.end());
            everywhere.load(pixels_of(network, images, 0).data());
            everywhere.golden(before);
            const std::vector<float> output = boxes->golden_map(layer.node);
            for (int fault = 0; fault < 12; ++fault)
            {
                std::vector<float> struck = output;
                const auto at = static_cast<std::size_t>(random.below(struck.size()));
                const auto size = static_cast<float>(std::pow(10, random.below(9)) * 1e-6);
                struck[at] += fault % 2 == 0 ? size : -size;
                if (fault == 10) struck[at] = std::numeric_limits<float>::quiet_NaN();
                if (fault == 11)  // rows and columns of several channels
                {
                    for (std::size_t i = at % 7; i < struck.size(); i += 7)
                        struck[i] *= 1.5F;
                }
                const bool changed = boxes->strike(layer.node, output.data(), struck.data());
                ASSERT_EQ(everywhere.strike(layer.node, output.data(), struck.data()), changed);
                if (!changed) continue;
                const double before_boxes = boxes->macs();
                const double before_everywhere = everywhere.macs();
                const float* const a = boxes->follow(suffix, golden.data(), 1);
                const float* const b = everywhere.follow(suffix, golden.data(), 1);
                ASSERT_EQ(a == nullptr, b == nullptr) << layer.name << ", fault " << fault;
                if (a == nullptr) continue;
                EXPECT_EQ(std::memcmp(a, b, logits_at(a, network).size() * sizeof(float)), 0)
                    << layer.name << ", fault " << fault;
                EXPECT_LE(boxes->macs() - before_boxes, everywhere.macs() - before_everywhere);
            }
        }
    }
}

TEST(Replay, FewPixelsAreLittleWork)
{
    const Network network =
        build_network("resnet20", {3, 32, 32}, 4, {{0.5F, 0.5F, 0.5F}, {0.3F, 0.3F, 0.3F}}, 2);
    const ImageSet images = images_for(network, 1);
    const ReplayNetwork native(network);
    const auto replay = replay_of(native, network, images, 0);
    const std::vector<float> golden = logits_at(replay->golden_logits(), network);
    const InjectableLayer layer = injectable_layers(network).front();
    const LayerSuffix suffix = layer_suffix(network.graph, layer.node);
    const std::vector<float> output = replay->golden_map(layer.node);
    std::vector<float> struck = output;
    struck[5 * 32 + 5] += 100;
    ASSERT_TRUE(replay->strike(layer.node, output.data(), struck.data()));
    const double before = replay->macs();
    ASSERT_NE(replay->follow(suffix, golden.data(), 1), nullptr);
    double all = 0;
    for (const NodeId id : suffix.far_nodes)
        all += static_cast<double>(network.graph.macs(id));
    // Six layers of 32×32 see 3², 5², … 13² of 32² pixels, rounded up to whole quads of a row.
    EXPECT_LT(replay->macs() - before, 0.6 * all);
    // The same again gives the same; nothing gives nothing.
    struck = output;
    EXPECT_FALSE(replay->strike(layer.node, output.data(), struck.data()));
}

}  // namespace
}  // namespace flipstorm
