#include "engine/compute/torch/libtorch_faults.hpp"

#include "engine/compute/overflow_bound.hpp"

namespace flipstorm
{

LibtorchFaults::LibtorchFaults(const LayerGeometry& geometry, const ChangeGroup& group,
                               const std::vector<float>& weights, torch::Device device)
    : change(group.count)
{
    const auto faults = static_cast<std::int64_t>(group.count);
    const std::int64_t kernel = geometry.conv ? geometry.conv->kernel : 1;
    torch::Tensor numbers = torch::empty({6, faults}, torch::kInt64);
    auto* number = numbers.data_ptr<std::int64_t>();
    for (std::int64_t f = 0; f < faults; ++f)
    {
        const WeightChange& of_fault = group.changes[f];
        const auto index = static_cast<std::int64_t>(of_fault.parameter);
        const std::int64_t output = index / geometry.filter;
        std::int64_t met = index % geometry.filter;
        if (geometry.conv) met += output / (geometry.outputs / geometry.conv->groups) * geometry.filter;
        number[f] = index;
        number[faults + f] = output;
        number[2 * faults + f] = met;
        number[3 * faults + f] = met / (kernel * kernel);
        number[4 * faults + f] = met / kernel % kernel;
        number[5 * faults + f] = met % kernel;
        const float by = of_fault.value - weights[of_fault.parameter];
        change[static_cast<std::size_t>(f)] = by;
        any_huge = any_huge || is_huge(by);
    }
    const torch::Tensor uploaded = numbers.to(device);
    weight = uploaded.select(0, 0);
    channel = uploaded.select(0, 1);
    element = uploaded.select(0, 2);
    input = uploaded.select(0, 3);
    row = uploaded.select(0, 4);
    column = uploaded.select(0, 5);
    delta = torch::tensor(change).to(device);
    huge = ~(delta.abs() < kLargeWeight);
}

}  // namespace flipstorm
