#pragma once
// Random parameters for the graphs of tests.

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/philox.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/// A network with random parameters: weights as He et al. initialise them, variances between 0.5 and 1.5.
inline Network with_parameters(Graph graph, std::int32_t classes, std::uint64_t seed)
{
    Network network{"test", NumberFormat::fp32, std::move(graph), classes, {}, {}};
    network.normalisation.mean.assign(static_cast<std::size_t>(network.graph.input_shape()[0]), 0.3F);
    network.normalisation.std_dev.assign(network.normalisation.mean.size(), 0.3F);
    const auto ends_with = [](const std::string& name, const std::string& end) {
        return name.size() >= end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
    };
    for (const ParameterSpec& spec : network.graph.parameters())
    {
        RandomStream random(seed, RandomPurpose::test, network.parameters.size());
        std::vector<float> values(static_cast<std::size_t>(elements(spec.shape)));
        const double scale =
            std::sqrt(2.0 * static_cast<double>(spec.shape[0]) / static_cast<double>(elements(spec.shape)));
        for (float& value : values)
        {
            value = ends_with(spec.name, ".running_var") ? static_cast<float>(0.5 + random.uniform())
                                                         : static_cast<float>(scale * random.normal());
        }
        network.parameters.emplace_back(spec.name, spec.shape, std::move(values));
    }
    return network;
}

}  // namespace flipstorm
