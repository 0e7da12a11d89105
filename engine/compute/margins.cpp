#include "engine/compute/margins.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

namespace flipstorm
{

std::int64_t rivals_of(const Graph& graph, NodeId layer)
{
    const bool neuron = std::holds_alternative<LinearOp>(graph.node(layer).operation);
    return std::min(neuron ? kNeuronRivals : kRivals, elements(graph.node(graph.output()).shape) - 1);
}

std::vector<float> certain_margins(const float* logits, std::int64_t images, std::int64_t classes)
{
    std::vector<float> certain;
    for (std::int64_t n = 0; n < images; ++n)
    {
        const float* z = logits + n * classes;
        std::vector<float> sorted(z, z + classes);
        std::sort(sorted.begin(), sorted.end(), std::greater<>());
        const float scale = std::max(std::fabs(sorted.front()), std::fabs(sorted.back()));
        certain.push_back(sorted[0] - sorted[1] - kCertificateSlack * scale);
    }
    return certain;
}

Rivals rank_rivals(const float* logits, std::int64_t images, std::int64_t classes, std::int64_t rivals,
                   TileMargins& margins)
{
    Rivals ranked;
    margins.rivals = rivals;
    std::vector<std::int64_t> order(static_cast<std::size_t>(classes));
    for (std::int64_t n = 0; n < images; ++n)
    {
        const float* z = logits + n * classes;
        std::iota(order.begin(), order.end(), std::int64_t{0});
        std::stable_sort(order.begin(), order.end(),
                         [z](std::int64_t a, std::int64_t b) { return z[a] > z[b]; });
        ranked.top.push_back(order[0]);
        for (std::int64_t k = 1; k <= rivals; ++k)
        {
            ranked.rival.push_back(order[static_cast<std::size_t>(k)]);
            margins.nearest.push_back(z[order[0]] - z[order[static_cast<std::size_t>(k)]]);
        }
        margins.rest.push_back(rivals + 1 < classes
                                   ? z[order[0]] - z[order[static_cast<std::size_t>(rivals) + 1]]
                                   : std::numeric_limits<float>::infinity());
    }
    return ranked;
}

}  // namespace flipstorm
