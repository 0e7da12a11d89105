#include "engine/compute/torch/channel_spread.hpp"

#include <algorithm>
#include <numeric>

#include "engine/compute/batch_size.hpp"
#include "engine/compute/torch/executor.hpp"
#include "engine/network/value_form.hpp"

namespace flipstorm
{

std::vector<std::vector<float>> channel_spread(const Network& network, Device device,
                                               const std::vector<NodeId>& nodes, const ImageSet& set)
{
    const torch::NoGradGuard no_gradients;
    const Executor executor(network, torch_device(device));
    std::vector<std::int64_t> indices(static_cast<std::size_t>(std::min(kSpreadImages, set.size())));
    std::iota(indices.begin(), indices.end(), std::int64_t{0});
    const torch::Tensor images = image_batch(set, indices, network.normalisation, executor.device());
    const std::vector<ValueForm> forms = value_forms(network.graph);
    const std::int64_t together = spread_images(network.graph);
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
