#include "engine/compute/torch/inference_time.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "engine/base/error.hpp"
#include "engine/base/timing.hpp"
#include "engine/compute/torch/executor.hpp"

namespace flipstorm
{
namespace
{

/// A network with its batch, ready to run.
struct Runner
{
    Executor executor;
    torch::Tensor images;

    /// Seconds of one forward pass; reading the logits waits for the device.
    double run() const
    {
        const Stopwatch watch;
        static_cast<void>(executor.forward(images).to(torch::kCPU));
        return watch.seconds();
    }
};

}  // namespace

std::vector<double> seconds_per_image(const std::vector<TimedNetwork>& networks, const TimingOptions& options)
{
    const c10::InferenceMode no_gradients;
    std::vector<Runner> runners;
    for (const TimedNetwork& each : networks)
    {
        FS_REQUIRE(each.images->size() > 0, "there are no images to time a network on");
        std::vector<std::int64_t> indices(
            static_cast<std::size_t>(std::min(options.batch, each.images->size())));
        std::iota(indices.begin(), indices.end(), 0);
        const torch::Device device = torch_device(each.device);
        runners.push_back({Executor(*each.network, device),
                           image_batch(*each.images, indices, each.network->normalisation, device)});
        static_cast<void>(runners.back().run());
    }
    std::vector<double> best(runners.size(), std::numeric_limits<double>::infinity());
    const Stopwatch watch;
    const double enough = options.seconds * static_cast<double>(runners.size());
    for (int round = 0; round < options.most_rounds; ++round)
    {
        if (round >= options.least_rounds && watch.seconds() >= enough) break;
        for (std::size_t i = 0; i < runners.size(); ++i)
            best[i] = std::min(best[i], runners[i].run());
    }
    for (std::size_t i = 0; i < runners.size(); ++i)
        best[i] /= static_cast<double>(runners[i].images.size(0));
    return best;
}

}  // namespace flipstorm
