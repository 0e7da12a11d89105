// Campaigns in networks of whole numbers: `exact` gives what `reference` gives, to the last image.

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/compute/integer/integer_logits.hpp"
#include "engine/evaluate/transient_evaluator.hpp"
#include "engine/network/network_format.hpp"
#include "random_graph.hpp"
#include "sample_networks.hpp"

namespace flipstorm
{
namespace
{

Network in_format(const Network& network, NumberFormat format)
{
    FormatChoice choice;
    choice.format = format;
    choice.integer_bits = 3;
    return stored_as(network, choice, std::vector<float>(network.graph.nodes().size(), 12));
}

std::vector<WeightChange> random_word_flips(const Network& network, const InjectableLayer& layer, int count)
{
    RandomStream random(11, RandomPurpose::test, static_cast<std::uint64_t>(layer.id.value()));
    const Parameter& weight = network.parameters[layer.weight];
    std::vector<WeightChange> changes;
    for (int i = 0; i < count; ++i)
    {
        const std::uint64_t parameter = random.below(layer.weights);
        const WordFault flip =
            bit_flip(static_cast<int>(random.below(static_cast<std::uint64_t>(layer.word_bits))));
        changes.push_back({parameter, weight.faulty_value(parameter, flip), static_cast<std::uint64_t>(i),
                           weight.word_under(parameter, flip)});
    }
    return changes;
}

class IntegerEvaluator : public ::testing::TestWithParam<NumberFormat>
{};

TEST_P(IntegerEvaluator, ExactIsReference)
{
    for (const Network& floats : {network_of_everything(), gated_network()})
    {
        if (word_bits(GetParam()) == 32 && floats.graph.nodes()[2].name == "swish") continue;
        const Network network = in_format(floats, GetParam());
        const ImageSet images = images_for(network, 60);
        EvaluationOptions options = evaluation_options(EvaluationMode::exact, 2);
        options.tolerances = {1};
        Evaluator exact(network, images, options);
        Evaluator reference(network, images, evaluation_options(EvaluationMode::reference));
        EXPECT_EQ(exact.golden().top1, reference.golden().top1);
        EXPECT_EQ(exact.golden().margin, reference.golden().margin);
        for (const InjectableLayer& layer : injectable_layers(network))
        {
            const std::vector<WeightChange> changes = random_word_flips(network, layer, 40);
            const std::vector<Outcome> want = reference.evaluate(layer.id, changes);
            const std::vector<Outcome> got = exact.evaluate(layer.id, changes);
            for (std::size_t f = 0; f < changes.size(); ++f)
            {
                EXPECT_EQ(got[f].tally, want[f].tally) << layer.name << ", fault " << f;
            }
        }
        const WorkCount work = exact.work();
        EXPECT_EQ(work.pairs, work.masked + work.proven + work.finished);
        EXPECT_GT(work.proven, 0U);
        EXPECT_GT(work.masked, work.pairs / 20);
        EXPECT_GT(work.finished, work.pairs / 20);
    }
}

INSTANTIATE_TEST_SUITE_P(Formats, IntegerEvaluator,
                         ::testing::Values(NumberFormat::fxp8, NumberFormat::fxp16, NumberFormat::fxp32,
                                           NumberFormat::int8),
                         [](const auto& instance) { return to_string(instance.param); });

/// Random flips in any tensor.
std::vector<WeightChange> random_struck_words(const Network& network, const InjectableLayer& layer, int count)
{
    RandomStream random(12, RandomPurpose::test, static_cast<std::uint64_t>(layer.id.value()));
    const StoredTensor struck = struck_tensor(network, layer);
    std::vector<WeightChange> changes;
    for (int i = 0; i < count; ++i)
    {
        const std::uint64_t element = random.below(layer.weights);
        const WordFault flip =
            bit_flip(static_cast<int>(random.below(static_cast<std::uint64_t>(layer.word_bits))));
        changes.push_back({element, struck.faulty_value(element, flip), static_cast<std::uint64_t>(i),
                           struck.word_under(element, flip)});
    }
    return changes;
}

/// Of each tensor of some kinds, faults followed and by full passes. \returns how many tensors
std::size_t compare_tensors(const Network& network, const std::vector<TensorKind>& kinds)
{
    const ImageSet images = images_for(network, 40);
    EvaluationOptions options = evaluation_options(EvaluationMode::exact, 2);
    options.tolerances = {1};
    options.parameters = kinds;
    Evaluator exact(network, images, options);
    options.mode = EvaluationMode::reference;
    Evaluator reference(network, images, options);
    const std::vector<InjectableLayer> layers = injectable_layers(network, kinds);
    for (const InjectableLayer& layer : layers)
    {
        const std::vector<WeightChange> changes = random_struck_words(network, layer, 24);
        const std::vector<Outcome> want = reference.evaluate(layer.id, changes);
        const std::vector<Outcome> got = exact.evaluate(layer.id, changes);
        for (std::size_t f = 0; f < changes.size(); ++f)
        {
            // The faulty network itself, as a network of its own.
            Network faulty = network;
            set_struck_word(faulty, layer, changes[f].parameter, changes[f].word);
            EXPECT_EQ(got[f].tally, want[f].tally) << layer.name << ", fault " << f;
            if (!network.computes_in_integers()) continue;
            const std::vector<float> logits = integer_logits(faulty, images, 0, images.size(), 1);
            std::uint32_t correct = 0;
            for (std::int64_t n = 0; n < images.size(); ++n)
            {
                const auto first = logits.begin() + n * network.num_classes;
                correct += std::max_element(first, first + network.num_classes) - first ==
                                   images.labels[static_cast<std::size_t>(n)]
                               ? 1U
                               : 0U;
            }
            EXPECT_EQ(got[f].tally.correct, correct) << layer.name << ", fault " << f;
        }
    }
    return layers.size();
}

TEST(IntegerEvaluator, FaultsInOtherTensorsThanWeights)
{
    const std::vector<TensorKind> all{TensorKind::weights, TensorKind::biases, TensorKind::batch_norm,
                                      TensorKind::scales};
    EXPECT_EQ(compare_tensors(in_format(network_of_everything(), NumberFormat::int8), all),
              6U + 5U + 8U + 6U);
    EXPECT_EQ(compare_tensors(in_format(network_of_everything(), NumberFormat::fxp8),
                              {TensorKind::biases, TensorKind::batch_norm}),
              5U + 8U);
    EXPECT_EQ(compare_tensors(network_of_everything(), {TensorKind::biases, TensorKind::batch_norm}),
              5U + 8U);
    EXPECT_THROW(static_cast<void>(injectable_layers(network_of_everything(), {TensorKind::scales})),
                 JobError);
}

/// The strikes of a chunk.
std::vector<TransientStrike> strikes_of(const TransientPlan& plan, const Chunk& chunk)
{
    std::vector<TransientStrike> strikes;
    for (std::uint64_t i = 0; i < chunk.count; ++i)
        strikes.push_back(plan.strike(FaultIndex(chunk.first.value() + i)));
    return strikes;
}

// Values that meet an error are stored again; bits of stored values flip. Followed and computed anew, alike.
TEST_P(IntegerEvaluator, TransientFaultsOfExactAreThoseOfReference)
{
    const Network network = in_format(network_of_everything(), GetParam());
    const ImageSet images = images_for(network, 12);
    int changed = 0;
    int masked = 0;
    for (const bool flips : {true, false})
    {
        TransientPlanOptions plan_options;
        plan_options.plan.images = 12;
        plan_options.plan.limit = 300;
        plan_options.images_per_fault = 3;
        plan_options.rules =
            flips ? FeatureMapRules{{Geometry::element}, {1}, BitError{}, Combine::bit_flip}
                  : FeatureMapRules{
                        {Geometry::single, Geometry::block}, {0.5, 0.5}, UniformError{9}, Combine::add};
        const TransientPlan plan(network, plan_options);
        TransientEvaluator exact(network, images, evaluation_options(EvaluationMode::exact, 2));
        TransientEvaluator reference(network, images, evaluation_options(EvaluationMode::reference));
        for (const Chunk& chunk : plan.plan().chunks())
        {
            const std::vector<TransientStrike> strikes = strikes_of(plan, chunk);
            const auto want = reference.evaluate(chunk.layer, strikes);
            const auto got = exact.evaluate(chunk.layer, strikes);
            for (std::size_t f = 0; f < strikes.size(); ++f)
            {
                EXPECT_EQ((*got)[f].tally, (*want)[f].tally);
                EXPECT_EQ((*got)[f].masked, (*want)[f].masked);
                changed += (*want)[f].tally.mismatches > 0 ? 1 : 0;
                masked += (*want)[f].masked > 0 ? 1 : 0;
            }
        }
    }
    EXPECT_GT(changed, 20);
    EXPECT_GT(masked, 20);
}

TEST(IntegerEvaluator, RefusesInstructions)
{
    const Network network = in_format(network_of_everything(), NumberFormat::fxp8);
    const ImageSet images = images_for(network, 12);
    TransientEvaluator evaluator(network, images, evaluation_options(EvaluationMode::exact));
    EXPECT_THROW(static_cast<void>(evaluator.evaluate(
                     LayerId(0), {TransientStrike{StratumId(0), LayerId(0), InstructionFault{}, {0}}})),
                 JobError);
}

/// The network of everything, and one with gates.
std::vector<Network> samples_in(NumberFormat format)
{
    return {in_format(network_of_everything(), format), in_format(gated_network(), format)};
}

class OnLibtorch : public ::testing::TestWithParam<NumberFormat>
{};

// LibTorch multiplies in float64 and rescales in int64: every outcome of the native kernels, in both modes.
TEST_P(OnLibtorch, FaultsInParameters)
{
    const std::vector<TensorKind> kinds{TensorKind::weights, TensorKind::biases, TensorKind::batch_norm};
    for (const Network& network : samples_in(GetParam()))
    {
        const ImageSet images = images_for(network, 30);
        for (const EvaluationMode mode :
             {EvaluationMode::exact, EvaluationMode::screened, EvaluationMode::reference})
        {
            EvaluationOptions options = evaluation_options(mode, 2);
            options.tolerances = {1};
            options.parameters = kinds;
            options.backend = Backend::libtorch;
            Evaluator emulated(network, images, options);
            options.backend = Backend::automatic;
            options.mode = EvaluationMode::exact;
            Evaluator native(network, images, options);
            EXPECT_EQ(emulated.golden().margin, native.golden().margin);
            for (const InjectableLayer& layer : injectable_layers(network, kinds))
            {
                const std::vector<WeightChange> changes = random_struck_words(network, layer, 12);
                const std::vector<Outcome> want = native.evaluate(layer.id, changes);
                const std::vector<Outcome> got = emulated.evaluate(layer.id, changes);
                for (std::size_t f = 0; f < changes.size(); ++f)
                {
                    EXPECT_EQ(got[f].tally, want[f].tally) << layer.name << ", fault " << f;
                }
            }
            if (mode == EvaluationMode::exact)
            {
                EXPECT_GT(emulated.work().masked, 0U);
            }
        }
    }
}

TEST_P(OnLibtorch, TransientFaults)
{
    const Network network = in_format(network_of_everything(), GetParam());
    const ImageSet images = images_for(network, 12);
    TransientPlanOptions plan_options;
    plan_options.plan.images = 12;
    plan_options.plan.limit = 150;
    plan_options.images_per_fault = 3;
    plan_options.rules = FeatureMapRules{{Geometry::element}, {1}, BitError{}, Combine::bit_flip};
    const TransientPlan plan(network, plan_options);
    TransientEvaluator native(network, images, evaluation_options(EvaluationMode::exact));
    for (const EvaluationMode mode : {EvaluationMode::exact, EvaluationMode::reference})
    {
        EvaluationOptions options = evaluation_options(mode, 2);
        options.backend = Backend::libtorch;
        TransientEvaluator emulated(network, images, options);
        for (const Chunk& chunk : plan.plan().chunks())
        {
            const std::vector<TransientStrike> strikes = strikes_of(plan, chunk);
            const auto want = native.evaluate(chunk.layer, strikes);
            const auto got = emulated.evaluate(chunk.layer, strikes);
            for (std::size_t f = 0; f < strikes.size(); ++f)
            {
                EXPECT_EQ((*got)[f].tally, (*want)[f].tally);
                EXPECT_EQ((*got)[f].masked, (*want)[f].masked);
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Formats, OnLibtorch,
                         ::testing::Values(NumberFormat::fxp8, NumberFormat::fxp16, NumberFormat::int8),
                         [](const auto& instance) { return to_string(instance.param); });

TEST(OnLibtorch, RefusesWordsThatFloat64DoesNotHold)
{
    const Network network = in_format(network_of_everything(), NumberFormat::fxp32);
    EvaluationOptions options = evaluation_options(EvaluationMode::exact);
    options.backend = Backend::libtorch;
    try
    {
        Evaluator(network, images_for(network, 20), options);
        FAIL() << "it was not refused";
    }
    catch (const JobError& error)
    {
        EXPECT_NE(std::string(error.what()).find("words of more than 16 bits"), std::string::npos)
            << error.what();
    }
}

}  // namespace
}  // namespace flipstorm
