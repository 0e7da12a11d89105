// Networks of whole numbers: the kernels against the obvious loops, bit by bit, and what is followed against
// full passes.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/compute/integer/integer_image.hpp"
#include "engine/network/layer_suffix.hpp"
#include "engine/network/network_format.hpp"
#include "naive_integers.hpp"
#include "random_graph.hpp"
#include "random_parameters.hpp"

namespace flipstorm
{
namespace
{

using test::naive_logits;

/// A random network in a format; ranges so that some values saturate.
Network random_network(std::uint64_t seed, const FormatChoice& choice)
{
    const Network network = with_parameters(RandomGraph(seed).take(), kRandomClasses, seed);
    std::vector<float> ranges;
    RandomStream random(seed, RandomPurpose::test, 5);
    for (std::size_t i = 0; i < network.graph.nodes().size(); ++i)
        ranges.push_back(static_cast<float>(1.5 + 3 * random.uniform()));
    return stored_as(network, choice, ranges);
}

std::vector<float> random_image(const Graph& graph, std::uint64_t seed)
{
    RandomStream random(seed, RandomPurpose::test, 6);
    std::vector<float> image(static_cast<std::size_t>(elements(graph.input_shape())));
    for (float& x : image)
        x = static_cast<float>(random.normal());
    return image;
}

struct Tried
{
    int followed = 0;
    int changed = 0;
};

/// Flip bits of weights, and strike values, of every layer.
template<class Word>
void compare_with_full_passes(const Network& network, std::uint64_t seed, Tried& tried)
{
    const IntegerModel<Word> model(integer_network(network));
    IntegerImage<Word> image(model);
    RandomStream random(seed, RandomPurpose::test, 7);
    for (std::uint64_t n = 0; n < 2; ++n)
    {
        const std::vector<float> pixels = random_image(network.graph, 2 * seed + n);
        image.load(pixels.data());
        ASSERT_EQ(image.golden_logits(), naive_logits(model.network(), pixels.data()))
            << "seed " << seed << ", " << to_string(network.format);
        for (const InjectableLayer& layer : injectable_layers(network))
        {
            const std::vector<NodeId> nodes = nodes_behind(network.graph, layer.node);
            for (int k = 0; k < 6; ++k)
            {
                const std::uint64_t weight = random.below(layer.weights);
                Network faulty = network;
                Parameter& parameter = faulty.parameters[layer.weight];
                const auto bit =
                    static_cast<unsigned>(random.below(static_cast<std::uint64_t>(layer.word_bits)));
                parameter.set_word(weight, parameter.word(weight) ^ (1U << bit));
                const IntegerNetwork other = integer_network(faulty);
                const std::vector<float> want = naive_logits(other, pixels.data());
                const auto expect = [&](const float* got, const char* how) {
                    ++tried.followed;
                    tried.changed += got == nullptr ? 0 : 1;
                    const std::vector<float> logits =
                        got == nullptr ? image.golden_logits() : std::vector<float>(got, got + want.size());
                    EXPECT_EQ(logits, want) << how << ", seed " << seed << ", layer " << layer.name << ", "
                                            << to_string(network.format);
                    EXPECT_EQ(got == nullptr, want == image.golden_logits());
                };
                const std::int32_t code = other.node(layer.node).weights[weight];
                expect(image.follow_weight(layer.node, nodes, static_cast<std::int64_t>(weight), code),
                       "weight");
                const IntegerLayer<Word> layer_of_other = model.laid_out(layer.node, other.node(layer.node));
                expect(image.follow_parameters(layer.node, nodes, layer_of_other), "parameters");
                IntegerImage<Word> whole(model);
                EXPECT_EQ(whole.full_pass(pixels.data(), layer.node, layer_of_other), want);
            }
        }
    }
}

Tried compare_all(const FormatChoice& choice, std::uint64_t first, std::uint64_t end)
{
    Tried tried;
    for (std::uint64_t seed = first; seed < end; ++seed)
    {
        const Network network = random_network(seed, choice);
        if (!integer_obstacle(network).empty()) continue;
        switch (integer_network(network).word_bits)
        {
            case 8:
                compare_with_full_passes<std::uint8_t>(network, seed, tried);
                break;
            case 16:
                compare_with_full_passes<std::int16_t>(network, seed, tried);
                break;
            default:
                compare_with_full_passes<std::int32_t>(network, seed, tried);
                break;
        }
    }
    return tried;
}

class EveryIntegerFormat : public ::testing::TestWithParam<NumberFormat>
{};

TEST_P(EveryIntegerFormat, FollowedChangesHaveTheBitsOfFullPasses)
{
    FormatChoice choice;
    choice.format = GetParam();
    if (format_traits(choice.format).scaling == Scaling::power_of_two) choice.integer_bits = 3;
    const Tried tried = compare_all(choice, 0, word_bits(choice.format) == 8 ? 60 : 40);
    EXPECT_GT(tried.followed, 600);
    EXPECT_GT(tried.changed, tried.followed / 4);
}

INSTANTIATE_TEST_SUITE_P(Formats, EveryIntegerFormat,
                         ::testing::Values(NumberFormat::fxp8, NumberFormat::fxp16, NumberFormat::fxp32,
                                           NumberFormat::int8),
                         [](const auto& instance) { return to_string(instance.param); });

TEST(IntegerImage, Int8WithOneScaleOfATensor)
{
    FormatChoice choice;
    choice.format = NumberFormat::int8;
    choice.scale_per_channel = false;
    EXPECT_GT(compare_all(choice, 0, 20).changed, 200);
}

/// Every instruction set that this machine has gives the same bits.
template<class Word>
void compare_instruction_sets(NumberFormat format)
{
    FormatChoice choice;
    choice.format = format;
    choice.integer_bits = 3;
    int sets = 0;
    for (const char* name : {"portable", "avx2", "avx512", "vnni"})
    {
        const IntegerKernels<Word>* const kernels = integer_kernels_of<Word>(name);
        if (kernels == nullptr) continue;
        EXPECT_STREQ(kernels->name, name);
        ++sets;
        for (std::uint64_t seed = 0; seed < 30; ++seed)
        {
            const Network network = random_network(seed, choice);
            if (!integer_obstacle(network).empty()) continue;
            const IntegerModel<Word> model(integer_network(network), *kernels);
            IntegerImage<Word> image(model);
            const std::vector<float> pixels = random_image(network.graph, seed);
            image.load(pixels.data());
            EXPECT_EQ(image.golden_logits(), naive_logits(model.network(), pixels.data()))
                << name << ", seed " << seed << ", " << to_string(format);
        }
    }
    EXPECT_GE(sets, 1);
    EXPECT_EQ(integer_kernels_of<Word>("sse9"), nullptr);
}

TEST(IntegerImage, EveryInstructionSetGivesTheSameBits)
{
    compare_instruction_sets<std::uint8_t>(NumberFormat::fxp8);
    compare_instruction_sets<std::int16_t>(NumberFormat::fxp16);
    compare_instruction_sets<std::int32_t>(NumberFormat::fxp32);
}

/// Wider than the random ones: several blocks of outputs, maps on which changes of few elements are few.
Network wide_network(const FormatChoice& choice)
{
    Graph graph({3, 18, 18});
    NodeId at = graph.add("conv1", Conv2dOp{3, 20, 5, 1, 2, 1, true}, {NodeId(0)});
    at = graph.add("relu1", ReluOp{}, {at});
    const NodeId pooled = graph.add("pool1", MaxPool2dOp{2, 2, 0}, {at});
    at = graph.add("conv2", Conv2dOp{20, 70, 3, 1, 1, 1, false}, {pooled});
    at = graph.add("bn2", BatchNormOp{70, 1e-5}, {at});
    const NodeId wide = graph.add("relu2", ReluOp{}, {at});
    at = graph.add("conv3", Conv2dOp{70, 70, 3, 1, 1, 1, true}, {wide});
    at = graph.add("add", AddOp{}, {at, wide});
    at = graph.add("conv4", Conv2dOp{70, 24, 3, 2, 1, 1, true}, {at});
    at = graph.add("pool4", MaxPool2dOp{3, 2, 1}, {at});
    at = graph.add("flatten", FlattenOp{}, {at});
    at = graph.add("fc1", LinearOp{graph.node(at).shape[0], 150, true}, {at});
    at = graph.add("relu5", ReluOp{}, {at});
    graph.add("fc2", LinearOp{150, kRandomClasses, true}, {at});
    const Network network = with_parameters(std::move(graph), kRandomClasses, 3);
    return stored_as(network, choice, std::vector<float>(network.graph.nodes().size(), 3));
}

/// Followed with each instruction set: weights against naive loops, struck values against all computed anew.
template<class Word>
void follow_with_every_instruction_set(NumberFormat format)
{
    FormatChoice choice;
    choice.format = format;
    choice.integer_bits = 3;
    const Network network = wide_network(choice);
    const std::vector<float> pixels = random_image(network.graph, 1);
    int changed = 0;
    for (const char* name : {"portable", "avx2", "avx512", "vnni"})
    {
        const IntegerKernels<Word>* const kernels = integer_kernels_of<Word>(name);
        if (kernels == nullptr) continue;
        const IntegerModel<Word> model(integer_network(network), *kernels);
        IntegerImage<Word> image(model);
        image.load(pixels.data());
        RandomStream random(9, RandomPurpose::test);
        for (const InjectableLayer& layer : injectable_layers(network))
        {
            const std::vector<NodeId> nodes = nodes_behind(network.graph, layer.node);
            for (int k = 0; k < 4; ++k)
            {
                const std::uint64_t weight = random.below(layer.weights);
                IntegerNetwork other = model.network();
                std::int32_t& code = other.nodes[index(layer.node)].weights[weight];
                code += k < 2 ? 1 : -(std::int32_t{1} << (layer.word_bits - 2)) * (code > 0 ? 1 : -1);
                const std::vector<float> want = naive_logits(other, pixels.data());
                const float* const got =
                    image.follow_weight(layer.node, nodes, static_cast<std::int64_t>(weight), code);
                const std::vector<float> logits =
                    got == nullptr ? image.golden_logits() : std::vector<float>(got, got + want.size());
                EXPECT_EQ(logits, want) << name << ", " << to_string(format) << ", " << layer.name;
                changed += got == nullptr ? 0 : 1;
            }
        }
        for (const char* struck : {"relu1", "pool1", "relu2", "add", "conv4", "fc1"})
        {
            const auto& all = network.graph.nodes();
            const auto found =
                std::find_if(all.begin(), all.end(), [&](const Node& node) { return node.name == struck; });
            ASSERT_NE(found, all.end());
            const NodeId id(static_cast<std::int32_t>(found - all.begin()));
            const std::vector<NodeId> nodes = nodes_behind(network.graph, id);
            const ValueForm& form = model.place(id).form;
            for (const std::uint64_t count : {1, 3, 40})
            {
                std::vector<IntegerAt> at;
                std::vector<std::int32_t> codes;
                for (std::uint64_t i = 0; i < count; ++i)
                {
                    const auto below = [&](std::int64_t end) {
                        return random.below(static_cast<std::uint64_t>(end));
                    };
                    const IntegerAt place{static_cast<std::uint16_t>(below(form.height)),
                                          static_cast<std::uint16_t>(below(form.width)),
                                          static_cast<std::uint32_t>(below(form.channels))};
                    const bool again = std::any_of(at.begin(), at.end(), [&](const IntegerAt& before) {
                        return before.y == place.y && before.x == place.x && before.channel == place.channel;
                    });
                    if (again) continue;
                    at.push_back(place);
                    codes.push_back(image.golden_code(id, place) ^ 0x15);
                }
                const float* logits = image.replace_value(id, nodes, at, codes);
                const std::vector<float> want = logits == nullptr
                                                    ? image.golden_logits()
                                                    : std::vector<float>(logits, logits + kRandomClasses);
                logits = image.follow_value(id, nodes, at, codes);
                const std::vector<float> got = logits == nullptr
                                                   ? image.golden_logits()
                                                   : std::vector<float>(logits, logits + kRandomClasses);
                EXPECT_EQ(got, want) << name << ", " << to_string(format) << ", " << struck << ", " << count;
                changed += logits == nullptr ? 0 : 1;
            }
        }
        EXPECT_EQ(image.golden_logits(), image.pass(pixels.data())) << "golden values are as they were";
    }
    EXPECT_GT(changed, 20);
}

TEST(IntegerImage, EveryInstructionSetFollowsChanges)
{
    follow_with_every_instruction_set<std::uint8_t>(NumberFormat::fxp8);
    follow_with_every_instruction_set<std::uint8_t>(NumberFormat::int8);
    follow_with_every_instruction_set<std::int16_t>(NumberFormat::fxp16);
    follow_with_every_instruction_set<std::int32_t>(NumberFormat::fxp32);
}

TEST(IntegerImage, LayersOfOtherFormats)
{
    Tried tried;
    for (std::uint64_t seed = 0; seed < 30; ++seed)
    {
        FormatChoice choice;
        choice.format = seed % 2 == 0 ? NumberFormat::fxp8 : NumberFormat::int8;
        choice.integer_bits = seed % 2 == 0 ? 3 : 1;
        choice.of_layer["n1"] = NumberFormat::fxp16;
        const Network network = random_network(seed, choice);
        if (!integer_obstacle(network).empty()) continue;
        ASSERT_EQ(integer_network(network).word_bits, 16);
        compare_with_full_passes<std::int16_t>(network, seed, tried);
    }
    EXPECT_GT(tried.changed, 200);
}

}  // namespace
}  // namespace flipstorm
