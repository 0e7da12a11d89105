#include "engine/evaluate/golden_pass.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "engine/evaluate/certificate.hpp"
#include "engine/evaluate/image_batches.hpp"
#include "engine/network/value_form.hpp"

namespace flipstorm
{
namespace
{

/// Margins that are left when rounding has had its room. [tile]
std::vector<float> certain_margins(const torch::Tensor& logits)
{
    std::vector<float> certain;
    for (std::int64_t n = 0; n < logits.size(0); ++n)
    {
        const float* z = logits.data_ptr<float>() + n * logits.size(1);
        std::vector<float> sorted(z, z + logits.size(1));
        std::sort(sorted.begin(), sorted.end(), std::greater<>());
        const float scale = std::max(std::fabs(sorted.front()), std::fabs(sorted.back()));
        certain.push_back(sorted[0] - sorted[1] - kCertificateSlack * scale);
    }
    return certain;
}

/// The nearest rivals of each image's top class.
void rank_rivals(GoldenPass& pass, std::vector<std::int64_t>& top, std::vector<std::int64_t>& rival)
{
    const std::int64_t images = pass.logits.size(0);
    const std::int64_t classes = pass.logits.size(1);
    std::vector<std::int64_t> order(static_cast<std::size_t>(classes));
    for (std::int64_t n = 0; n < images; ++n)
    {
        const float* z = pass.logits.data_ptr<float>() + n * classes;
        std::iota(order.begin(), order.end(), std::int64_t{0});
        std::stable_sort(order.begin(), order.end(),
                         [z](std::int64_t a, std::int64_t b) { return z[a] > z[b]; });
        top.push_back(order[0]);
        for (std::int64_t k = 1; k <= pass.rivals; ++k)
        {
            rival.push_back(order[static_cast<std::size_t>(k)]);
            pass.margins.push_back(z[order[0]] - z[order[static_cast<std::size_t>(k)]]);
        }
        pass.rest.push_back(pass.rivals + 1 < classes
                                ? z[order[0]] - z[order[static_cast<std::size_t>(pass.rivals) + 1]]
                                : std::numeric_limits<float>::infinity());
    }
}

}  // namespace

std::int64_t rivals_of(const Graph& graph, NodeId layer)
{
    const bool neuron = std::holds_alternative<LinearOp>(graph.node(layer).operation);
    return std::min(neuron ? kNeuronRivals : kRivals, elements(graph.node(graph.output()).shape) - 1);
}

GoldenPass golden_pass(const Executor& executor, const torch::Tensor& images, const GoldenRequest& request)
{
    const Graph& graph = executor.graph();
    const std::vector<bool> reached = graph.reachable_from(request.layer);
    std::vector<NodeId> before = request.values;
    before.push_back(request.layer);
    std::vector<NodeId> behind;
    for (std::size_t i = index(request.layer) + 1; i < reached.size(); ++i)
    {
        if (!reached[i]) continue;
        behind.emplace_back(static_cast<std::int32_t>(i));
        for (const NodeId input : graph.nodes()[i].inputs)
        {
            if (!reached[index(input)]) before.push_back(input);
        }
    }
    before.erase(std::remove_if(before.begin(), before.end(),
                                [&](NodeId id) { return reached[index(id)] && id != request.layer; }),
                 before.end());
    GoldenPass pass;
    const bool differentiate = !request.gradients.empty();
    {
        const torch::NoGradGuard no_gradients;
        pass.values = executor.forward_to(images, before);
    }
    torch::Tensor& start = pass.values[index(request.layer)];
    if (differentiate) start = start.detach().requires_grad_(true);
    std::vector<NodeId> wanted = request.values;
    wanted.insert(wanted.end(), request.gradients.begin(), request.gradients.end());
    wanted.insert(wanted.end(), {request.layer, graph.output()});
    torch::Tensor logits;
    {
        const torch::AutoGradMode gradients(differentiate);
        pass.values = executor.compute(std::move(pass.values), behind, wanted);
        logits = pass.values[index(graph.output())];
    }
    pass.logits = logits.detach().to(torch::kCPU).contiguous();
    pass.certain = certain_margins(pass.logits);
    if (differentiate)
    {
        std::vector<std::int64_t> top;
        std::vector<std::int64_t> rival;
        pass.rivals = rivals_of(graph, request.layer);
        rank_rivals(pass, top, rival);
        std::vector<torch::Tensor> inputs;
        for (const NodeId id : request.gradients)
            inputs.push_back(pass.values[index(id)]);
        const auto long_type = torch::TensorOptions().dtype(torch::kLong);
        const torch::Tensor tops = torch::tensor(top, long_type).view({-1, 1}).to(logits.device());
        const torch::Tensor rivals =
            torch::tensor(rival, long_type).view({-1, pass.rivals}).to(logits.device());
        pass.gradients.resize(graph.nodes().size());
        for (std::int64_t k = 0; k < pass.rivals; ++k)
        {
            // d(z_top − z_rival)/dz, one row per image: images do not mix.
            torch::Tensor seed = torch::zeros_like(logits);
            seed.scatter_(1, tops, 1.0);
            seed.scatter_(1, rivals.narrow(1, k, 1), -1.0);
            const auto gradients =
                torch::autograd::grad({logits}, inputs, {seed}, k + 1 < pass.rivals, false, true);
            for (std::size_t i = 0; i < gradients.size(); ++i)
            {
                pass.gradients[index(request.gradients[i])].push_back(
                    gradients[i].defined() ? gradients[i] : torch::zeros_like(inputs[i]));
            }
        }
    }
    std::vector<bool> keep(reached.size(), false);
    for (const NodeId id : request.values)
        keep[index(id)] = true;
    for (std::size_t i = 0; i < keep.size(); ++i)
        pass.values[i] = keep[i] ? pass.values[i].detach() : torch::Tensor();
    return pass;
}

std::vector<std::vector<float>> channel_spread(const Executor& executor, const std::vector<NodeId>& nodes,
                                               const torch::Tensor& images)
{
    const torch::NoGradGuard no_gradients;
    const std::vector<ValueForm> forms = value_forms(executor.graph());
    const std::int64_t together = spread_images(executor.graph());
    struct Moments
    {
        torch::Tensor sum;
        torch::Tensor squares;
        double count = 0;
    };
    std::vector<Moments> moments(nodes.size());
    for (std::int64_t first = 0; first < images.size(0); first += together)
    {
        const torch::Tensor batch = images.narrow(0, first, std::min(together, images.size(0) - first));
        const std::vector<torch::Tensor> values = executor.forward_to(batch, nodes);
        for (std::size_t k = 0; k < nodes.size(); ++k)
        {
            Moments& m = moments[k];
            const torch::Tensor value = values[index(nodes[k])]
                                            .reshape({batch.size(0), forms[index(nodes[k])].channels, -1})
                                            .to(torch::kFloat64);
            const torch::Tensor sum = value.sum(torch::IntArrayRef({0, 2}));
            const torch::Tensor squares = (value * value).sum(torch::IntArrayRef({0, 2}));
            m.sum = m.sum.defined() ? m.sum + sum : sum;
            m.squares = m.squares.defined() ? m.squares + squares : squares;
            m.count += static_cast<double>(value.size(0) * value.size(2));
        }
    }
    std::vector<std::vector<float>> spread(forms.size());
    for (std::size_t k = 0; k < nodes.size(); ++k)
    {
        const torch::Tensor mean = moments[k].sum / moments[k].count;
        const torch::Tensor deviation = (moments[k].squares / moments[k].count - mean * mean)
                                            .clamp_min(0)
                                            .sqrt()
                                            .to(torch::kFloat32)
                                            .to(torch::kCPU)
                                            .contiguous();
        spread[index(nodes[k])].assign(deviation.data_ptr<float>(),
                                       deviation.data_ptr<float>() + deviation.numel());
    }
    return spread;
}

}  // namespace flipstorm
