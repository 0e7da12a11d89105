#include "engine/compute/torch/inference_time.hpp"

#include <omp.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>

#include "engine/base/error.hpp"
#include "engine/base/timing.hpp"
#include "engine/compute/integer/integer_logits.hpp"
#include "engine/compute/torch/executor.hpp"
#include "engine/compute/torch/integer_emulation.hpp"

namespace flipstorm
{
namespace
{

/// A network with its batch, ready to run.
class Runner
{
  public:
    explicit Runner(const TimedNetwork& timed, std::int64_t batch)
    {
        std::vector<std::int64_t> indices(static_cast<std::size_t>(std::min(batch, timed.images->size())));
        std::iota(indices.begin(), indices.end(), 0);
        const Network& network = *timed.network;
        const torch::Device device = torch_device(timed.device);
        images_ = image_batch(*timed.images, indices, network.normalisation, device).contiguous();
        if (!network.computes_in_integers())
            floats_ = std::make_unique<Executor>(network, device);
        else if (timed.device.cuda)
            emulated_ = std::make_unique<IntegerEmulation>(network, device);
        else
            whole_ = std::make_unique<IntegerPasses>(network);
    }

    [[nodiscard]] std::int64_t batch() const { return images_.size(0); }

    /// Seconds of one forward pass; reading the logits waits for the device.
    [[nodiscard]] double run() const
    {
        const Stopwatch watch;
        if (floats_ != nullptr)
            static_cast<void>(floats_->forward(images_).to(torch::kCPU));
        else if (emulated_ != nullptr)
            static_cast<void>(emulated_->logits(emulated_->values(images_).back()));
        else
            static_cast<void>(whole_->logits(images_.data_ptr<float>(), batch(), omp_get_max_threads()));
        return watch.seconds();
    }

  private:
    torch::Tensor images_;
    std::unique_ptr<Executor> floats_;  ///< one of the three
    std::unique_ptr<IntegerEmulation> emulated_;
    std::unique_ptr<IntegerPasses> whole_;
};

}  // namespace

std::vector<double> seconds_per_image(const std::vector<TimedNetwork>& networks, const TimingOptions& options)
{
    const c10::InferenceMode no_gradients;
    std::vector<Runner> runners;
    for (const TimedNetwork& each : networks)
    {
        FS_REQUIRE(each.images->size() > 0, "there are no images to time a network on");
        runners.emplace_back(each, options.batch);
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
        best[i] /= static_cast<double>(runners[i].batch());
    return best;
}

}  // namespace flipstorm
