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

bool computes_natively(const Graph& graph, const EvaluationOptions& options)
{
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
