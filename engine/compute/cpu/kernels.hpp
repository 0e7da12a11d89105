#pragma once
// The hot loops of the native backend, compiled for several instruction sets; the best one that the machine
// has is chosen at run time. Values of one (fault, image) pair are a *slot*: rows of pixels, channels
// innermost and padded to whole vectors, [H·W][padded channels]. A *map* is one channel alone, [H·W].
//
// Every output element is accumulated in one fixed order, whatever the batch and the register blocking:
// results per image do not depend on what is computed beside them. AVX-512 and AVX2 give the same bits; the
// portable build, without fused multiply-add, differs in rounding.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace flipstorm
{

/// Floats per vector; channels are padded to a multiple.
constexpr std::int64_t kLanes = 16;

/// n rounded up to whole vectors.
constexpr std::int64_t padded(std::int64_t n)
{
    return (n + kLanes - 1) / kLanes * kLanes;
}

/**
 * Sums of products at some pixels:
 *
 *     out[r][v] = Σ_tap Σ_c in[at(r) + tap_offset[tap] + c] · weights[tap·tap_weights + c·vectors·16 + v]
 *     at(r) = quad_offset[r / 4] + (r mod 4)·pixel_step
 *
 * A convolution with `taps` = kernel², `channels` = C_in; the same for one input channel, with `channels` =
 * 1; and a linear layer, where the "pixels" are the slots of a batch.
 */
struct ProductRow
{
    const float* in = nullptr;
    const std::ptrdiff_t* quad_offset = nullptr;  ///< of every fourth pixel's input
    std::ptrdiff_t pixel_step = 0;                ///< floats between the inputs of neighbouring pixels
    const std::ptrdiff_t* tap_offset = nullptr;
    std::int64_t taps = 0;
    std::int64_t channels = 0;
    const float* weights = nullptr;
    std::ptrdiff_t tap_weights = 0;  ///< floats between the weights of neighbouring taps
    float* out = nullptr;
    std::ptrdiff_t out_step = 0;  ///< floats between neighbouring output pixels
    std::int64_t pixels = 0;
};

/// Geometry of a max-pool over slots; channels a multiple of kLanes.
struct PoolWindow
{
    std::int64_t height = 0;
    std::int64_t width = 0;
    std::int64_t out_height = 0;
    std::int64_t out_width = 0;
    std::int64_t channels = 0;
    std::int64_t kernel = 0;
    std::int64_t stride = 0;
    std::int64_t padding = 0;
};

/// Kernels of one instruction set. All counts of floats are multiples of kLanes where it says "vectors".
struct Kernels
{
    const char* name;
    std::int64_t most_vectors;  ///< times kLanes outputs that `product` computes side by side, at most

    /// ProductRow for 1 or 2 vectors of outputs, at most `most_vectors`.
    void (*product)(const ProductRow& row, std::int64_t vectors);

    /**
     * out = min(max(golden + change, 0), ceiling) − min(max(golden, 0), ceiling), for whole vectors; NaN
     * stays NaN; out may be change.
     * \param ceiling  6 for ReLU6, infinity for ReLU
     * \returns whether any change is left
     */
    bool (*relu)(const float* golden, const float* change, float* out, std::int64_t count, float ceiling);

    /// out = change · scale[i mod channels]; channels a multiple of kLanes.
    void (*scale)(const float* change, const float* scale, float* out, std::int64_t pixels,
                  std::int64_t channels);

    /// out = a + b
    void (*add)(const float* a, const float* b, float* out, std::int64_t count);

    /// out = max-pool(golden + change) − golden_out; NaN stays NaN.
    void (*max_pool)(const PoolWindow& pool, const float* golden, const float* change,
                     const float* golden_out, float* out);

    /**
     * The same for one map, [H·W]; kLanes floats behind the maps must be readable, and behind `out` writable.
     * \param rows  work space: `width` rounded up to whole vectors, and two vectors more
     */
    void (*map_pool)(const PoolWindow& pool, const float* golden, const float* change,
                     const float* golden_out, float* rows, float* out);

    /// out = values · factor, whole vectors.
    void (*multiply)(const float* values, float factor, float* out, std::int64_t count);

    /**
     * products[k] = Σ_i change[i] · gradients[k·stride + i], k < rivals, in 16 interleaved partial sums, over
     * count rounded up to whole vectors: there `change` is zero and `gradients` readable.
     */
    void (*dots)(const float* change, const float* gradients, std::ptrdiff_t stride, std::int64_t rivals,
                 std::int64_t count, float* products);

    /// Whether |change[i]| < limit[i mod channels] everywhere; channels a multiple of kLanes; false for NaN.
    bool (*within)(const float* change, const float* limit, std::int64_t pixels, std::int64_t channels);

    /// Largest |x[i]|; NaN is ignored.
    float (*largest)(const float* values, std::int64_t count);

    /// Whether any value is not zero (a NaN is not).
    bool (*any)(const float* values, std::int64_t count);
};

/// The best kernels this machine runs.
const Kernels& native_kernels();

/// Those of an instruction set, "avx512", "avx2" or "portable"; null if this machine lacks it.
const Kernels* kernels_of(std::string_view name);

}  // namespace flipstorm
