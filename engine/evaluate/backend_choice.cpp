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
        FS_CHECK(JobError, options.backend != Backend::libtorch && !options.device.cuda,
                 "a network in {} is computed in whole numbers, by kernels for the CPU: take "
                 "campaign.backend = \"native\" or \"auto\", and device.kind = \"cpu\"",
                 to_string(network.format));
        return options.mode != EvaluationMode::reference;
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

}  // namespace flipstorm
