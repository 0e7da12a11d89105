#include "jobs/resolve/libtorch_processor.hpp"

#include "engine/base/error.hpp"
#include "engine/compute/torch/inference_time.hpp"
#include "engine/compute/torch/libtorch_log.hpp"
#include "jobs/job_file/job.hpp"
#include "mpi/placement.hpp"

namespace flipstorm
{

std::string LibtorchProcessor::version() const
{
    return libtorch_version();
}

bool LibtorchProcessor::has_device_of(const Job& job) const
{
    return job.device.kind != "cuda" || visible_cuda_devices() > 0;
}

Device LibtorchProcessor::device_of(const Job& job, const NodePlace& place) const
{
    if (job.device.kind == "cpu") return {};
    const int visible = visible_cuda_devices();
    FS_CHECK(JobError, job.device.kind != "cuda" || visible > 0,
             "device.kind is \"cuda\", but no GPU is usable here: none is visible, or LibTorch was built "
             "without CUDA");
    const auto ranks_per_gpu = static_cast<int>(job.device.ranks_per_gpu);
    const int index = choose_device(place.local_rank, visible, ranks_per_gpu);
    FS_CHECK(JobError, job.device.kind != "cuda" || index >= 0,
             "device.kind is \"cuda\", but there are {} ranks on this node for {} GPU(s) with "
             "device.ranks_per_gpu "
             "= {}; start fewer ranks, or use \"auto\" to let the others use the CPU",
             place.local_size, visible, ranks_per_gpu);
    return index < 0 ? Device{} : Device{true, index};
}

void LibtorchProcessor::use_threads(int threads) const
{
    set_compute_threads(threads);
}

void LibtorchProcessor::log_warnings(int threads) const
{
    log_libtorch_warnings(threads);
}

InferenceTimes LibtorchProcessor::time_inference(const std::vector<TimedNetwork>& networks, Device device,
                                                 int threads) const
{
    const TimingOptions options;
    set_compute_threads(threads);
    return {seconds_per_image(networks, options), to_string(device), threads,
            static_cast<std::int32_t>(options.batch)};
}

}  // namespace flipstorm
