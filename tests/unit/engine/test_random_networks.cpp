// Random networks, in which values are read twice and three times, also by the same node: native kernels,
// LibTorch and `reference` have to agree on weight faults and on transient ones.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>
#include <string>

#include "engine/base/error.hpp"
#include "engine/evaluate/transient_evaluator.hpp"
#include "sample_networks.hpp"

namespace flipstorm
{
namespace
{

constexpr std::int32_t kClasses = 5;

/// Grows a graph node by node.
class RandomGraph
{
  public:
    explicit RandomGraph(std::uint64_t seed)
        : random_(seed, RandomPurpose::test, 77), graph_({2, 8 + below(3), 8 + below(3)})
    {
        layer(NodeId(0));
        for (std::int64_t k = 4 + below(6); k > 0; --k)
            grow();
        // What nobody has read joins in at the end, so that every layer matters.
        std::vector<NodeId> unread;
        for (const NodeId id : values_)
        {
            if (read_.count(id) == 0) unread.push_back(id);
        }
        NodeId at = unread[0];
        if (unread.size() > 1)
        {
            for (NodeId& id : unread)
                id = add(GlobalAvgPoolOp{}, {id});
            at = add(ConcatOp{}, unread);
        }
        at = add(FlattenOp{}, {at});
        if (below(2) == 0) at = add(ReluOp{}, {at});
        at = add(LinearOp{graph_.node(at).shape[0], 7, true}, {at});
        at = add(ReluOp{}, {at});
        if (below(2) == 0) at = add(AddOp{}, {at, at});
        add(LinearOp{graph_.node(at).shape[0], kClasses, true}, {at});
    }

    Graph take() { return std::move(graph_); }

  private:
    std::int64_t below(std::int64_t end)
    {
        return static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(end)));
    }

    NodeId add(Operation operation, const std::vector<NodeId>& inputs)
    {
        const NodeId id =
            graph_.add("n" + std::to_string(graph_.nodes().size()), std::move(operation), inputs);
        values_.push_back(id);
        read_.insert(inputs.begin(), inputs.end());
        return id;
    }

    /// A value computed before, mostly a late one.
    NodeId any()
    {
        const auto count = static_cast<std::int64_t>(values_.size());
        return values_[static_cast<std::size_t>(count - 1 - std::min(below(count), below(count)))];
    }

    /// One of the values of a shape; \param channels  0: any number of them
    NodeId like(const Shape& shape, std::int64_t channels)
    {
        std::vector<NodeId> fits;
        for (const NodeId id : values_)
        {
            const Shape& s = graph_.node(id).shape;
            if (s[1] == shape[1] && s[2] == shape[2] && (channels == 0 || s[0] == channels))
                fits.push_back(id);
        }
        return fits[static_cast<std::size_t>(below(static_cast<std::int64_t>(fits.size())))];
    }

    NodeId layer(NodeId from)
    {
        const Shape shape = graph_.node(from).shape;
        const std::int64_t kernel = std::min<std::int64_t>({1 + below(3), shape[1], shape[2]});
        const std::int64_t groups = shape[0] % 2 == 0 && below(3) == 0 ? 2 : 1;
        const std::int64_t stride = shape[1] > 4 && shape[2] > 4 ? 1 + below(4) / 3 : 1;
        const bool room = 2 * kernel - 1 <= std::min(shape[1], shape[2]);
        const std::int64_t dilation = room && below(3) == 0 ? 2 : 1;
        return add(Conv2dOp{shape[0], groups * (1 + below(6)), kernel, stride, below(kernel), groups,
                            below(2) == 0, dilation},
                   {from});
    }

    /// Squeeze and excite: every channel times a number between 0 and 1, which depends on all.
    void excite(NodeId from)
    {
        const std::int64_t channels = graph_.node(from).shape[0];
        NodeId at = add(GlobalAvgPoolOp{}, {from});
        at = add(Conv2dOp{channels, 3, 1, 1, 0, 1, true}, {at});
        at = add(SiluOp{}, {at});
        at = add(Conv2dOp{3, channels, 1, 1, 0, 1, true}, {at});
        at = add(SigmoidOp{}, {at});
        if (below(2) == 0)
            add(MulOp{}, {at, from});
        else
            add(MulOp{}, {from, at});
    }

    void grow()
    {
        const NodeId from = any();
        const Shape shape = graph_.node(from).shape;
        switch (below(15))
        {
            case 0:
                add(BatchNormOp{shape[0]}, {from});
                break;
            case 1:
                add(Relu6Op{}, {from});
                break;
            case 2:
                add(ReluOp{}, {from});
                break;
            case 3:
                add(AddOp{}, {from, from});
                break;
            case 4:
                add(AddOp{}, {from, like(shape, shape[0])});
                break;
            case 5:
                add(ConcatOp{}, {from, from});
                break;
            case 6:
                add(ConcatOp{}, {like(shape, 0), from, like(shape, 0), from});
                break;
            case 7:
                add(PadOp{below(3), below(3), below(2), 0, 0, below(2)}, {from});
                break;
            case 8:
                add(SliceOp{0, below(shape[0]), shape[0], 1 + below(2)}, {from});
                break;
            case 9:
                if (shape[1] > 1 && shape[2] > 1) add(MaxPool2dOp{2, 1, below(2)}, {from});
                break;
            case 10:
                add(SiluOp{}, {from});
                break;
            case 11:
                add(SigmoidOp{}, {from});
                break;
            case 12:
                add(MulOp{}, {from, like(shape, shape[0])});
                break;
            case 13:
                excite(from);
                break;
            default:
                add(ReluOp{}, {layer(from)});
                break;
        }
    }

    RandomStream random_;
    Graph graph_;
    std::vector<NodeId> values_;
    std::set<NodeId> read_;
};

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
