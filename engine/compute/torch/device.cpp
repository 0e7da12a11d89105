#include "engine/compute/device.hpp"

#include <omp.h>
#include <torch/torch.h>
#include <torch/version.h>

#include "engine/base/error.hpp"

namespace flipstorm
{

int visible_cuda_devices()
{
    return torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0;
}

std::string libtorch_version()
{
    return fmt::format("LibTorch {}", TORCH_VERSION);
}

void set_reproducible_arithmetic()
{
    at::Context& context = at::globalContext();
    context.setAllowTF32CuBLAS(false);
    context.setAllowTF32CuDNN(false);
    context.setDeterministicCuDNN(true);
    context.setBenchmarkCuDNN(false);
}

void set_compute_threads(int threads)
{
    FS_REQUIRE(threads > 0, "{} compute threads", threads);
    omp_set_num_threads(threads);
    torch::set_num_threads(threads);
}

}  // namespace flipstorm
