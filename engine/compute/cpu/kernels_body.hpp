// The kernels, written once with GCC's vector extensions; each kernels_<isa>.cpp includes this file and is
// compiled for its instruction set. Before it is included, FLIPSTORM_KERNELS names the set,
// FLIPSTORM_VECTOR_BYTES is the size of its registers, FLIPSTORM_ACCUMULATORS how many of them a product may
// keep its sums in, and FLIPSTORM_MOST_VECTORS how many times kLanes outputs it computes side by side.

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "engine/compute/cpu/kernels.hpp"

namespace flipstorm
{
namespace
{

using Vector = float __attribute__((vector_size(FLIPSTORM_VECTOR_BYTES)));
using Mask = std::int32_t __attribute__((vector_size(FLIPSTORM_VECTOR_BYTES)));

/// Floats of a register, and registers that hold kLanes floats.
constexpr std::int64_t kWidth = FLIPSTORM_VECTOR_BYTES / sizeof(float);
constexpr std::int64_t kParts = kLanes / kWidth;

inline Vector load(const float* from)
{
    Vector v;
    std::memcpy(&v, from, sizeof(v));
    return v;
}

inline void store(float* to, Vector v)
{
    std::memcpy(to, &v, sizeof(v));
}

inline Vector all(float x)
{
    return x - Vector{};  // exact, also for −0
}

/// The larger; NaN if either is.
inline Vector larger(Vector a, Vector b)
{
    const Mask first = (a > b) | (a != a);
    return first ? a : b;
}

/// min(x, ceiling) that keeps NaN.
inline Vector at_most(Vector x, Vector ceiling)
{
    return (x > ceiling) ? ceiling : x;
}

inline bool any_bit(Mask mask)
{
    std::int64_t words[sizeof(mask) / sizeof(std::int64_t)];
    std::memcpy(words, &mask, sizeof(mask));
    std::int64_t all_words = 0;
    for (const std::int64_t word : words)
        all_words |= word;
    return all_words != 0;
}

/// Sum of kLanes partial sums in a fixed order: halves upon halves.
inline float sum(const Vector* parts)
{
    using Quad = float __attribute__((vector_size(16)));
    Quad q[4];
    std::memcpy(q, parts, sizeof(q));
    const Quad half = (q[0] + q[2]) + (q[1] + q[3]);
    return (half[0] + half[2]) + (half[1] + half[3]);
}

/// ROWS pixels × VECTORS registers of outputs.
template<int ROWS, int VECTORS>
void product_block(const ProductRow& row, std::int64_t first)
{
    Vector sums[ROWS][VECTORS];
    for (int r = 0; r < ROWS; ++r)
    {
        for (int v = 0; v < VECTORS; ++v)
            sums[r][v] = Vector{};
    }
    // Four pixels share a pointer: more would not fit the address registers.
    constexpr int kQuads = (ROWS + 3) / 4;
    const float* in[kQuads];
    for (int q = 0; q < kQuads; ++q)
        in[q] = row.in + row.quad_offset[first / 4 + q];
    const std::ptrdiff_t step = row.pixel_step;
    for (std::int64_t tap = 0; tap < row.taps; ++tap)
    {
        const std::ptrdiff_t offset = row.tap_offset[tap];
        const float* weights = row.weights + tap * row.tap_weights;
        for (std::ptrdiff_t c = offset; c < offset + row.channels; ++c)
        {
            Vector w[VECTORS];
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS; ++v)
                w[v] = load(weights + v * kWidth);
#pragma GCC unroll 24
            for (int r = 0; r < ROWS; ++r)
            {
                const Vector x = all(in[r / 4][c + r % 4 * step]);
#pragma GCC unroll 8
                for (int v = 0; v < VECTORS; ++v)
                    sums[r][v] += x * w[v];
            }
            weights += VECTORS * kWidth;
        }
    }
    float* out = row.out + first * row.out_step;
    for (int r = 0; r < ROWS; ++r)
    {
        for (int v = 0; v < VECTORS; ++v)
            store(out + r * row.out_step + v * kWidth, sums[r][v]);
    }
}

using Block = void (*)(const ProductRow&, std::int64_t);

/// product_block for 1, 2, … rows.
template<int VECTORS, int... ROWS>
constexpr std::array<Block, sizeof...(ROWS)> blocks_of(std::integer_sequence<int, ROWS...> /*rows*/)
{
    return {product_block<ROWS + 1, VECTORS>...};
}

template<int VECTORS>
void product_of(const ProductRow& row)
{
    constexpr int kRows = FLIPSTORM_ACCUMULATORS / VECTORS;
    constexpr int kQuads = kRows / 4;
    static constexpr auto kBlocks = blocks_of<VECTORS>(std::make_integer_sequence<int, 4 * kQuads>{});
    // Blocks of nearly equal size: a block of few pixels would wait for its own sums.
    const std::int64_t quads = (row.pixels + 3) / 4;
    const std::int64_t blocks = (quads + kQuads - 1) / kQuads;
    for (std::int64_t b = 0; b < blocks; ++b)
    {
        const std::int64_t first = b * quads / blocks * 4;
        const std::int64_t end = (b + 1) * quads / blocks * 4;
        const std::int64_t rows = (end < row.pixels ? end : row.pixels) - first;
        kBlocks[static_cast<std::size_t>(rows - 1)](row, first);
    }
}

void product(const ProductRow& row, std::int64_t vectors)
{
    if constexpr (FLIPSTORM_MOST_VECTORS >= 2)
    {
        if (vectors == 2) return product_of<2 * kParts>(row);
    }
    product_of<kParts>(row);
}

template<bool CAPPED>
bool relu_of(const float* golden, const float* change, float* out, std::int64_t count, float ceiling)
{
    const Vector zero = {};
    const Vector top = all(ceiling);
    Mask left = {};
    for (std::int64_t i = 0; i < count; i += kWidth)
    {
        const Vector g = load(golden + i);
        Vector was = larger(zero, g);
        Vector is = larger(zero, g + load(change + i));
        if constexpr (CAPPED)
        {
            was = at_most(was, top);
            is = at_most(is, top);
        }
        const Vector now = is - was;
        left |= now != zero;
        store(out + i, now);
    }
    return any_bit(left);
}

bool relu(const float* golden, const float* change, float* out, std::int64_t count, float ceiling)
{
    return std::isinf(ceiling) ? relu_of<false>(golden, change, out, count, ceiling)
                               : relu_of<true>(golden, change, out, count, ceiling);
}

void scale(const float* change, const float* factor, float* out, std::int64_t pixels, std::int64_t channels)
{
    for (std::int64_t p = 0; p < pixels; ++p)
    {
        for (std::int64_t c = 0; c < channels; c += kWidth)
            store(out + p * channels + c, load(change + p * channels + c) * load(factor + c));
    }
}

void add(const float* a, const float* b, float* out, std::int64_t count)
{
    for (std::int64_t i = 0; i < count; i += kWidth)
        store(out + i, load(a + i) + load(b + i));
}

void max_pool(const PoolWindow& pool, const float* golden, const float* change, const float* golden_out,
              float* out)
{
    const Vector lowest = all(-std::numeric_limits<float>::infinity());
    const std::int64_t channels = pool.channels;
    for (std::int64_t h = 0; h < pool.out_height; ++h)
    {
        const std::int64_t top = h * pool.stride - pool.padding;
        const std::int64_t h0 = top < 0 ? 0 : top;
        const std::int64_t h1 = top + pool.kernel < pool.height ? top + pool.kernel : pool.height;
        for (std::int64_t w = 0; w < pool.out_width; ++w)
        {
            const std::int64_t left = w * pool.stride - pool.padding;
            const std::int64_t w0 = left < 0 ? 0 : left;
            const std::int64_t w1 = left + pool.kernel < pool.width ? left + pool.kernel : pool.width;
            for (std::int64_t c = 0; c < channels; c += kWidth)
            {
                Vector most = lowest;
                for (std::int64_t y = h0; y < h1; ++y)
                {
                    for (std::int64_t x = w0; x < w1; ++x)
                    {
                        const std::int64_t at = (y * pool.width + x) * channels + c;
                        most = larger(load(golden + at) + load(change + at), most);
                    }
                }
                const std::int64_t at = (h * pool.out_width + w) * channels + c;
                store(out + at, most - load(golden_out + at));
            }
        }
    }
}

/// Elements 2I + OFFSET of two vectors, one behind the other.
template<int OFFSET, int... I>
Vector every_other(Vector a, Vector b, std::integer_sequence<int, I...> /*lanes*/)
{
    return __builtin_shufflevector(a, b, (2 * I + OFFSET)...);
}

/// out[w] = max(row[2w], row[2w + 1]) − golden[w], in whole vectors.
void pair_maxima(const float* row, const float* golden, float* out, std::int64_t count)
{
    constexpr std::make_integer_sequence<int, static_cast<int>(kWidth)> kLaneNumbers;
    for (std::int64_t w = 0; w < count; w += kWidth)
    {
        const Vector a = load(row + 2 * w);
        const Vector b = load(row + 2 * w + kWidth);
        const Vector most = larger(every_other<0>(a, b, kLaneNumbers), every_other<1>(a, b, kLaneNumbers));
        store(out + w, most - load(golden + w));
    }
}

void map_pool(const PoolWindow& pool, const float* golden, const float* change, const float* golden_out,
              float* rows, float* out)
{
    for (std::int64_t h = 0; h < pool.out_height; ++h)
    {
        const std::int64_t top = h * pool.stride - pool.padding;
        const std::int64_t h0 = top < 0 ? 0 : top;
        const std::int64_t h1 = top + pool.kernel < pool.height ? top + pool.kernel : pool.height;
        // Down the columns first, whole vectors at a time; what is read past a row's end is not used.
        for (std::int64_t x = 0; x < pool.width; x += kWidth)
        {
            Vector most = all(-std::numeric_limits<float>::infinity());
            for (std::int64_t y = h0; y < h1; ++y)
                most = larger(load(golden + y * pool.width + x) + load(change + y * pool.width + x), most);
            store(rows + x, most);
        }
        if (pool.kernel == 2 && pool.stride == 2 && pool.padding == 0)
        {
            pair_maxima(rows, golden_out + h * pool.out_width, out + h * pool.out_width, pool.out_width);
            continue;
        }
        for (std::int64_t w = 0; w < pool.out_width; ++w)
        {
            const std::int64_t left = w * pool.stride - pool.padding;
            const std::int64_t x0 = left < 0 ? 0 : left;
            const std::int64_t x1 = left + pool.kernel < pool.width ? left + pool.kernel : pool.width;
            float most = rows[x0];
            for (std::int64_t x = x0 + 1; x < x1; ++x)
                most = rows[x] > most || rows[x] != rows[x] ? rows[x] : most;
            out[h * pool.out_width + w] = most - golden_out[h * pool.out_width + w];
        }
    }
}

void multiply(const float* values, float factor, float* out, std::int64_t count)
{
    for (std::int64_t i = 0; i < count; i += kWidth)
        store(out + i, load(values + i) * factor);
}

template<int RIVALS>
void dots_of(const float* change, const float* gradients, std::ptrdiff_t stride, std::int64_t count,
             float* products)
{
    Vector sums[RIVALS][kParts];
    for (int k = 0; k < RIVALS; ++k)
    {
        for (int v = 0; v < kParts; ++v)
            sums[k][v] = Vector{};
    }
    for (std::int64_t i = 0; i < count; i += kLanes)
    {
        for (int v = 0; v < kParts; ++v)
        {
            const Vector x = load(change + i + v * kWidth);
            for (int k = 0; k < RIVALS; ++k)
                sums[k][v] += x * load(gradients + k * stride + i + v * kWidth);
        }
    }
    for (int k = 0; k < RIVALS; ++k)
        products[k] = sum(sums[k]);
}

void dots(const float* change, const float* gradients, std::ptrdiff_t stride, std::int64_t rivals,
          std::int64_t count, float* products)
{
    std::int64_t k = 0;
    for (; k + 4 <= rivals; k += 4)
        dots_of<4>(change, gradients + k * stride, stride, count, products + k);
    if (rivals - k == 3)
        dots_of<3>(change, gradients + k * stride, stride, count, products + k);
    else if (rivals - k == 2)
        dots_of<2>(change, gradients + k * stride, stride, count, products + k);
    else if (rivals - k == 1)
        dots_of<1>(change, gradients + k * stride, stride, count, products + k);
}

inline Vector magnitude(Vector v)
{
    Mask bits;
    std::memcpy(&bits, &v, sizeof(v));
    bits &= 0x7fffffff;
    std::memcpy(&v, &bits, sizeof(v));
    return v;
}

bool within(const float* change, const float* limit, std::int64_t pixels, std::int64_t channels)
{
    for (std::int64_t p = 0; p < pixels; ++p)
    {
        Mask outside = {};
        for (std::int64_t c = 0; c < channels; c += kWidth)
            outside |= ~(magnitude(load(change + p * channels + c)) < load(limit + c));
        if (any_bit(outside)) return false;
    }
    return true;
}

float largest(const float* values, std::int64_t count)
{
    Vector most = {};
    std::int64_t i = 0;
    for (; i + kWidth <= count; i += kWidth)
    {
        const Vector x = magnitude(load(values + i));
        most = (x > most) ? x : most;
    }
    float lanes[kWidth];
    std::memcpy(lanes, &most, sizeof(most));
    float result = 0;
    for (const float lane : lanes)
        result = lane > result ? lane : result;
    for (; i < count; ++i)
        result = std::fabs(values[i]) > result ? std::fabs(values[i]) : result;
    return result;
}

bool any(const float* values, std::int64_t count)
{
    Mask left = {};
    std::int64_t i = 0;
    for (; i + kWidth <= count; i += kWidth)
        left |= load(values + i) != Vector{};
    bool found = any_bit(left);
    for (; i < count; ++i)
        found = found || values[i] != 0;
    return found;
}

}  // namespace

extern const Kernels FLIPSTORM_KERNELS;
const Kernels FLIPSTORM_KERNELS = {FLIPSTORM_KERNELS_NAME,
                                   FLIPSTORM_MOST_VECTORS,
                                   product,
                                   relu,
                                   scale,
                                   add,
                                   max_pool,
                                   map_pool,
                                   multiply,
                                   dots,
                                   within,
                                   largest,
                                   any};

}  // namespace flipstorm
