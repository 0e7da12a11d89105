#pragma once
// From sums to codes, and what else multiplies codes. Compiled for each instruction set: included by
// integer_kernels_body.hpp alone.

#include <algorithm>
#include <cmath>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "engine/compute/integer/integer_kernels.hpp"

namespace flipstorm
{
namespace
{

/// A code as it is stored, within limits.
template<class Word>
inline Word limited(std::int64_t code, const IntegerRescale& by)
{
    return static_cast<Word>(std::min(std::max(code, by.low), by.high) + WordTraits<Word>::kZero);
}

#if defined(__AVX512BW__)

/// 16 codes of 8 bits from whole numbers of 32.
inline void store_codes(std::uint8_t* out, __m512i codes, const IntegerRescale& by)
{
    const __m512i low = _mm512_set1_epi32(static_cast<std::int32_t>(by.low));
    const __m512i high = _mm512_set1_epi32(static_cast<std::int32_t>(by.high));
    const __m512i limited = _mm512_min_epi32(_mm512_max_epi32(codes, low), high);
    const __m512i stored = _mm512_add_epi32(limited, _mm512_set1_epi32(128));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm512_cvtepi32_epi8(stored));
}

inline __m512i load_vector(const void* from)
{
    return _mm512_loadu_si512(from);
}

/// 8 sums of 32 bits, rescaled in 64.
inline __m512i rescaled_wide(__m256i sums, const IntegerRescale& by, std::int64_t c)
{
    const __m512i product = _mm512_mul_epi32(_mm512_cvtepi32_epi64(sums), load_vector(by.factor.data() + c));
    return _mm512_srav_epi64(_mm512_add_epi64(product, load_vector(by.offset.data() + c)),
                             load_vector(by.shift.data() + c));
}

/// Rescale 16 channels of one pixel. \param sums  of 32 bits
inline void rescale_vector(__m512i sums, const IntegerRescale& by, std::int64_t c, bool in_32,
                           std::uint8_t* out)
{
    if (by.shifts_alone || in_32)
    {
        if (in_32 && !by.shifts_alone) sums = _mm512_mullo_epi32(sums, load_vector(by.factor32.data() + c));
        sums = _mm512_add_epi32(sums, load_vector(by.offset32.data() + c));
        return store_codes(out, _mm512_srav_epi32(sums, load_vector(by.shift32.data() + c)), by);
    }
    const __m512i low = rescaled_wide(_mm512_castsi512_si256(sums), by, c);
    const __m512i high = rescaled_wide(_mm512_extracti64x4_epi64(sums, 1), by, c + 8);
    const __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtsepi64_epi32(low)),
                                            _mm512_cvtsepi64_epi32(high), 1);
    store_codes(out, both, by);
}

void rescale(const std::int32_t* sums, const IntegerRescale& by, std::uint8_t* out, std::int64_t pixels,
             std::int64_t channels)
{
    for (std::int64_t c = 0; c < channels && by.shifts_alone; c += 16)
    {
        const __m512i offset = load_vector(by.offset32.data() + c);
        const __m512i shift = load_vector(by.shift32.data() + c);
        const __m512i low = _mm512_set1_epi32(static_cast<std::int32_t>(by.low));
        const __m512i high = _mm512_set1_epi32(static_cast<std::int32_t>(by.high));
        const __m128i zero = _mm_set1_epi8(static_cast<char>(128));
        for (std::int64_t p = 0; p < pixels; ++p)
        {
            const __m512i sum = _mm512_add_epi32(load_vector(sums + p * channels + c), offset);
            const __m512i code = _mm512_min_epi32(_mm512_max_epi32(_mm512_srav_epi32(sum, shift), low), high);
            _mm_storeu_si128(reinterpret_cast<__m128i*>(out + p * channels + c),
                             _mm_xor_si128(_mm512_cvtepi32_epi8(code), zero));
        }
    }
    for (std::int64_t p = 0; p < pixels && !by.shifts_alone; ++p)
    {
        for (std::int64_t c = 0; c < channels; c += 16)
            rescale_vector(load_vector(sums + p * channels + c), by, c, false, out + p * channels + c);
    }
}

