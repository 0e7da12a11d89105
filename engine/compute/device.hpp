#pragma once
// The processor a rank computes on, without LibTorch in the header.

#include <string>

namespace flipstorm
{

/// A compute device.
struct Device
{
    bool cuda = false;
    int index = 0;  ///< among the visible GPUs
};

/// CUDA devices LibTorch can use here; 0 without a GPU or without CUDA in LibTorch.
[[nodiscard]] int visible_cuda_devices();

/// "cpu" or "cuda:0".
[[nodiscard]] std::string to_string(Device device);

/// "LibTorch 1.13.1"
[[nodiscard]] std::string libtorch_version();

/// Convolutions and products on GPUs in full single precision, without TF32, and with algorithms that give
/// the same result every time; from now on, in this process.
void set_reproducible_arithmetic();

/// Threads LibTorch and OpenMP use inside one operation, from now on, in this process.
void set_compute_threads(int threads);

}  // namespace flipstorm
