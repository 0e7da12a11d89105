#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>

#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"
#include "engine/data/synthetic.hpp"
#include "engine/evaluate/evaluator.hpp"
#include "engine/network/builders.hpp"
#include "engine/train/train.hpp"
#include "sample_networks.hpp"

namespace flipstorm
{
namespace
{

/// `exact` must give what `reference` gives, and for stopped faults a bound that `reference` keeps.
void expect_exact_equals_reference(const Network& network, const ImageSet& images, int faults_per_layer)
{
    set_compute_threads(1);
    Evaluator reference(network, images, evaluation_options(EvaluationMode::reference));
    Evaluator exact(network, images, evaluation_options(EvaluationMode::exact));
    Evaluator threaded(network, images, evaluation_options(EvaluationMode::exact, 3));
    int stopped = 0;
    for (const InjectableLayer& layer : injectable_layers(network))
    {
        const std::vector<WeightChange> changes = random_flips(network, layer, faults_per_layer);
        const std::vector<Outcome> want = reference.evaluate(layer.id, changes);
        const std::vector<Outcome> got = exact.evaluate(layer.id, changes);
        const std::vector<Outcome> again = threaded.evaluate(layer.id, changes);
        for (std::size_t f = 0; f < changes.size(); ++f)
        {
            EXPECT_EQ(want[f].tally.evaluated, static_cast<std::uint32_t>(images.size()));
            EXPECT_FALSE(want[f].stopped);
            EXPECT_TRUE(got[f].tally == again[f].tally && got[f].drop == again[f].drop) << "threads matter";
            if (got[f].stopped)
            {
                ++stopped;
                EXPECT_GT(got[f].drop, 0.1);
                EXPECT_LE(got[f].drop, want[f].drop);
                EXPECT_LE(got[f].tally.mismatches, want[f].tally.mismatches);
                continue;
            }
            EXPECT_TRUE(got[f].tally == want[f].tally)
                << layer.name << " parameter " << changes[f].parameter << " = " << changes[f].value
                << ": correct " << got[f].tally.correct << " / " << want[f].tally.correct << ", mismatches "
                << got[f].tally.mismatches << " / " << want[f].tally.mismatches << ", non-finite "
                << got[f].tally.nonfinite << " / " << want[f].tally.nonfinite;
            EXPECT_EQ(got[f].drop, want[f].drop);
        }
    }
    EXPECT_GT(stopped, 0) << "no fault was critical: the comparison says little";
}

TEST(Evaluator, ExactEqualsReferenceOnATrainedLenet)
{
    const Dataset data = make_synthetic_dataset(3, {1500, 450, 1, 28, 28, 10});
    Network network = build_network("lenet5", {1, 28, 28}, 10, data.normalisation, 3);
    TrainOptions training;
    training.epochs = 4;
    training.lr = 0.05;
    set_compute_threads(2);
    ASSERT_TRUE(train(
        network, data.train, training, [](const EpochReport&) {}, [] { return false; }));
    EXPECT_GT(accuracy(network, data.test, {}), 0.9);
    expect_exact_equals_reference(network, data.test, 60);
}

// A residual block with a projection, strides and groups: values that do not depend on the faulty layer enter
// its suffix.
TEST(Evaluator, ExactEqualsReferenceOnABranchedGraph)
{
    Graph graph({2, 12, 12});
    const NodeId stem = graph.add("stem", Conv2dOp{2, 8, 3, 1, 1, 1, true}, {NodeId(0)});
    const NodeId relu = graph.add("relu0", ReluOp{}, {stem});
    NodeId body = graph.add("a", Conv2dOp{8, 8, 3, 2, 1, 4, false}, {relu});
    body = graph.add("relu1", ReluOp{}, {body});
    body = graph.add("b", Conv2dOp{8, 8, 3, 1, 1, 1, true}, {body});
    const NodeId shortcut = graph.add("shortcut", Conv2dOp{8, 8, 1, 2, 0, 1, false}, {relu});
    NodeId at = graph.add("sum", AddOp{}, {body, shortcut});
    at = graph.add("relu2", ReluOp{}, {at});
    at = graph.add("pool", MaxPool2dOp{2, 2}, {at});
    at = graph.add("flatten", FlattenOp{}, {at});
    graph.add("fc", LinearOp{72, 6, false}, {at});
    const Network network = with_parameters(std::move(graph), 6, 5);
    check_network(network, "test");
    expect_exact_equals_reference(network, images_for(network, 430), 60);
}

/// A network of one linear layer on a 1×1×2 image, small enough to reckon by hand.
class TinyNetwork : public ::testing::Test
{
  protected:
    TinyNetwork()
    {
        set_compute_threads(1);
        Graph graph({1, 1, 2});
        graph.add("flatten", FlattenOp{}, {NodeId(0)});
        graph.add("fc", LinearOp{2, 2, true}, {NodeId(1)});
        network_ = {"tiny", NumberFormat::fp32, std::move(graph), 2, {{0.0F}, {1.0F}}, {}};
        network_.parameters = {{"fc.weight", {2, 2}, {1, 0, 0, 1}}, {"fc.bias", {2}, {0, 0}}};
        // z = x: the brighter pixel wins. Image 2 is labelled wrongly.
        images_ = {1, 1, 2, {255, 0, 0, 255, 255, 0, 51, 102}, {0, 1, 1, 1}};
    }

