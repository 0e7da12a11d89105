#include "engine/train/train.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"
#include "engine/base/timing.hpp"
#include "engine/network/executor.hpp"

namespace flipstorm
{
namespace
{

torch::Tensor label_batch(const ImageSet& images, const std::vector<std::int64_t>& indices,
                          torch::Device device)
{
    torch::Tensor labels = torch::empty({static_cast<std::int64_t>(indices.size())}, torch::kLong);
    auto* out = labels.data_ptr<std::int64_t>();
    for (const std::int64_t index : indices)
        *out++ = images.labels[static_cast<std::size_t>(index)];
    return labels.to(device);
}

/// Fisher-Yates with the epoch's own stream.
std::vector<std::int64_t> shuffled(std::int64_t count, std::uint64_t seed, std::int64_t epoch)
{
    std::vector<std::int64_t> order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    RandomStream random(seed, RandomPurpose::shuffle, static_cast<std::uint64_t>(epoch));
    for (std::size_t i = order.size(); i > 1; --i)
        std::swap(order[i - 1], order[random.below(i)]);
    return order;
}

/// What the optimiser changes: all but running statistics.
std::vector<torch::Tensor> trainable_parameters(const Graph& graph, const Executor& executor)
{
    const std::vector<ParameterSpec> specs = graph.parameters();
    std::vector<torch::Tensor> trainable;
    for (std::size_t i = 0; i < specs.size(); ++i)
    {
        if (specs[i].trainable) trainable.push_back(executor.parameters()[i]);
    }
    return trainable;
}

}  // namespace

bool train(Network& network, const ImageSet& images, const TrainOptions& options,
           const EpochCallback& on_epoch, const StopCallback& should_stop)
{
    const torch::Device device = torch_device(options.device);
    Executor executor(network, device);
    const std::vector<torch::Tensor> trainable = trainable_parameters(network.graph, executor);
    for (const torch::Tensor& parameter : trainable)
        parameter.set_requires_grad(true);
    torch::optim::SGD optimiser(
        trainable,
        torch::optim::SGDOptions(options.lr).momentum(options.momentum).weight_decay(options.weight_decay));
    const std::int64_t batches = (images.size() + options.batch - 1) / options.batch;
    const std::int64_t steps = batches * options.epochs;
    for (std::int64_t epoch = 0; epoch < options.epochs; ++epoch)
    {
        const Stopwatch watch;
        const std::vector<std::int64_t> order = shuffled(images.size(), options.seed, epoch);
        double loss_sum = 0;
        std::int64_t correct = 0;
        for (std::int64_t b = 0; b < batches; ++b)
        {
            if (should_stop()) return false;
            const auto first = order.begin() + b * options.batch;
            const std::vector<std::int64_t> indices(
                first, first + std::min<std::int64_t>(options.batch, order.end() - first));
            const double lr = learning_rate(options.schedule, options.lr, epoch * batches + b, steps);
            static_cast<torch::optim::SGDOptions&>(optimiser.param_groups()[0].options()).lr(lr);
            const torch::Tensor labels = label_batch(images, indices, device);
            const torch::Tensor logits =
                executor.forward_training(image_batch(images, indices, network.normalisation, device));
            const torch::Tensor loss = torch::nn::functional::cross_entropy(logits, labels);
            optimiser.zero_grad();
            loss.backward();
            if (options.clip > 0) torch::nn::utils::clip_grad_norm_(trainable, options.clip);
            optimiser.step();
            const double value = loss.item<double>();
            FS_CHECK(DataError, std::isfinite(value),
                     "training diverged: the loss is {} in epoch {}, step {}; lower train.lr ({}) or set "
                     "train.clip",
                     value, epoch + 1, b + 1, options.lr);
            loss_sum += value * static_cast<double>(indices.size());
            correct += logits.argmax(1).eq(labels).sum().item<std::int64_t>();
        }
        const auto count = static_cast<double>(images.size());
        on_epoch({epoch + 1, loss_sum / count, static_cast<double>(correct) / count, watch.seconds()});
    }
    executor.store(network);
    return true;
}

double accuracy(const Network& network, const ImageSet& images, Device device)
{
    constexpr std::int64_t kBatch = 500;
    const c10::InferenceMode no_gradients;
    const Executor executor(network, torch_device(device));
    std::int64_t correct = 0;
    for (std::int64_t first = 0; first < images.size(); first += kBatch)
    {
        std::vector<std::int64_t> indices(static_cast<std::size_t>(std::min(kBatch, images.size() - first)));
        std::iota(indices.begin(), indices.end(), first);
        const torch::Tensor logits =
            executor.forward(image_batch(images, indices, network.normalisation, executor.device()));
        correct +=
            logits.argmax(1).eq(label_batch(images, indices, executor.device())).sum().item<std::int64_t>();
    }
    return static_cast<double>(correct) / static_cast<double>(images.size());
}

}  // namespace flipstorm
