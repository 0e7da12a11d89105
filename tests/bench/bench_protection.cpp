// The optimizer of the protection on a network of the size of ResNet-18: all options of its 21 layers, and
// the plan.

#include <benchmark/benchmark.h>

#include <cmath>

#include "analysis/layer_plan.hpp"
#include "engine/base/philox.hpp"
#include "engine/memory/number_format.hpp"

namespace flipstorm
{
namespace
{

/// Weights of the convolutions and of the linear layer of the CIFAR form of ResNet-18.
std::vector<std::size_t> sizes_of_resnet18()
{
    std::vector<std::size_t> sizes{1728};
    std::size_t in = 64;
    for (const std::size_t out : {64U, 128U, 256U, 512U})
    {
        sizes.insert(sizes.end(), {9 * in * out, 9U * out * out, 9U * out * out, 9U * out * out});
        if (in != out) sizes.push_back(in * out);
        in = out;
    }
    sizes.push_back(5120);
    return sizes;
}

void plan_resnet18(benchmark::State& state, NumberFormat format)
{
    const FormatTraits& traits = format_traits(format);
    std::vector<StoredTensor> words;
    std::vector<LayerRisk> risks;
    for (const std::size_t size : sizes_of_resnet18())
    {
        RandomStream random(1, RandomPurpose::test, size);
        std::vector<float> values(size);
        for (float& value : values)
            value = static_cast<float>(0.03 * random.normal());
        SharedValues scales;
        if (traits.scaling != Scaling::none) scales = std::vector<float>{std::ldexp(1.0F, 1 - traits.bits)};
        words.emplace_back(std::vector<std::int64_t>{static_cast<std::int64_t>(size)}, values, traits,
                           scales);
        LayerRisk risk{size, {}, {}};
        for (int bit = 0; bit < traits.bits; ++bit)
        {
            risk.of_bit.push_back(std::ldexp(static_cast<double>(size), bit - traits.bits));
            risk.of_bit_high.push_back(1 + risk.of_bit.back());
        }
        risks.push_back(std::move(risk));
    }
    for ([[maybe_unused]] const auto& iteration : state)
    {
        const LayerPlan plan = plan_layers(risks, words, {{1e-9, 0.05}, 0.01}, {std::nullopt, 1.0});
        state.counters["plans"] = static_cast<double>(plan.front.size());
        benchmark::DoNotOptimize(plan.chosen.bits);
    }
}

BENCHMARK_CAPTURE(plan_resnet18, fp32, NumberFormat::fp32)->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK_CAPTURE(plan_resnet18, fxp8, NumberFormat::fxp8)->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace
}  // namespace flipstorm

BENCHMARK_MAIN();
