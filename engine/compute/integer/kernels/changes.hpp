#pragma once
// What changes: codes compared, and sums changed by columns of weights. Compiled for each instruction set:
// included by integer_kernels_body.hpp alone.

#include <algorithm>
#include <cmath>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "engine/compute/integer/integer_kernels.hpp"

namespace flipstorm
{
namespace
{

#if defined(__AVX512BW__)
/// 16 words as whole numbers of 32 bits.
inline __m512i widened(const std::uint8_t* in)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in)));
}
inline __m512i widened(const std::int16_t* in)
{
    return _mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(in)));
}
inline __m512i widened(const std::int32_t* in)
{
    return _mm512_loadu_si512(in);
}
#endif

template<class Word>
float widen_map(const Word* in, std::ptrdiff_t in_row, std::int64_t height, std::int64_t width, float* out)
{
#if defined(__AVX512BW__)
    const __m512i zero = _mm512_set1_epi32(WordTraits<Word>::kZero);
    __m512 largest = _mm512_setzero_ps();
    for (std::int64_t y = 0; y < height; ++y)
    {
        for (std::int64_t x = 0; x < width; x += 16)
        {
            const auto there = static_cast<__mmask16>(width - x < 16 ? (1U << (width - x)) - 1 : 0xFFFFU);
            const __m512i codes = _mm512_sub_epi32(widened(in + y * in_row + x), zero);
            const __m512 values = _mm512_maskz_cvtepi32_ps(there, codes);
            largest = _mm512_max_ps(largest, _mm512_abs_ps(values));
            _mm512_mask_storeu_ps(out + y * width + x, there, values);
        }
    }
    return _mm512_reduce_max_ps(largest);
#else
    float largest = 0;
    for (std::int64_t y = 0; y < height; ++y)
    {
        for (std::int64_t x = 0; x < width; ++x)
        {
            const auto value =
                static_cast<float>(static_cast<std::int32_t>(in[y * in_row + x]) - WordTraits<Word>::kZero);
            largest = std::max(largest, std::fabs(value));
            out[y * width + x] = value;
        }
    }
    return largest;
#endif
}

template<class Word>
std::int64_t differences(const Word* a, const Word* b, std::int64_t count, std::int32_t* places,
                         std::int64_t most)
{
    std::int64_t found = 0;
    std::int64_t i = 0;
#if defined(__AVX512BW__)
    constexpr std::int64_t kAtOnce = 64 / sizeof(Word);
    for (; i + kAtOnce <= count; i += kAtOnce)
    {
        const __m512i of_a = _mm512_loadu_si512(a + i);
        const __m512i of_b = _mm512_loadu_si512(b + i);
        std::uint64_t differ = 0;
        if constexpr (sizeof(Word) == 1)
            differ = _mm512_cmpneq_epi8_mask(of_a, of_b);
        else if constexpr (sizeof(Word) == 2)
            differ = _mm512_cmpneq_epi16_mask(of_a, of_b);
        else
            differ = _mm512_cmpneq_epi32_mask(of_a, of_b);
        for (; differ != 0; differ &= differ - 1)
        {
            if (found == most) return most + 1;
            places[found++] = static_cast<std::int32_t>(i + __builtin_ctzll(differ));
        }
    }
#else
    constexpr std::int64_t kAtOnce = 16;
    for (; i + kAtOnce <= count; i += kAtOnce)
    {
        if (std::memcmp(a + i, b + i, kAtOnce * sizeof(Word)) == 0) continue;
        for (std::int64_t k = i; k < i + kAtOnce; ++k)
        {
            if (a[k] == b[k]) continue;
            if (found == most) return most + 1;
            places[found++] = static_cast<std::int32_t>(k);
        }
    }
#endif
    for (; i < count; ++i)
    {
        if (a[i] == b[i]) continue;
        if (found == most) return most + 1;
        places[found++] = static_cast<std::int32_t>(i);
    }
    return found;
}

template<class Word>
std::int64_t changed_steps(const Word* a, const Word* b, std::int64_t count, std::int32_t* places)
{
    static_assert(WordTraits<Word>::kGroup * sizeof(Word) == sizeof(std::int32_t));
    std::int64_t found = 0;
    std::int64_t i = 0;
#if defined(__AVX512BW__)
    const __m512i ascending = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    for (; i < count; i += 16)
    {
        const std::int64_t left = count - i;
        const auto there = static_cast<__mmask16>(left < 16 ? (1U << left) - 1 : 0xFFFFU);
        const __m512i of_a = _mm512_maskz_loadu_epi32(there, a + i * WordTraits<Word>::kGroup);
        const __m512i of_b = _mm512_maskz_loadu_epi32(there, b + i * WordTraits<Word>::kGroup);
        const __mmask16 differ = _mm512_cmpneq_epi32_mask(of_a, of_b);
        const __m512i at = _mm512_add_epi32(ascending, _mm512_set1_epi32(static_cast<std::int32_t>(i)));
        // Whole vectors are written, as far as all steps would reach.
        _mm512_storeu_si512(places + found, _mm512_maskz_compress_epi32(differ, at));
        found += __builtin_popcount(differ);
    }
#else
    for (; i < count; ++i)
    {
        places[found] = static_cast<std::int32_t>(i);
        found +=
            std::memcmp(a + i * WordTraits<Word>::kGroup, b + i * WordTraits<Word>::kGroup, 4) != 0 ? 1 : 0;
    }
#endif
    return found;
}

template<class Word>
void change(typename WordTraits<Word>::Sum* sums, const std::int32_t* weights, std::int64_t was,
            std::int64_t is, int dropped, std::int64_t count)
{
    if constexpr (WordTraits<Word>::kBits == 8)
    {
        const auto by = static_cast<std::int32_t>(is - was);
        for (std::int64_t v = 0; v < count; ++v)
            sums[v] += by * weights[v];
    }
    else if (dropped == 0)
    {
        const std::int64_t by = is - was;
        for (std::int64_t v = 0; v < count; ++v)
            sums[v] += by * std::int64_t{weights[v]};
    }
    else
    {
        const std::int64_t half = std::int64_t{1} << (dropped - 1);
        for (std::int64_t v = 0; v < count; ++v)
        {
            const std::int64_t w = weights[v];
            sums[v] += ((is * w + half) >> dropped) - ((was * w + half) >> dropped);
        }
    }
}

}  // namespace
}  // namespace flipstorm
