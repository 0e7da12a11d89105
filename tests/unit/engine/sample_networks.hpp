#pragma once
// Networks, images and faults for the tests of the evaluators.

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/philox.hpp"
#include "engine/data/synthetic.hpp"
#include "engine/evaluate/evaluator.hpp"
#include "engine/network/network.hpp"
#include "random_parameters.hpp"

namespace flipstorm
{

inline EvaluationOptions evaluation_options(EvaluationMode mode, int threads = 1)
{
    EvaluationOptions options;
    options.mode = mode;
    for (int k = 1; k <= 20; ++k)
        options.tolerances.push_back(k / 200.0);
    options.threads = threads;
    return options;
}

/// Squeeze and excite, with smooth activations and a dilated convolution.
inline Network gated_network(bool gate_first = false)
{
    Graph graph({2, 10, 10});
    NodeId at = graph.add("stem", Conv2dOp{2, 6, 3, 1, 1, 1, true}, {NodeId(0)});
    at = graph.add("swish", SiluOp{}, {at});
    NodeId gate = graph.add("squeeze", GlobalAvgPoolOp{}, {at});
    gate = graph.add("excite", Conv2dOp{6, 6, 1, 1, 0, 1, true}, {gate});
    gate = graph.add("gate", SigmoidOp{}, {gate});
    at = gate_first ? graph.add("gated", MulOp{}, {gate, at}) : graph.add("gated", MulOp{}, {at, gate});
    at = graph.add("dilated", Conv2dOp{6, 8, 3, 2, 2, 2, true, 2}, {at});
    at = graph.add("relu", ReluOp{}, {at});
    at = graph.add("global", GlobalAvgPoolOp{}, {at});
    at = graph.add("flatten", FlattenOp{}, {at});
    graph.add("fc", LinearOp{8, 5, true}, {at});
    return with_parameters(std::move(graph), 5, 32);
}

/// Every other operation there is, branches, groups, and layers in front of and behind all of them.
inline Network network_of_everything()
{
    Graph graph({2, 12, 12});
    const NodeId stem = graph.add("stem", Conv2dOp{2, 8, 3, 1, 1, 1, true}, {NodeId(0)});
    const NodeId relu = graph.add("relu0", ReluOp{}, {stem});
    NodeId side = graph.add("rows", SliceOp{1, 0, 12, 2}, {relu});
    side = graph.add("columns", SliceOp{2, 1, 12, 2}, {side});
    side = graph.add("channels", PadOp{3, 5, 0, 0, 0, 0}, {side});
    NodeId body = graph.add("grouped", Conv2dOp{8, 16, 3, 2, 1, 2, false}, {relu});
    body = graph.add("bn", BatchNormOp{16}, {body});
    NodeId at = graph.add("sum", AddOp{}, {side, body});
    at = graph.add("relu6", Relu6Op{}, {at});
    const NodeId left = graph.add("left", Conv2dOp{16, 4, 1, 1, 0, 1, true}, {at});
    const NodeId pooled = graph.add("max", MaxPool2dOp{3, 1, 1}, {at});
    at = graph.add("joined", ConcatOp{}, {left, pooled});
    at = graph.add("mean", AvgPool2dOp{2, 1}, {at});
    at = graph.add("conv", Conv2dOp{20, 9, 2, 1, 0, 1, true}, {at});
    at = graph.add("global", GlobalAvgPoolOp{}, {at});
    at = graph.add("flatten", FlattenOp{}, {at});
    at = graph.add("relu", ReluOp{}, {at});
    at = graph.add("fc1", LinearOp{9, 12, true}, {at});
    at = graph.add("bn1", BatchNormOp{12}, {at});
    at = graph.add("relu1", ReluOp{}, {at});
    graph.add("fc2", LinearOp{12, 5, true}, {at});
    return with_parameters(std::move(graph), 5, 31);
}

/// Images for a network, labelled as it sees them except for every ninth: most are right, and faults can do
/// harm.
inline ImageSet images_for(const Network& network, std::int64_t count)
{
    const Shape& shape = network.graph.input_shape();
    ImageSet images =
        make_synthetic_test_images(4, {6, count, shape[0], shape[1], shape[2], network.num_classes});
    set_compute_threads(1);
    images.labels = Evaluator(network, images, evaluation_options(EvaluationMode::exact)).golden().top1;
    for (std::size_t i = 0; i < images.labels.size(); i += 9)
        images.labels[i] = (images.labels[i] + 1) % network.num_classes;
    return images;
}

/// Random single-bit faults of a layer.
inline std::vector<WeightChange> random_flips(const Network& network, const InjectableLayer& layer, int count)
{
    RandomStream random(11, RandomPurpose::test, static_cast<std::uint64_t>(layer.id.value()));
    std::vector<WeightChange> changes;
    for (int i = 0; i < count; ++i)
    {
        const std::uint64_t parameter = random.below(layer.weights);
        const auto bit = static_cast<std::int32_t>(random.below(32));
        changes.push_back({parameter, network.parameters[layer.weight].faulty_value(parameter, bit_flip(bit)),
                           static_cast<std::uint64_t>(i)});
    }
    return changes;
}

}  // namespace flipstorm
