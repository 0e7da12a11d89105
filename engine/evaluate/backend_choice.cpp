#include "engine/evaluate/backend_choice.hpp"

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/compute/cpu/native_network.hpp"

namespace flipstorm
{

int evaluation_threads(const Device& device, int threads)
{
    constexpr int kCudaThreads = 2;
    return device.cuda ? std::min(threads, kCudaThreads) : threads;
}

bool computes_natively(const Network& network, const EvaluationOptions& options)
{
    const Graph& graph = network.graph;
    if (network.computes_in_integers())
    {
        FS_CHECK(JobError, !options.device.cuda || options.backend != Backend::native,
                 "campaign.backend = \"native\" computes on the CPU; the device is {}",
                 to_string(options.device));
        return !is_emulated(network, options) && options.mode != EvaluationMode::reference;
    }
    if (options.mode == EvaluationMode::reference || options.backend == Backend::libtorch) return false;
    const std::string obstacle = options.device.cuda
                                     ? fmt::format("the device is {}", to_string(options.device))
                                     : native_obstacle(graph);
    FS_CHECK(
        JobError, obstacle.empty() || options.backend == Backend::automatic,
        "campaign.backend = \"native\" computes on the CPU, and not every network: {}; use \"libtorch\" or "
        "\"auto\"",
        obstacle);
    return obstacle.empty();
}

bool is_emulated(const Network& network, const EvaluationOptions& options)
{
    return network.computes_in_integers() && (options.backend == Backend::libtorch || options.device.cuda);
}

}  // namespace flipstorm