    Outcome one(EvaluationMode mode, WeightChange change)
    {
        return Evaluator(network_, images_, evaluation_options(mode)).evaluate(LayerId(0), {change}).front();
    }

    Network network_{{}, NumberFormat::fp32, Graph({1}), 0, {}, {}};
    ImageSet images_;
};

TEST_F(TinyNetwork, GoldenIsWhatTheHandReckons)
{
    const Evaluator evaluator(network_, images_, evaluation_options(EvaluationMode::exact));
    EXPECT_EQ(evaluator.golden().top1, (std::vector<std::int32_t>{0, 1, 0, 1}));
    EXPECT_EQ(evaluator.golden().correct, 3U);
    EXPECT_NEAR(evaluator.golden().margin[3], 0.2F, 1e-6);
}

TEST_F(TinyNetwork, OutcomesAreWhatTheHandReckons)
{
    for (const EvaluationMode mode : {EvaluationMode::reference, EvaluationMode::exact})
    {
        // w00 = −1: z = (−x0, x1). Images 0 and 2 turn to class 1: one lost, one won.
        const Outcome flipped = one(mode, {0, -1.0F});
        EXPECT_EQ(flipped.tally.correct, 3U);
        EXPECT_EQ(flipped.tally.mismatches, 2U);
        EXPECT_EQ(flipped.drop, 0.0);
        // w01 = NaN: every logit 0 is NaN, whatever x1 is (0 · NaN = NaN).
        const Outcome poisoned = one(mode, {1, std::numeric_limits<float>::quiet_NaN()});
        EXPECT_EQ(poisoned.tally.nonfinite, 4U);
        EXPECT_EQ(poisoned.tally.correct, 0U);
        EXPECT_EQ(poisoned.tally.mismatches, 4U);
        EXPECT_EQ(poisoned.drop, 0.75);
        // The golden value again: nothing changes.
        const Outcome same = one(mode, {3, 1.0F});
        EXPECT_EQ(same.tally.mismatches, 0U);
        EXPECT_EQ(same.tally.correct, 3U);
        // An infinite weight makes an infinite logit where its input is not zero, and 0 · ∞ = NaN where it
        // is.
        const Outcome infinite = one(mode, {0, std::numeric_limits<float>::infinity()});
        EXPECT_EQ(infinite.tally.nonfinite, 4U);
    }
}

TEST_F(TinyNetwork, TiesGoToTheFirstClass)
{
    network_.parameters[0].set_values({1, 0, 1, 0});  // z0 = z1 = x0
    const Evaluator evaluator(network_, images_, evaluation_options(EvaluationMode::exact));
    EXPECT_EQ(evaluator.golden().top1, (std::vector<std::int32_t>{0, 0, 0, 0}));
}

TEST_F(TinyNetwork, RefusesWhatDoesNotFit)
{
    ImageSet wide = images_;
    wide.width = 1;
    wide.height = 2;
    EXPECT_THROW(Evaluator(network_, wide, evaluation_options(EvaluationMode::exact)), DataError);
    EvaluationOptions small = evaluation_options(EvaluationMode::exact);
    small.memory_budget = 100;
    EXPECT_THROW(Evaluator(network_, images_, small), JobError);
    network_.parameters[1].set_value(0, std::numeric_limits<float>::infinity());
    EXPECT_THROW(Evaluator(network_, images_, evaluation_options(EvaluationMode::exact)), DataError);
    network_.parameters[1].set_value(0, 0);
    Evaluator evaluator(network_, images_, evaluation_options(EvaluationMode::exact));
    EXPECT_THROW(static_cast<void>(evaluator.evaluate(LayerId(1), {})), Error);
    EXPECT_THROW(static_cast<void>(evaluator.evaluate(LayerId(0), {{4, 0.0F}})), Error);
}

// The smallest budget that is accepted holds one of five tiles: golden values are computed again and again,
// and layers take turns; outcomes stay.
TEST(Evaluator, GoldenSharesSumToTheWhole)
{
    Graph graph({2, 8, 8});
    const NodeId conv = graph.add("conv", Conv2dOp{2, 4, 3, 1, 1, 1, true}, {NodeId(0)});
    const NodeId relu = graph.add("relu", ReluOp{}, {conv});
    const NodeId flat = graph.add("flatten", FlattenOp{}, {relu});
    graph.add("fc", LinearOp{256, 5, true}, {flat});
    const Network network = with_parameters(std::move(graph), 5, 3);
    const ImageSet images = images_for(network, 450);
    set_compute_threads(1);
    EvaluationOptions options = evaluation_options(EvaluationMode::exact);
    const Evaluator alone(network, images, options);
    for (const std::uint64_t parts : {1U, 2U, 5U})
    {
        std::vector<float> sum(static_cast<std::size_t>(images.size() * network.num_classes), 0);
        for (std::uint64_t part = 0; part < parts; ++part)
        {
            const std::vector<float> share = golden_share(network, images, options, part, parts);
            ASSERT_EQ(share.size(), sum.size());
            for (std::size_t i = 0; i < sum.size(); ++i)
            {
                EXPECT_TRUE(share[i] == 0 || sum[i] == 0) << "two parts compute one image";
                sum[i] += share[i];
            }
        }
        options.golden_logits = sum;
        const Evaluator shared(network, images, options);
        EXPECT_EQ(shared.golden().top1, alone.golden().top1);
        EXPECT_EQ(shared.golden().margin, alone.golden().margin);
    }
    options.golden_logits.pop_back();
    EXPECT_THROW(Evaluator(network, images, options), Error);
    EXPECT_THROW(static_cast<void>(golden_share(network, images, options, 2, 2)), Error);
}

TEST(Evaluator, OutcomesDoNotDependOnTheMemoryBudget)
{
    set_compute_threads(1);
    const Dataset data = make_synthetic_dataset(3, {10, 900, 1, 28, 28, 10});
    const Network network = build_network("lenet5", {1, 28, 28}, 10, data.normalisation, 3);
    EvaluationOptions tight = evaluation_options(EvaluationMode::exact);
    std::unique_ptr<Evaluator> small;
    for (tight.memory_budget = 1U << 20U; !small; tight.memory_budget += 1U << 18U)
    {
        try
        {
            small = std::make_unique<Evaluator>(network, data.test, tight);
        }
        catch (const JobError&)
        {
            ASSERT_LT(tight.memory_budget, 1U << 30U);
        }
    }
    Evaluator large(network, data.test, evaluation_options(EvaluationMode::exact));
    const std::vector<InjectableLayer> layers = injectable_layers(network);
    for (const std::size_t l : {1U, 3U, 1U})
    {
        const std::vector<WeightChange> changes = random_flips(network, layers[l], 20);
        const std::vector<Outcome> a = small->evaluate(layers[l].id, changes);
        const std::vector<Outcome> b = large.evaluate(layers[l].id, changes);
        for (std::size_t f = 0; f < changes.size(); ++f)
        {
            EXPECT_TRUE(a[f].tally == b[f].tally && a[f].drop == b[f].drop);
        }
    }
}

// An evaluator of few images knows what one of all of them will need.
TEST(Evaluator, TellsTheMemoryBeforehand)
{
    set_compute_threads(1);
    const Dataset data = make_synthetic_dataset(3, {10, 1000, 1, 28, 28, 10});
    const Network network = build_network("lenet5", {1, 28, 28}, 10, data.normalisation, 3);
    for (const std::uint64_t budget : {std::uint64_t{60} << 20U, std::uint64_t{1} << 30U})
    {
        EvaluationOptions options = evaluation_options(EvaluationMode::exact);
        options.memory_budget = budget;
        const Evaluator few(network, data.test.head(5), options);
        for (const InjectableLayer& layer : injectable_layers(network))
        {
            const LayerMemory memory = few.memory(layer.id, 1000, 1);
            EXPECT_EQ(memory.tiles, 5U);
            EXPECT_EQ(memory.tile_images, 200U);
            EXPECT_LE(memory.total(), budget);
            EXPECT_LE(memory.kept, 5U);
            if (budget == std::uint64_t{1} << 30U)
            {
                EXPECT_EQ(memory.kept, 5U) << "room for all";
            }
            Evaluator all(network, data.test, options);
            static_cast<void>(all.evaluate(layer.id, random_flips(network, layer, 2)));
            const std::uint64_t used = all.work().peak_bytes;
            EXPECT_LE(used, memory.total()) << layer.name;
            EXPECT_GE(used, memory.total() / 2) << layer.name;
        }
        EXPECT_THROW(static_cast<void>(few.memory(LayerId(5), 1000, 1)), Error);
    }
    EvaluationOptions options = evaluation_options(EvaluationMode::exact);
    options.memory_budget = std::uint64_t{60} << 20U;
    const Evaluator few(network, data.test.head(5), options);
    EXPECT_THROW(static_cast<void>(few.memory(LayerId(0), 1000, 4096)), JobError);
}

TEST(Evaluator, AbandonsABatchWhenAsked)
{
    set_compute_threads(1);
    const Dataset data = make_synthetic_dataset(3, {10, 900, 1, 28, 28, 10});
    const Network network = build_network("lenet5", {1, 28, 28}, 10, data.normalisation, 3);
    Evaluator evaluator(network, data.test, evaluation_options(EvaluationMode::exact));
    const InjectableLayer layer = injectable_layers(network)[4];
    const std::vector<WeightChange> changes = random_flips(network, layer, 3);
    int asked = 0;
    EXPECT_FALSE(evaluator.evaluate(layer.id, changes, {}, [&] { return ++asked > 2; }).has_value());
    EXPECT_EQ(asked, 3);
    EXPECT_TRUE(evaluator.evaluate(layer.id, changes, {}, [] { return false; }).has_value());
}

}  // namespace
}  // namespace flipstorm
