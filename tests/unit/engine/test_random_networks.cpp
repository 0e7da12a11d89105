// Random networks: native kernels, LibTorch and `reference` have to agree on weight faults and on transient
// ones.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include "engine/base/error.hpp"
#include "engine/evaluate/transient_evaluator.hpp"
#include "random_graph.hpp"
#include "sample_networks.hpp"

namespace flipstorm
{
namespace
{

constexpr std::int32_t kClasses = kRandomClasses;

/// Whether some node reads a value twice.
bool reads_twice(const Graph& graph)
{
    return std::any_of(graph.nodes().begin(), graph.nodes().end(), [](const Node& node) {
        std::vector<NodeId> inputs = node.inputs;
        std::sort(inputs.begin(), inputs.end());
        return std::adjacent_find(inputs.begin(), inputs.end()) != inputs.end();
    });
}

struct Comparison
{
    int faults = 0;
    int changed = 0;  ///< faults with a changed prediction
    int apart = 0;    ///< faults whose tallies differ

    void add(const Tally& got, const Tally& want, const std::string& where)
    {
        ++faults;
        changed += want.mismatches > 0 ? 1 : 0;
        if (got == want) return;
        ++apart;
        // Rounding may decide a near-tie; hardly ever two of a fault.
        EXPECT_LE(std::abs(static_cast<int>(got.mismatches) - static_cast<int>(want.mismatches)), 1) << where;
        EXPECT_EQ(got.nonfinite, want.nonfinite) << where;
    }

