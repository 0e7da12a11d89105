#include "engine/compute/torch/golden_pass.hpp"

#include <algorithm>

namespace flipstorm
{
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
    const std::int64_t classes = pass.logits.size(1);
    pass.margins.certain = certain_margins(pass.logits.data_ptr<float>(), pass.logits.size(0), classes);
    if (differentiate)
    {
        const std::int64_t count = rivals_of(graph, request.layer);
        const Rivals ranked =
            rank_rivals(pass.logits.data_ptr<float>(), pass.logits.size(0), classes, count, pass.margins);
        std::vector<torch::Tensor> inputs;
        for (const NodeId id : request.gradients)
            inputs.push_back(pass.values[index(id)]);
        const auto long_type = torch::TensorOptions().dtype(torch::kLong);
        const torch::Tensor tops = torch::tensor(ranked.top, long_type).view({-1, 1}).to(logits.device());
        const torch::Tensor rivals =
            torch::tensor(ranked.rival, long_type).view({-1, count}).to(logits.device());
        pass.gradients.resize(graph.nodes().size());
        for (std::int64_t k = 0; k < count; ++k)
        {
            // d(z_top − z_rival)/dz, one row per image: images do not mix.
            torch::Tensor seed = torch::zeros_like(logits);
            seed.scatter_(1, tops, 1.0);
            seed.scatter_(1, rivals.narrow(1, k, 1), -1.0);
            const auto gradients =
                torch::autograd::grad({logits}, inputs, {seed}, k + 1 < count, false, true);
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

}  // namespace flipstorm
