// The kernels, written once; each integer_kernels_<isa>.cpp includes this file and is compiled for its
// instruction set, which FLIPSTORM_KERNELS names.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <type_traits>

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

    void step(const std::int32_t* x, const std::int32_t* w)
    {
        const __m512i one = _mm512_set1_epi64(*x);
        for (int half = 0; half < 2; ++half)
        {
            const __m512i weights =
                _mm512_cvtepi32_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(w + 8 * half)));
            const __m512i product = _mm512_add_epi64(_mm512_mul_epi32(one, weights), half_);
            sums_[half] = _mm512_add_epi64(sums_[half], _mm512_sra_epi64(product, dropped_));
        }
    }
    void fold() {}
    void store(const std::int64_t* start, std::int64_t* to)
    {
        for (int half = 0; half < 2; ++half)
            _mm512_storeu_si512(to + 8 * half,
                                _mm512_add_epi64(sums_[half], _mm512_loadu_si512(start + 8 * half)));
    }

  private:
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

/// Products of 16-bit words whose partial sums fit 32 bits.
constexpr std::int64_t kStepsToFold = 255;

/// Addresses at equal distances, as few of them in registers as the processor's addressing modes allow.
template<class T, int COUNT>
class Strided
{
  public:
    Strided(const T* first, std::ptrdiff_t step) : step_(step)
    {
        for (int k = 0; k < kThirds; ++k)
            third_[k] = first + 3 * k * step;
    }
    [[nodiscard]] const T* operator[](int i) const { return third_[i / 3] + i % 3 * step_; }

  private:
    static constexpr int kThirds = (COUNT + 2) / 3;
    const T* third_[kThirds];
    std::ptrdiff_t step_;
};

/// Call with each pixel and each block of a tile; unrolled, so that the tile's sums stay in registers.
template<int PIXELS, int BLOCKS, class Function>
inline void each_of_tile(const Function& function)
{
#pragma GCC unroll 24
    for (int r = 0; r < PIXELS; ++r)
    {
#pragma GCC unroll 24
        for (int b = 0; b < BLOCKS; ++b)
            function(r, b);
    }
}

/// PIXELS pixels × BLOCKS blocks of outputs.
template<class Word, int PIXELS, int BLOCKS>
void product_tile(const IntegerProduct<Word>& p, std::int64_t pixel, std::int64_t block)
{
    using Traits = WordTraits<Word>;
    constexpr std::ptrdiff_t kStep = kIntegerLanes * Traits::kGroup * Traits::kWeightParts;
    Lanes<Word> lanes[PIXELS][BLOCKS];
    each_of_tile<PIXELS, BLOCKS>([&](int r, int b) { lanes[r][b].begin(p.dropped); });
    const Word* const in = p.in + pixel * p.in_step;
    const std::ptrdiff_t in_step = p.in_step;
    const std::ptrdiff_t block_weights = p.block_weights;
    const typename Traits::Weight* w = p.weights + block * block_weights;
    const std::ptrdiff_t* step = p.steps;
    const std::ptrdiff_t* const last = step + p.step_count;
    const auto multiply = [&](std::int64_t count) {
        for (; count > 0; --count, ++step, w += kStep)
        {
            const Strided<Word, PIXELS> x(in + *step, in_step);
            const Strided<typename Traits::Weight, BLOCKS> of_block(w, block_weights);
            each_of_tile<PIXELS, BLOCKS>([&](int r, int b) { lanes[r][b].step(x[r], of_block[b]); });
        }
    };
    if constexpr (Traits::kBits == 16)
    {
        for (; step != last;)
        {
            multiply(std::min<std::int64_t>(last - step, kStepsToFold));
            each_of_tile<PIXELS, BLOCKS>([&](int r, int b) { lanes[r][b].fold(); });
        }
    }
    else
        multiply(p.step_count);
    const typename Traits::Sum* const start = p.start + pixel * p.start_step + block * kIntegerLanes;
    typename Traits::Sum* const out = p.out + pixel * p.out_step + block * kIntegerLanes;
    const std::ptrdiff_t start_step = p.start_step;
    const std::ptrdiff_t out_step = p.out_step;
    each_of_tile<PIXELS, BLOCKS>([&](int r, int b) {
        lanes[r][b].store(start + r * start_step + b * kIntegerLanes, out + r * out_step + b * kIntegerLanes);
    });
}

/// Blocks of BLOCKS blocks, from `block` on, as long as there are as many. \returns the first that is left
template<class Word, int PIXELS, int BLOCKS>
std::int64_t product_blocks(const IntegerProduct<Word>& p, std::int64_t pixel, std::int64_t block)
{
    for (; block + BLOCKS <= p.blocks; block += BLOCKS)
        product_tile<Word, PIXELS, BLOCKS>(p, pixel, block);
    return block;
}

