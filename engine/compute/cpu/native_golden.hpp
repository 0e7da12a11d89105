#pragma once
// What the native kernels follow changes with: a layer, and what they read of a tile's golden pass.

#include <cstdint>
#include <vector>

#include "engine/compute/cpu/change_batch.hpp"
#include "engine/compute/overflow_bound.hpp"

namespace flipstorm
{

/// By node; null where nothing reads them.
struct NativeGolden
{
    GoldenValues values;
    std::vector<const float*> gradient_maps;   ///< [tile][rivals][C][pixels]
    std::vector<const float*> gradient_slots;  ///< [tile][rivals][pixels][padded C]
    const float* logits = nullptr;             ///< [tile][classes]
    std::int64_t images = 0;
    std::int64_t classes = 0;
    std::int64_t rivals = 0;  ///< with gradients
};

/// A layer and what its changes are followed with; all of it outlives what is made of it.
struct NativeLayer
{
    const NativeNetwork& network;
    const Kernels& kernels;
    const OverflowBound& overflow;
    const NativeProgram& program;
    const InjectableLayer& layer;
    const std::vector<float>& weights;  ///< golden
};

}  // namespace flipstorm
