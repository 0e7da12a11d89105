#pragma once
// Images of a tile on LibTorch's device. Internal to the engine: this header brings in LibTorch.

#include <memory>
#include <vector>

#include "engine/compute/backend.hpp"
#include "engine/compute/torch/executor.hpp"

namespace flipstorm
{

struct LoadedImages : DeviceImages
{
    torch::Tensor values;  ///< normalised, [tile, C, H, W], channels last

    LoadedImages(const ImageSet& images, const std::vector<std::int64_t>& indices,
                 const Normalisation& normalisation, torch::Device device)
        : values(image_batch(images, indices, normalisation, device)
                     .contiguous(torch::MemoryFormat::ChannelsLast))
    {}
};

/// Of what a backend of LibTorch has loaded.
[[nodiscard]] inline const torch::Tensor& values_of(const DeviceImages& images)
{
    return static_cast<const LoadedImages&>(images).values;
}

}  // namespace flipstorm
