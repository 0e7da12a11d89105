// How long forests take on the rows of a file, and how good they are. Run by compare_forests.py.
//
//     bench_forest ROWS.bin KIND TREES THREADS SEED
//
// ROWS.bin: int32 counts of features, training rows, test rows and layers; of each layer int32 output
// channels, input channels and kernel elements; then float32 [features, training rows], uint8 [training rows]
// labels, float32 [features, test rows], uint8 [test rows]. The features are those of FaultFeature. Prints
// one JSON object: seconds of the fit (of binning beside it), of the prediction of every bit of words of 32
// bits, the number of those bits, and the ROC AUC on the test rows.

#include <fmt/format.h>

#include <cstdlib>
#include <exception>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "analysis/criticality.hpp"
#include "analysis/forest.hpp"
#include "analysis/metrics.hpp"
#include "engine/base/timing.hpp"

namespace
{

using namespace flipstorm;

template<class T>
std::vector<T> read(std::ifstream& file, std::size_t count)
{
    std::vector<T> values(count);
    file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(count * sizeof(T)));
    if (!file) throw std::runtime_error("the file of rows ends early");
    return values;
}

struct Rows
{
    std::vector<std::vector<float>> columns;
    std::vector<std::uint8_t> labels;
};

Rows read_rows(std::ifstream& file, std::size_t features, std::size_t count)
{
    Rows rows;
    for (std::size_t f = 0; f < features; ++f)
        rows.columns.push_back(read<float>(file, count));
    rows.labels = read<std::uint8_t>(file, count);
    return rows;
}

struct Network
{
    LayerTable layers;
    std::vector<LayerWeights> weights;
    std::uint64_t bits = 0;
};

/// A network of words of 32 bits whose values alternate in sign.
Network read_network(std::ifstream& file, std::size_t layers)
{
    Network network;
    for (std::size_t l = 0; l < layers; ++l)
    {
        const auto shape = read<std::int32_t>(file, 3);
        const auto count = static_cast<std::size_t>(shape[0]) * static_cast<std::size_t>(shape[1]) *
                           static_cast<std::size_t>(shape[2]);
        const std::string name = "layer" + std::to_string(l);
        network.layers.name.push_back(name);
        network.layers.weights.push_back(count);
        network.layers.out_channels.push_back(shape[0]);
        network.layers.in_channels.push_back(shape[1]);
        network.layers.word_bits.push_back(32);
        std::vector<float> values(count);
        for (std::size_t i = 0; i < count; ++i)
            values[i] = i % 2 == 0 ? 0.5F : -0.5F;
        const SharedValues shared{std::move(values)};
        network.weights.push_back({name, shared, StoredTensor({shape[0], shape[1], shape[2]}, shared)});
        network.bits += 32 * count;
    }
    return network;
}

int run(char** argv)
{
    std::ifstream file(argv[1], std::ios::binary);
    const auto counts = read<std::int32_t>(file, 4);
    const auto features = static_cast<std::size_t>(counts[0]);
    const Network network = read_network(file, static_cast<std::size_t>(counts[3]));
    const Rows train = read_rows(file, features, static_cast<std::size_t>(counts[1]));
    const Rows test = read_rows(file, features, static_cast<std::size_t>(counts[2]));

    ForestSettings settings;
    settings.bag = bag_of(argv[2], "undersample_bootstrap");
    settings.trees = std::atoi(argv[3]);
    settings.threads = std::atoi(argv[4]);
    settings.seed = static_cast<std::uint64_t>(std::atoll(argv[5]));
    const Stopwatch watch;
    const std::vector<std::string> extra(features > kFaultFeatures ? 1 : 0, "kernel_position");
    const FaultFeatures seen(extra, network.layers, network.weights);
    const FeatureTable table = make_feature_table(seen.names(), train.columns);
    const double binned = watch.seconds();
    std::vector<std::uint32_t> rows(train.labels.size());
    std::iota(rows.begin(), rows.end(), 0U);
    const Forest forest = Forest::train(table, train.labels, rows, settings);
    const double fitted = watch.seconds();
    for (std::size_t l = 0; l < network.layers.size(); ++l)
        predict_layer(forest, seen, network.layers, l, network.weights[l], settings.threads);
    const double mapped = watch.seconds();

    std::vector<float> values;
    for (std::size_t row = 0; row < test.labels.size(); ++row)
    {
        for (const auto& column : test.columns)
            values.push_back(column[row]);
    }
    const std::vector<double> scores = forest.predict(values, settings.threads);
    std::vector<ScoredCounts> scored;
    for (std::size_t row = 0; row < scores.size(); ++row)
        scored.push_back(
            {scores[row], test.labels[row] == 0U ? 1.0 : 0.0, test.labels[row] != 0U ? 1.0 : 0.0});
    std::size_t nodes = 0;
    nodes = forest.record().feature.size();
    fmt::print(
        "{{\"bin_s\": {:.3f}, \"fit_s\": {:.3f}, \"map_s\": {:.3f}, \"bits\": {}, \"nodes\": {}, \"auc\": "
        "{:.6f}}}\n",
        binned, fitted - binned, mapped - fitted, network.bits, nodes, roc_auc(scored));
    return 0;
}

}  // namespace

int main(int argc, char** argv)
{
    if (argc != 6)
    {
        fmt::print(stderr, "usage: bench_forest ROWS.bin KIND TREES THREADS SEED\n");
        return 64;
    }
    try
    {
        return run(argv);
    }
    catch (const std::exception& error)
    {
        fmt::print(stderr, "bench_forest: {}\n", error.what());
        return 1;
    }
}