/// Neighbouring pixels, all blocks of outputs.
template<class Word, int PIXELS>
void product_pixels(const IntegerProduct<Word>& p, std::int64_t pixel)
{
    // Lanes of 64-bit sums take two registers and more.
    constexpr int kMost = WordTraits<Word>::kBits == 8 ? kMostLanes : (kMostLanes + 3) / 4;
    std::int64_t left = 0;
    if constexpr (PIXELS == 1 && kMost >= 8) left = product_blocks<Word, 1, 8>(p, pixel, left);
    if constexpr (PIXELS == 1 && kMost >= 4) left = product_blocks<Word, 1, 4>(p, pixel, left);
    if constexpr (PIXELS > 1 && kMost >= 2 * PIXELS) left = product_blocks<Word, PIXELS, 2>(p, pixel, left);
    product_blocks<Word, PIXELS, 1>(p, pixel, left);
}

/// So many neighbouring pixels as are left, MOST at most.
template<class Word, int MOST>
void product_some(const IntegerProduct<Word>& p, std::int64_t pixel, std::int64_t count)
{
    if constexpr (MOST > 1)
    {
        if (count < MOST) return product_some<Word, MOST - 1>(p, pixel, count);
    }
    product_pixels<Word, MOST>(p, pixel);
}

template<class Word>
void product(const IntegerProduct<Word>& p)
{
    constexpr int kOf8Bits = std::min(kMostLanes, 12);
    constexpr int kMost = WordTraits<Word>::kBits == 8 ? kOf8Bits : (kMostLanes + 3) / 4;
    std::int64_t pixel = 0;
    // Tiles of about the same size.
    for (std::int64_t tiles = (p.pixels + kMost - 1) / kMost; tiles > 0; --tiles)
    {
        const std::int64_t count = (p.pixels - pixel + tiles - 1) / tiles;
        product_some<Word, kMost>(p, pixel, count);
        pixel += count;
    }
}

/// Neighbouring blocks of outputs, BLOCKS of them.
template<class Word, int BLOCKS>
std::int64_t change_blocks(const IntegerProductChange<Word>& p, std::int64_t block)
{
    using Traits = WordTraits<Word>;
    constexpr std::ptrdiff_t kStep = kIntegerLanes * Traits::kGroup * Traits::kWeightParts;
    const std::ptrdiff_t block_weights = p.block_weights;
    for (; block + BLOCKS <= p.blocks; block += BLOCKS)
    {
        Lanes<Word> lanes[2][BLOCKS];
        each_of_tile<2, BLOCKS>([&](int r, int b) { lanes[r][b].begin(p.dropped); });
        const typename Traits::Weight* const weights = p.weights + block * block_weights;
        for (std::int64_t i = 0; i < p.changed_count;)
        {
            const std::int64_t end =
                Traits::kBits == 16 ? std::min(p.changed_count, i + kStepsToFold) : p.changed_count;
            for (; i < end; ++i)
            {
                const std::int32_t at = p.changed[i];
                const Word* const x[2] = {p.now + p.steps[at], p.golden + p.steps[at]};
                const Strided<typename Traits::Weight, BLOCKS> w(weights + at * kStep, block_weights);
                each_of_tile<2, BLOCKS>([&](int r, int b) { lanes[r][b].step(x[r], w[b]); });
            }
            each_of_tile<2, BLOCKS>([&](int r, int b) { lanes[r][b].fold(); });
        }
        static constexpr typename Traits::Sum kNothing[kIntegerLanes] = {};
        for (int b = 0; b < BLOCKS; ++b)
        {
            const std::int64_t first = (block + b) * kIntegerLanes;
            typename Traits::Sum golden[kIntegerLanes];
            lanes[1][b].store(kNothing, golden);
            lanes[0][b].store(p.start + first, p.out + first);
            for (std::int64_t v = 0; v < kIntegerLanes; ++v)
                p.out[first + v] -= golden[v];
        }
    }
    return block;
}

template<class Word>
void product_change(const IntegerProductChange<Word>& p)
{
    constexpr int kMost = WordTraits<Word>::kBits == 8 ? kMostLanes : (kMostLanes + 3) / 4;
    std::int64_t block = 0;
    if constexpr (kMost >= 16) block = change_blocks<Word, 8>(p, block);
    if constexpr (kMost >= 4) block = change_blocks<Word, 2>(p, block);
    change_blocks<Word, 1>(p, block);
}

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

template<class Word>
constexpr IntegerKernels<Word> kernels_for(const char* name)
{
    IntegerKernels<Word> kernels{};
    kernels.name = name;
    kernels.product = product<Word>;
    kernels.product_change = product_change<Word>;
    kernels.changed_steps = changed_steps<Word>;
    kernels.rescale = rescale;
    kernels.rescale_codes = rescale_codes;
    kernels.rescale_channel = rescale_channel<Word>;
    kernels.relu = relu<Word>;
    kernels.max_pool = max_pool<Word>;
    kernels.max_pool_map = max_pool_map<Word>;
    kernels.add = add<Word>;
    kernels.widen_map = widen_map<Word>;
    kernels.differences = differences<Word>;
    kernels.change = change<Word>;
    kernels.channel = channel<Word>;
    return kernels;
}

}  // namespace
}  // namespace flipstorm
