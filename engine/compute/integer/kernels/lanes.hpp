#pragma once
// Sums of 16 outputs, as each instruction set adds products up. Compiled for each instruction set: included
// by integer_kernels_body.hpp alone.

#include <algorithm>
#include <cstring>
#include <iterator>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "engine/compute/integer/integer_kernels.hpp"

namespace flipstorm
{
namespace
{

/// Sums of 16 outputs at one pixel, while they are added up.
template<class Word>
class Lanes;

#if defined(__AVX512BW__)

/// sums + Σ x·w of pairs side by side
inline __m512i add_products(__m512i sums, __m512i x, __m512i w)
{
#if defined(__AVX512VNNI__)
    return _mm512_dpwssd_epi32(sums, x, w);
#else
    return _mm512_add_epi32(sums, _mm512_madd_epi16(x, w));
#endif
}

#if defined(__AVX512VNNI__)
constexpr int kMostLanes = 24;

template<>
class Lanes<std::uint8_t>
{
  public:
    void begin(int /*dropped*/) { sums_ = _mm512_setzero_si512(); }

    void step(const std::uint8_t* x, const std::int8_t* w)
    {
        std::int32_t four = 0;
        std::memcpy(&four, x, sizeof four);
        sums_ = _mm512_dpbusd_epi32(sums_, _mm512_set1_epi32(four), _mm512_loadu_si512(w));
    }
    void fold() {}
    void store(const std::int32_t* start, std::int32_t* to)
    {
        _mm512_storeu_si512(to, _mm512_add_epi32(sums_, _mm512_loadu_si512(start)));
    }

  private:
    __m512i sums_;
};
#else
constexpr int kMostLanes = 12;

template<>
class Lanes<std::uint8_t>
{
  public:
    void begin(int /*dropped*/) { parts_[0] = parts_[1] = _mm512_setzero_si512(); }

    /// Each part has two sums for each of eight outputs.
    void step(const std::uint8_t* x, const std::int8_t* w)
    {
        std::int32_t four = 0;
        std::memcpy(&four, x, sizeof four);
        const __m512i values = _mm512_broadcastq_epi64(_mm_cvtepu8_epi16(_mm_cvtsi32_si128(four)));
        for (int k = 0; k < 2; ++k)
        {
            const __m512i weights =
                _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(w + 32 * k)));
            parts_[k] = add_products(parts_[k], values, weights);
        }
    }
    void fold() {}
    void store(const std::int32_t* start, std::int32_t* to)
    {
        std::int32_t pairs[32];
        for (int k = 0; k < 2; ++k)
            _mm512_storeu_si512(pairs + 16 * k, parts_[k]);
        for (int v = 0; v < 16; ++v)
            to[v] = start[v] + pairs[2 * v] + pairs[2 * v + 1];
    }

  private:
    __m512i parts_[2];
};
#endif

template<>
class Lanes<std::int16_t>
{
  public:
    void begin(int /*dropped*/) { low_ = high_ = sums_[0] = sums_[1] = _mm512_setzero_si512(); }

    void step(const std::int16_t* x, const std::int16_t* w)
    {
        std::int32_t two = 0;
        std::memcpy(&two, x, sizeof two);
        const __m512i both = _mm512_set1_epi32(two);
        low_ = add_products(low_, both, _mm512_loadu_si512(w));
        high_ = add_products(high_, both, _mm512_loadu_si512(w + 32));
    }
    void fold()
    {
        for (int half = 0; half < 2; ++half)
        {
            const __m512i low = half == 0 ? _mm512_cvtepi32_epi64(_mm512_castsi512_si256(low_))
                                          : _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(low_, 1));
            const __m512i high = half == 0 ? _mm512_cvtepi32_epi64(_mm512_castsi512_si256(high_))
                                           : _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(high_, 1));
            sums_[half] = _mm512_add_epi64(sums_[half], _mm512_add_epi64(low, _mm512_slli_epi64(high, 8)));
        }
        low_ = high_ = _mm512_setzero_si512();
    }
    void store(const std::int64_t* start, std::int64_t* to)
    {
        fold();
        for (int half = 0; half < 2; ++half)
            _mm512_storeu_si512(to + 8 * half,
                                _mm512_add_epi64(sums_[half], _mm512_loadu_si512(start + 8 * half)));
    }

  private:
    __m512i low_, high_;
    __m512i sums_[2];
};

template<>
class Lanes<std::int32_t>
{
  public:
    void begin(int dropped)
    {
        half_ = _mm512_set1_epi64(dropped == 0 ? 0 : std::int64_t{1} << (dropped - 1));
        dropped_ = _mm_cvtsi32_si128(dropped);
        sums_[0] = sums_[1] = _mm512_setzero_si512();
    }

    /// Outputs of even and of odd numbers apart: a multiplication reads the lower half of every 64 bits.
    void step(const std::int32_t* x, const std::int32_t* w)
    {
        const __m512i one = _mm512_set1_epi32(*x);
        const __m512i even = _mm512_loadu_si512(w);
        add(0, _mm512_mul_epi32(one, even));
        add(1, _mm512_mul_epi32(one, _mm512_srli_epi64(even, 32)));
    }
    void fold() {}
    void store(const std::int64_t* start, std::int64_t* to)
    {
        const __m512i low = _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0);
        const __m512i high = _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4);
        const __m512i sums[2] = {_mm512_permutex2var_epi64(sums_[0], low, sums_[1]),
                                 _mm512_permutex2var_epi64(sums_[0], high, sums_[1])};
        for (int half = 0; half < 2; ++half)
            _mm512_storeu_si512(to + 8 * half,
                                _mm512_add_epi64(sums[half], _mm512_loadu_si512(start + 8 * half)));
    }

  private:
    void add(int odd, __m512i product)
    {
        const __m512i rounded = _mm512_sra_epi64(_mm512_add_epi64(product, half_), dropped_);
        sums_[odd] = _mm512_add_epi64(sums_[odd], rounded);
    }

    __m512i sums_[2];
    __m512i half_;
    __m128i dropped_;
};

