#pragma once
// ReLU and max-pools. Compiled for each instruction set: included by
// integer_kernels_body.hpp alone.

#include <algorithm>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "engine/compute/integer/integer_kernels.hpp"

namespace flipstorm
{
namespace
{

template<class Word>
void relu(const Word* codes, Word ceiling, Word* out, std::int64_t count)
{
    constexpr auto kZero = static_cast<Word>(WordTraits<Word>::kZero);
    for (std::int64_t i = 0; i < count; ++i)
        out[i] = std::min(std::max(codes[i], kZero), ceiling);
}

/// Words of 16 channels side by side.
template<class Word>
struct BlockOf;
template<>
struct BlockOf<std::uint8_t>
{
    using Type = std::uint8_t __attribute__((vector_size(16)));
};
template<>
struct BlockOf<std::int16_t>
{
    using Type = std::int16_t __attribute__((vector_size(32)));
};
template<>
struct BlockOf<std::int32_t>
{
    using Type = std::int32_t __attribute__((vector_size(64)));
};

/// The first words of a block.
template<class Word>
void store_first(Word* out, const typename BlockOf<Word>::Type& block, std::int64_t count)
{
#if defined(__AVX512BW__)
    if constexpr (sizeof(Word) == 1)
    {
        const auto mask = static_cast<__mmask16>((1U << count) - 1);
        return _mm_mask_storeu_epi8(out, mask, reinterpret_cast<const __m128i&>(block));
    }
#endif
    if (count == kIntegerLanes)
        std::memcpy(out, &block, sizeof block);
    else
    {
        for (std::int64_t i = 0; i < count; ++i)
            out[i] = block[i];
    }
}

template<class Word>
void max_pool(const IntegerPool2d<Word>& pool)
{
    using Block = typename BlockOf<Word>::Type;
    for (std::int64_t p = 0; p < pool.pixels; ++p)
    {
        for (std::int64_t c = 0; c < pool.channels; c += kIntegerLanes)
        {
            const Word* in = pool.in + p * pool.step + c;
            Block most = {};
            std::memcpy(&most, in, sizeof most);
            for (std::int64_t y = 0; y < pool.rows; ++y, in += pool.row)
            {
                for (std::int64_t x = 0; x < pool.columns; ++x)
                {
                    Block other = {};
                    std::memcpy(&other, in + x * pool.channels, sizeof other);
                    most = most > other ? most : other;
                }
            }
            std::memcpy(pool.out + p * pool.channels + c, &most, sizeof most);
        }
    }
}

/// The larger of neighbours: of 32 words those of each pair.
template<class Block>
Block larger_of_pairs(const Block& first, const Block& second)
{
    const Block even =
        __builtin_shufflevector(first, second, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const Block odd =
        __builtin_shufflevector(first, second, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    return even > odd ? even : odd;
}

/// Windows of 2 × 2 side by side.
template<class Word>
void max_pool_pairs(const IntegerMapPool<Word>& pool)
{
    using Block = typename BlockOf<Word>::Type;
    for (std::int64_t y = 0; y < pool.out_height; ++y)
    {
        const Word* const above = pool.in + 2 * y * pool.in_row;
        const Word* const below = above + pool.in_row;
        Word* const out = pool.out + y * pool.out_row;
        for (std::int64_t x = 0; x < pool.out_width; x += kIntegerLanes)
        {
            Block of_above[2];
            Block of_below[2];
            std::memcpy(of_above, above + 2 * x, sizeof of_above);
            std::memcpy(of_below, below + 2 * x, sizeof of_below);
            for (int k = 0; k < 2; ++k)
                of_above[k] = of_above[k] > of_below[k] ? of_above[k] : of_below[k];
            const Block most = larger_of_pairs(of_above[0], of_above[1]);
            store_first(out + x, most, std::min(kIntegerLanes, pool.out_width - x));
        }
    }
}

template<class Word>
void max_pool_map(const IntegerMapPool<Word>& pool)
{
    if (pool.kernel == 2 && pool.stride == 2 && pool.padding == 0) return max_pool_pairs(pool);
    for (std::int64_t y = 0; y < pool.out_height; ++y)
    {
        const std::int64_t top = std::max<std::int64_t>(y * pool.stride - pool.padding, 0);
        const std::int64_t bottom = std::min(y * pool.stride - pool.padding + pool.kernel, pool.in_height);
        for (std::int64_t x = 0; x < pool.out_width; ++x)
        {
            const std::int64_t left = std::max<std::int64_t>(x * pool.stride - pool.padding, 0);
            const std::int64_t right = std::min(x * pool.stride - pool.padding + pool.kernel, pool.in_width);
            Word most = pool.in[top * pool.in_row + left];
            for (std::int64_t v = top; v < bottom; ++v)
            {
                for (std::int64_t u = left; u < right; ++u)
                    most = std::max(most, pool.in[v * pool.in_row + u]);
            }
            pool.out[y * pool.out_row + x] = most;
        }
    }
}

}  // namespace
}  // namespace flipstorm