void rescale_codes(const std::uint8_t* codes, const IntegerRescale& by, std::uint8_t* out,
                   std::int64_t pixels, std::int64_t channels)
{
    const __m512i zero = _mm512_set1_epi32(128);
    for (std::int64_t p = 0; p < pixels; ++p, codes += channels, out += channels)
    {
        for (std::int64_t c = 0; c < channels; c += 16)
        {
            const __m128i some = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + c));
            rescale_vector(_mm512_sub_epi32(_mm512_cvtepu8_epi32(some), zero), by, c, by.codes_fit_32,
                           out + c);
        }
    }
}

#else

/// One value of one channel: in floating point, whose products of 31 and 20 bits are exact.
inline std::uint8_t rescaled_code(std::int32_t x, const IntegerRescale& by, std::size_t c)
{
    const double code =
        std::floor((static_cast<double>(x) * by.factor_real[c] + by.offset_real[c]) * by.shift_real[c]);
    const double limited =
        std::min(std::max(code, static_cast<double>(by.low)), static_cast<double>(by.high));
    return static_cast<std::uint8_t>(static_cast<std::int32_t>(limited) + 128);
}

void rescale(const std::int32_t* sums, const IntegerRescale& by, std::uint8_t* out, std::int64_t pixels,
             std::int64_t channels)
{
    for (std::int64_t p = 0; p < pixels; ++p, sums += channels, out += channels)
    {
        for (std::int64_t c = 0; c < channels; ++c)
            out[c] = rescaled_code(sums[c], by, static_cast<std::size_t>(c));
    }
}

void rescale_codes(const std::uint8_t* codes, const IntegerRescale& by, std::uint8_t* out,
                   std::int64_t pixels, std::int64_t channels)
{
    for (std::int64_t p = 0; p < pixels; ++p, codes += channels, out += channels)
    {
        for (std::int64_t c = 0; c < channels; ++c)
            out[c] = rescaled_code(codes[c] - 128, by, static_cast<std::size_t>(c));
    }
}

#endif

/// The same of sums of 64 bits.
template<class Word>
void rescale(const std::int64_t* sums, const IntegerRescale& by, Word* out, std::int64_t pixels,
             std::int64_t channels)
{
    const std::int64_t* const factor = by.factor.data();
    const std::int64_t* const offset = by.offset.data();
    const std::int64_t* const shift = by.shift.data();
    for (std::int64_t p = 0; p < pixels; ++p, sums += channels, out += channels)
    {
        for (std::int64_t c = 0; c < channels; ++c)
            out[c] = limited<Word>((sums[c] * factor[c] + offset[c]) >> shift[c], by);
    }
}

template<class Word>
void rescale_codes(const Word* codes, const IntegerRescale& by, Word* out, std::int64_t pixels,
                   std::int64_t channels)
{
    const std::int64_t* const factor = by.factor.data();
    const std::int64_t* const offset = by.offset.data();
    const std::int64_t* const shift = by.shift.data();
    for (std::int64_t p = 0; p < pixels; ++p, codes += channels, out += channels)
    {
        for (std::int64_t c = 0; c < channels; ++c)
            out[c] = limited<Word>((std::int64_t{codes[c]} * factor[c] + offset[c]) >> shift[c], by);
    }
}