#else

#if defined(__AVX2__)
constexpr int kMostLanes = 4;

template<>
class Lanes<std::uint8_t>
{
  public:
    void begin(int /*dropped*/)
    {
        for (__m256i& part : parts_)
            part = _mm256_setzero_si256();
    }

    /// Each part has two sums for each of four outputs.
    void step(const std::uint8_t* x, const std::int8_t* w)
    {
        std::int32_t four = 0;
        std::memcpy(&four, x, sizeof four);
        const __m256i values = _mm256_broadcastq_epi64(_mm_cvtepu8_epi16(_mm_cvtsi32_si128(four)));
        for (int k = 0; k < 4; ++k)
        {
            const __m256i weights =
                _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w + 16 * k)));
            parts_[k] = _mm256_add_epi32(parts_[k], _mm256_madd_epi16(values, weights));
        }
    }
    void fold() {}
    void store(const std::int32_t* start, std::int32_t* to)
    {
        std::int32_t pairs[32];
        for (int k = 0; k < 4; ++k)
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(pairs + 8 * k), parts_[k]);
        for (int v = 0; v < 16; ++v)
            to[v] = start[v] + pairs[2 * v] + pairs[2 * v + 1];
    }

  private:
    __m256i parts_[4];
};

template<>
class Lanes<std::int16_t>
{
  public:
    void begin(int /*dropped*/)
    {
        for (__m256i& part : parts_)
            part = _mm256_setzero_si256();
        std::fill(std::begin(sums_), std::end(sums_), 0);
    }

    void step(const std::int16_t* x, const std::int16_t* w)
    {
        std::int32_t two = 0;
        std::memcpy(&two, x, sizeof two);
        const __m256i both = _mm256_set1_epi32(two);
        for (int k = 0; k < 4; ++k)
        {
            const __m256i weights = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w + 16 * k));
            parts_[k] = _mm256_add_epi32(parts_[k], _mm256_madd_epi16(both, weights));
        }
    }
    void fold()
    {
        std::int32_t parts[32];
        for (int k = 0; k < 4; ++k)
        {
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(parts + 8 * k), parts_[k]);
            parts_[k] = _mm256_setzero_si256();
        }
        for (int v = 0; v < 16; ++v)
            sums_[v] += parts[v] + 256 * std::int64_t{parts[16 + v]};
    }
    void store(const std::int64_t* start, std::int64_t* to)
    {
        fold();
        for (int v = 0; v < 16; ++v)
            to[v] = start[v] + sums_[v];
    }

  private:
    __m256i parts_[4];
    std::int64_t sums_[16];
};

#else
constexpr int kMostLanes = 4;

template<>
class Lanes<std::uint8_t>
{
  public:
    void begin(int /*dropped*/) { std::fill(std::begin(sums_), std::end(sums_), 0); }
    void step(const std::uint8_t* x, const std::int8_t* w)
    {
        for (int v = 0; v < 16; ++v)
        {
            for (int k = 0; k < 4; ++k)
                sums_[v] += std::int32_t{x[k]} * std::int32_t{w[4 * v + k]};
        }
    }
    void fold() {}
    void store(const std::int32_t* start, std::int32_t* to)
    {
        for (int v = 0; v < 16; ++v)
            to[v] = start[v] + sums_[v];
    }

  private:
    std::int32_t sums_[16];
};

template<>
class Lanes<std::int16_t>
{
  public:
    void begin(int /*dropped*/) { std::fill(std::begin(sums_), std::end(sums_), 0); }
    void step(const std::int16_t* x, const std::int16_t* w)
    {
        for (int v = 0; v < 16; ++v)
        {
            for (int k = 0; k < 2; ++k)
                sums_[v] += std::int64_t{x[k]} * (w[2 * v + k] + 256 * std::int64_t{w[32 + 2 * v + k]});
        }
    }
    void fold() {}
    void store(const std::int64_t* start, std::int64_t* to)
    {
        for (int v = 0; v < 16; ++v)
            to[v] = start[v] + sums_[v];
    }

  private:
    std::int64_t sums_[16];
};
#endif

template<>
class Lanes<std::int32_t>
{
  public:
    void begin(int dropped)
    {
        std::fill(std::begin(sums_), std::end(sums_), 0);
        half_ = dropped == 0 ? 0 : std::int64_t{1} << (dropped - 1);
        dropped_ = dropped;
    }
    void step(const std::int32_t* x, const std::int32_t* w)
    {
        for (int v = 0; v < 16; ++v)
            sums_[v] += (std::int64_t{*x} * std::int64_t{w[v]} + half_) >> dropped_;
    }
    void fold() {}
    void store(const std::int64_t* start, std::int64_t* to)
    {
        for (int v = 0; v < 16; ++v)
            to[v] = start[v] + sums_[v];
    }

  private:
    std::int64_t sums_[16];
    std::int64_t half_;
    int dropped_;
};

#endif

}  // namespace
}  // namespace flipstorm