    void expect_alike() const
    {
        EXPECT_GT(changed, faults / 20) << "hardly a fault matters: the comparison says little";
        EXPECT_LE(apart, faults / 200) << "of " << faults;
    }
};

TEST(RandomNetworks, BackendsAgreeOnWeightFaults)
{
    Comparison comparison;
    int twice = 0;
    for (std::uint64_t seed = 0; seed < 60; ++seed)
    {
        const Network network = with_parameters(RandomGraph(seed).take(), kClasses, seed);
        twice += reads_twice(network.graph) ? 1 : 0;
        const ImageSet images = images_for(network, 30);
        Evaluator reference(network, images, evaluation_options(EvaluationMode::reference));
        for (const Backend backend : {Backend::automatic, Backend::libtorch})
        {
            EvaluationOptions options = evaluation_options(EvaluationMode::exact);
            options.tolerances = {1};  // nothing stops early
            options.backend = backend;
            Evaluator evaluator(network, images, options);
            for (const InjectableLayer& layer : injectable_layers(network))
            {
                const std::vector<WeightChange> changes = random_flips(network, layer, 12);
                const std::vector<Outcome> want = reference.evaluate(layer.id, changes);
                const std::vector<Outcome> got = evaluator.evaluate(layer.id, changes);
                for (std::size_t f = 0; f < changes.size(); ++f)
                {
                    comparison.add(got[f].tally, want[f].tally,
                                   fmt::format("seed {}, backend {}, layer {}, weight {} = {}", seed,
                                               backend == Backend::automatic ? "auto" : "libtorch",
                                               layer.name, changes[f].parameter, changes[f].value));
                }
            }
        }
    }
    EXPECT_GT(twice, 30);
    comparison.expect_alike();
}

// A gate falls to nothing while what it gates grows: the two parts of the product's change cancel.
TEST(RandomNetworks, BackendsAgreeOnLargeChangesOfBothFactors)
{
    for (const bool gate_first : {true, false})
    {
        const Network network = gated_network(gate_first);
        const ImageSet images = images_for(network, 30);
        Evaluator reference(network, images, evaluation_options(EvaluationMode::reference));
        for (const Backend backend : {Backend::native, Backend::libtorch})
        {
            EvaluationOptions options = evaluation_options(EvaluationMode::exact);
            options.tolerances = {1};
            options.backend = backend;
            Evaluator evaluator(network, images, options);
            std::vector<WeightChange> changes;
            for (const float size :
                 {1e2F, 1e3F, 1e4F, 1e5F, 1e7F, 1e10F, 1e14F, 1.8e17F, 9e17F, 1e19F, 3e38F})
            {
                for (const float sign : {1.0F, -1.0F})
                {
                    for (const std::uint64_t weight : {0, 31, 62, 93})
                        changes.push_back({weight, sign * size, changes.size()});
                }
            }
            const std::vector<Outcome> want = reference.evaluate(LayerId(0), changes);
            const std::vector<Outcome> got = evaluator.evaluate(LayerId(0), changes);
            for (std::size_t f = 0; f < changes.size(); ++f)
            {
                EXPECT_EQ(got[f].tally, want[f].tally)
                    << "weight " << changes[f].parameter << " = " << changes[f].value << ", gate "
                    << (gate_first ? "first" : "second")
                    << (backend == Backend::native ? ", native" : ", libtorch");
            }
        }
    }
}

TEST(RandomNetworks, BackendsAgreeOnTransientFaults)
{
    Comparison comparison;
    for (std::uint64_t seed = 100; seed < 130; ++seed)
    {
        const Network network = with_parameters(RandomGraph(seed).take(), kClasses, seed);
        const ImageSet images = images_for(network, 12);
        TransientPlanOptions plan_options;
        plan_options.plan.seed = seed;
        plan_options.plan.images = 12;
        plan_options.plan.limit = 120;
        plan_options.images_per_fault = 3;
        const std::vector<Geometry> geometries{Geometry::single, Geometry::row, Geometry::block};
        plan_options.rules = seed % 2 == 0
                                 ? TransientRules{InstructionRules{}}
                                 : TransientRules{FeatureMapRules{
                                       geometries, {0.5, 0.5, 0.5}, UniformError{30}, Combine::add}};
        const TransientPlan plan(network, plan_options);
        TransientEvaluator reference(network, images, evaluation_options(EvaluationMode::reference));
        for (const Backend backend : {Backend::automatic, Backend::libtorch})
        {
            EvaluationOptions options = evaluation_options(EvaluationMode::exact);
            options.backend = backend;
            TransientEvaluator evaluator(network, images, options);
            for (const Chunk& chunk : plan.plan().chunks())
            {
                std::vector<TransientStrike> strikes;
                for (std::uint64_t i = 0; i < chunk.count; ++i)
                    strikes.push_back(plan.strike(FaultIndex(chunk.first.value() + i)));
                const auto want = reference.evaluate(chunk.layer, strikes);
                const auto got = evaluator.evaluate(chunk.layer, strikes);
                for (std::size_t f = 0; f < strikes.size(); ++f)
                {
                    comparison.add((*got)[f].tally, (*want)[f].tally,
                                   fmt::format("seed {}, backend {}, fault {}", seed,
                                               backend == Backend::automatic ? "auto" : "libtorch",
                                               chunk.first.value() + f));
                }
            }
        }
    }
    comparison.expect_alike();
}

// Weights so large that the order of a sum decides whether it overflows: every way has to do as `reference`.
TEST(RandomNetworks, BackendsAgreeOnWhatOverflows)
{
    int apart = 0;
    int nonfinite = 0;
    int finite = 0;
    for (std::uint64_t seed = 200; seed < 230; ++seed)
    {
        const Network network = with_parameters(RandomGraph(seed).take(), kClasses, seed);
        const ImageSet images = images_for(network, 30);
        Evaluator reference(network, images, evaluation_options(EvaluationMode::reference));
        for (const Backend backend : {Backend::automatic, Backend::libtorch})
        {
            EvaluationOptions options = evaluation_options(EvaluationMode::exact);
            options.tolerances = {1};
            options.backend = backend;
            Evaluator evaluator(network, images, options);
            for (const InjectableLayer& layer : injectable_layers(network))
            {
                std::vector<WeightChange> changes;
                RandomStream random(seed, RandomPurpose::test, 9);
                for (std::uint64_t f = 0; f < 16; ++f)
                {
                    const float size = std::pow(10.0F, 35.5F + 3.0F * static_cast<float>(random.uniform()));
                    changes.push_back({random.below(layer.weights), f % 2 == 0 ? size : -size, f});
                }
                const std::vector<Outcome> want = reference.evaluate(layer.id, changes);
                const std::vector<Outcome> got = evaluator.evaluate(layer.id, changes);
                for (std::size_t f = 0; f < changes.size(); ++f)
                {
                    apart += got[f].tally == want[f].tally ? 0 : 1;
                    nonfinite += want[f].tally.nonfinite > 0 ? 1 : 0;
                    finite += want[f].tally.nonfinite < 30 ? 1 : 0;
                }
            }
        }
    }
    EXPECT_EQ(apart, 0);
    EXPECT_GT(nonfinite, 500);
    EXPECT_GT(finite, 500);
}

}  // namespace
}  // namespace flipstorm