template<class Word>
void add(const Word* a, const Word* b, const IntegerRescale& of_a, const IntegerRescale& of_b, Word* out,
         std::int64_t count)
{
    constexpr std::int32_t kZero = WordTraits<Word>::kZero;
    if constexpr (WordTraits<Word>::kBits == 8)
    {
        // Codes have 8 bits and factors 20; a shift beyond 30 bits leaves nothing of them.
        const std::int32_t factor_a = of_a.factor32[0];
        const std::int32_t factor_b = of_b.factor32[0];
        const std::int32_t shift = std::min(of_a.shift32[0], 30);
        const std::int32_t half = shift == 0 ? 0 : std::int32_t{1} << (shift - 1);
        const auto low = static_cast<std::int32_t>(of_a.low);
        const auto high = static_cast<std::int32_t>(of_a.high);
        for (std::int64_t i = 0; i < count; ++i)
        {
            const std::int32_t sum = ((a[i] - kZero) * factor_a + (b[i] - kZero) * factor_b + half) >> shift;
            out[i] = static_cast<Word>(std::min(std::max(sum, low), high) + kZero);
        }
    }
    else
    {
        const std::int64_t factor_a = of_a.factor[0];
        const std::int64_t factor_b = of_b.factor[0];
        const std::int64_t shift = of_a.shift[0];
        const std::int64_t offset = of_a.offset[0];
        for (std::int64_t i = 0; i < count; ++i)
            out[i] = limited<Word>(
                (std::int64_t{a[i]} * factor_a + std::int64_t{b[i]} * factor_b + offset) >> shift, of_a);
    }
}

template<class Word>
void channel(const typename WordTraits<Word>::Sum* sums, const Word* x, std::int64_t golden,
             std::int64_t faulty, int dropped, const IntegerRescale& by, std::int64_t at, Word* out,
             std::int64_t count)
{
    constexpr std::int32_t kZero = WordTraits<Word>::kZero;
    const auto c = static_cast<std::size_t>(at);
    const std::int64_t factor = by.factor[c];
    const std::int64_t offset = by.offset[c];
    const std::int64_t shift = by.shift[c];
    if constexpr (WordTraits<Word>::kBits == 8)
    {
        const auto delta = static_cast<std::int32_t>(faulty - golden);
        if (by.shifts_alone)
        {
            const std::int32_t offset32 = by.offset32[c];
            const std::int32_t shift32 = by.shift32[c];
            const auto low = static_cast<std::int32_t>(by.low);
            const auto high = static_cast<std::int32_t>(by.high);
            for (std::int64_t i = 0; i < count; ++i)
            {
                const std::int32_t code = (sums[i] + delta * (x[i] - kZero) + offset32) >> shift32;
                out[i] = static_cast<Word>(std::min(std::max(code, low), high) + kZero);
            }
            return;
        }
        for (std::int64_t i = 0; i < count; ++i)
        {
            const std::int64_t sum = sums[i] + delta * (x[i] - kZero);
            out[i] = limited<Word>((sum * factor + offset) >> shift, by);
        }
    }
    else
    {
        const std::int64_t half = dropped == 0 ? 0 : std::int64_t{1} << (dropped - 1);
        for (std::int64_t i = 0; i < count; ++i)
        {
            const std::int64_t code = x[i];
            const std::int64_t sum =
                sums[i] + ((code * faulty + half) >> dropped) - ((code * golden + half) >> dropped);
            out[i] = limited<Word>((sum * factor + offset) >> shift, by);
        }
    }
}

template<class Word>
void rescale_channel(const Word* codes, const IntegerRescale& by, std::int64_t at, Word* out,
                     std::int64_t count)
{
    constexpr std::int32_t kZero = WordTraits<Word>::kZero;
    const auto c = static_cast<std::size_t>(at);
    if (WordTraits<Word>::kBits == 8 && by.codes_fit_32)
    {
        const std::int32_t factor = by.factor32[c];
        const std::int32_t offset = by.offset32[c];
        const std::int32_t shift = by.shift32[c];
        const auto low = static_cast<std::int32_t>(by.low);
        const auto high = static_cast<std::int32_t>(by.high);
        for (std::int64_t i = 0; i < count; ++i)
        {
            const std::int32_t code = ((codes[i] - kZero) * factor + offset) >> shift;
            out[i] = static_cast<Word>(std::min(std::max(code, low), high) + kZero);
        }
        return;
    }
    const std::int64_t factor = by.factor[c];
    const std::int64_t offset = by.offset[c];
    const std::int64_t shift = by.shift[c];
    for (std::int64_t i = 0; i < count; ++i)
        out[i] = limited<Word>(((std::int64_t{codes[i]} - kZero) * factor + offset) >> shift, by);
}

}  // namespace
}  // namespace flipstorm
