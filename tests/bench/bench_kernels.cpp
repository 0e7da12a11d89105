// How fast the native kernels are, for every instruction set that the machine has:
//
//     build/tests/bench/bench_kernels --benchmark_filter=avx512
//
// MACs and floats per second are counters; shapes are those of LeNet-5 and ResNet-20.

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "engine/compute/cpu/native_network.hpp"

namespace flipstorm
{
namespace
{

std::vector<float> numbers(std::int64_t count)
{
    std::vector<float> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<float>(i % 17) / 16 - 0.5F;
    return values;
}

struct Product
{
    const char* name;
    std::int64_t inputs;   ///< channels that change
    std::int64_t outputs;  ///< channels
    std::int64_t kernel;
    std::int64_t side;  ///< of the output, in pixels
};

constexpr Product kProducts[] = {{"lenet5_conv2_one_channel", 1, 16, 5, 10},
                                 {"lenet5_fc1_one_neuron", 1, 120, 1, 1},
                                 {"resnet20_layer1_one_channel", 1, 16, 3, 32},
                                 {"resnet20_layer2", 32, 32, 3, 16},
                                 {"resnet20_layer3", 64, 64, 3, 8}};

/// A convolution over a framed slot, a plane of pixels a call.
void product(benchmark::State& state, const Kernels& kernels, const Product& shape)
{
    const std::int64_t width = shape.side + shape.kernel - 1;
    const std::int64_t channels = shape.inputs == 1 ? 1 : padded(shape.inputs);
    const PackedLayer layer =
        packed(numbers(shape.outputs * shape.inputs * shape.kernel * shape.kernel),
               {shape.outputs, 1, shape.inputs, shape.kernel * shape.kernel}, kernels.most_vectors);
    const std::vector<float> in = numbers(width * width * channels + 4 * kLanes);
    std::vector<float> out(static_cast<std::size_t>(shape.side * shape.side * padded(shape.outputs)));
    std::vector<std::ptrdiff_t> taps;
    for (std::int64_t t = 0; t < layer.taps; ++t)
        taps.push_back((t / shape.kernel * width + t % shape.kernel) * channels);
    std::vector<std::ptrdiff_t> quads;
    for (std::int64_t x = 0; x < shape.side; x += 4)
        quads.push_back(x * channels);
    ProductRow row;
    row.quad_offset = quads.data();
    row.pixel_step = channels;
    row.tap_offset = taps.data();
    row.taps = layer.taps;
    row.channels = shape.inputs;
    row.out_step = padded(shape.outputs);
    row.pixels = shape.side;
    for (auto _ : state)
    {
        for (const WeightBlock& block : layer.blocks)
        {
            row.weights = layer.weights.data() + block.offset;
            row.tap_weights = layer.group_inputs * block.vectors * kLanes;
            for (std::int64_t y = 0; y < shape.side; ++y)
            {
                row.in = in.data() + y * width * channels;
                row.out = out.data() + y * shape.side * row.out_step + block.first_output;
                kernels.product(row, block.vectors);
            }
        }
        benchmark::DoNotOptimize(out.data());
        benchmark::ClobberMemory();
    }
    state.counters["MAC/s"] =
        benchmark::Counter(static_cast<double>(state.iterations() * shape.side * shape.side * shape.outputs *
                                               shape.inputs * layer.taps),
                           benchmark::Counter::kIsRate);
}

void relu(benchmark::State& state, const Kernels& kernels)
{
    const std::int64_t count = state.range(0);
    const std::vector<float> golden = numbers(count);
    const std::vector<float> change = numbers(count);
    std::vector<float> out(golden.size());
    for (auto _ : state)
        benchmark::DoNotOptimize(kernels.relu(golden.data(), change.data(), out.data(), count, 6));
    state.SetItemsProcessed(state.iterations() * count);
}

/// First-order moves of two margins.
void dots(benchmark::State& state, const Kernels& kernels)
{
    constexpr std::int64_t kRivals = 2;
    const std::int64_t count = state.range(0);
    const std::vector<float> change = numbers(count);
    const std::vector<float> gradients = numbers(kRivals * count);
    float moves[kRivals];
    for (auto _ : state)
    {
        kernels.dots(change.data(), gradients.data(), count, kRivals, count, moves);
        benchmark::DoNotOptimize(moves);
    }
    state.SetItemsProcessed(state.iterations() * count * kRivals);
}

void add_benchmarks()
{
    for (const char* name : {"avx512", "avx2", "portable"})
    {
        const Kernels* const kernels = kernels_of(name);
        if (kernels == nullptr) continue;
        const std::string set = std::string(name) + "/";
        for (const Product& shape : kProducts)
        {
            benchmark::RegisterBenchmark(
                (set + "product/" + shape.name).c_str(),
                [kernels, &shape](benchmark::State& state) { product(state, *kernels, shape); });
        }
        benchmark::RegisterBenchmark((set + "relu").c_str(),
                                     [kernels](benchmark::State& state) { relu(state, *kernels); })
            ->Arg(1024)
            ->Arg(16384);
        benchmark::RegisterBenchmark((set + "dots").c_str(),
                                     [kernels](benchmark::State& state) { dots(state, *kernels); })
            ->Arg(1024)
            ->Arg(16384);
    }
}

}  // namespace
}  // namespace flipstorm

int main(int argc, char** argv)
{
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 64;
    flipstorm::add_benchmarks();
    benchmark::RunSpecifiedBenchmarks();
}
