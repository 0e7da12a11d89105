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

/// PIXELS pixels × BLOCKS blocks of outputs.
template<class Word, int PIXELS, int BLOCKS>
void product_tile(const IntegerProduct<Word>& p, std::int64_t pixel, std::int64_t block)
{
    using Traits = WordTraits<Word>;
    constexpr std::ptrdiff_t kStep = kIntegerLanes * Traits::kGroup * Traits::kWeightParts;
    Lanes<Word> lanes[PIXELS][BLOCKS];
    for (auto& row : lanes)
    {
        for (Lanes<Word>& lane : row)
            lane.begin(p.dropped);
    }
    const typename Traits::Weight* w = p.weights + block * p.block_weights;
    std::int64_t steps = 0;
    for (std::int64_t tap = 0; tap < p.tap_count; ++tap)
    {
        const Word* x = p.in + pixel * p.in_step + p.taps[tap];
        for (std::int64_t g = 0; g < p.groups; ++g)
        {
#pragma GCC unroll 24
            for (int r = 0; r < PIXELS; ++r)
            {
#pragma GCC unroll 24
                for (int b = 0; b < BLOCKS; ++b)
                    lanes[r][b].step(x + r * p.in_step, w + b * p.block_weights);
            }
            x += Traits::kGroup;
            w += kStep;
            if (Traits::kBits != 16 || ++steps < kStepsToFold) continue;
            steps = 0;
            for (auto& row : lanes)
            {
                for (Lanes<Word>& lane : row)
                    lane.fold();
            }
        }
    }
    for (int r = 0; r < PIXELS; ++r)
    {
        for (int b = 0; b < BLOCKS; ++b)
            lanes[r][b].store(p.start + (block + b) * kIntegerLanes,
                              p.out + (pixel + r) * p.out_step + (block + b) * kIntegerLanes);
    }
}

/// Blocks of BLOCKS blocks, from `block` on, as long as there are as many. \returns the first that is left
template<class Word, int PIXELS, int BLOCKS>
std::int64_t product_blocks(const IntegerProduct<Word>& p, std::int64_t pixel, std::int64_t block)
{
    for (; block + BLOCKS <= p.blocks; block += BLOCKS)
        product_tile<Word, PIXELS, BLOCKS>(p, pixel, block);
    return block;
}

template<class Word>
void product(const IntegerProduct<Word>& p)
{
    // Lanes of 64-bit sums take two registers and more.
    constexpr int kMost = WordTraits<Word>::kBits == 8 ? kMostLanes : (kMostLanes + 3) / 4;
    std::int64_t pixel = 0;
    if constexpr (kMost >= 12)
    {
        for (; pixel + 8 <= p.pixels; pixel += 8)
        {
            const std::int64_t left = product_blocks<Word, 8, 2>(p, pixel, 0);
            product_blocks<Word, 8, 1>(p, pixel, left);
        }
    }
    if constexpr (kMost >= 4)
    {
        for (; pixel + 4 <= p.pixels; pixel += 4)
        {
            std::int64_t left = 0;
            if constexpr (kMost >= 8) left = product_blocks<Word, 4, 2>(p, pixel, 0);
            product_blocks<Word, 4, 1>(p, pixel, left);
        }
    }
    for (; pixel < p.pixels; ++pixel)
    {
        std::int64_t left = 0;
        if constexpr (kMost >= 8) left = product_blocks<Word, 1, 8>(p, pixel, left);
        if constexpr (kMost >= 4) left = product_blocks<Word, 1, 4>(p, pixel, left);
        product_blocks<Word, 1, 1>(p, pixel, left);
    }
}

/// The code that a number is rounded to, as it is stored.
template<class Word>
inline Word stored(double scaled, double low, double high)
{
    const double code = std::min(std::max(std::floor(scaled + 0.5), low), high);
    return static_cast<Word>(static_cast<std::int32_t>(code) + WordTraits<Word>::kZero);
}

/// One value of one channel.
template<class Word, class Sum>
inline Word rescaled(Sum x, const IntegerRescale<Word>& by, std::size_t c)
{
    if constexpr (std::is_same_v<typename WordTraits<Word>::Factor, double>)
    {
        return stored<Word>((static_cast<double>(x) * by.factor[c] + by.offset[c]) * by.shift[c],
                            static_cast<double>(by.low), static_cast<double>(by.high));
    }
    else
    {
        const std::int64_t shift = by.shift[c];
        const std::int64_t half = shift == 0 ? 0 : std::int64_t{1} << (shift - 1);
        const std::int64_t y = (static_cast<std::int64_t>(x) * by.factor[c] + by.offset[c] + half) >> shift;
        return static_cast<Word>(std::min(std::max(y, by.low), by.high) + WordTraits<Word>::kZero);
    }
}

template<class Word>
void rescale(const typename WordTraits<Word>::Sum* sums, const IntegerRescale<Word>& by, Word* out,
             std::int64_t pixels, std::int64_t channels)
{
    for (std::int64_t p = 0; p < pixels; ++p, sums += channels, out += channels)
    {
        for (std::int64_t c = 0; c < channels; ++c)
            out[c] = rescaled<Word>(sums[c], by, static_cast<std::size_t>(c));
    }
}

template<class Word>
void rescale_codes(const Word* codes, const IntegerRescale<Word>& by, Word* out, std::int64_t pixels,
                   std::int64_t channels)
{
    for (std::int64_t p = 0; p < pixels; ++p, codes += channels, out += channels)
    {
        for (std::int64_t c = 0; c < channels; ++c)
            out[c] = rescaled<Word>(codes[c] - WordTraits<Word>::kZero, by, static_cast<std::size_t>(c));
    }
}

template<class Word>
void add(const Word* a, const Word* b, const IntegerRescale<Word>& of_a, const IntegerRescale<Word>& of_b,
         Word* out, std::int64_t count)
{
    constexpr std::int32_t kZero = WordTraits<Word>::kZero;
    const std::int64_t factor_a = static_cast<std::int64_t>(of_a.factor[0]);
    const std::int64_t factor_b = static_cast<std::int64_t>(of_b.factor[0]);
    if constexpr (std::is_same_v<typename WordTraits<Word>::Factor, double>)
    {
        // Codes have 8 bits and factors 20.
        const auto fa = static_cast<std::int32_t>(factor_a);
        const auto fb = static_cast<std::int32_t>(factor_b);
        const double shift = of_a.shift[0];
        for (std::int64_t i = 0; i < count; ++i)
        {
            const std::int32_t sum = (a[i] - kZero) * fa + (b[i] - kZero) * fb;
            out[i] = stored<Word>(static_cast<double>(sum) * shift, static_cast<double>(of_a.low),
                                  static_cast<double>(of_a.high));
        }
    }
    else
    {
        const std::int64_t shift = of_a.shift[0];
        const std::int64_t half = shift == 0 ? 0 : std::int64_t{1} << (shift - 1);
        for (std::int64_t i = 0; i < count; ++i)
        {
            const std::int64_t sum =
                (std::int64_t{a[i]} * factor_a + std::int64_t{b[i]} * factor_b + half) >> shift;
            out[i] = static_cast<Word>(std::min(std::max(sum, of_a.low), of_a.high));
        }
    }
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
             std::int64_t faulty, int dropped, const IntegerRescale<Word>& by, std::int64_t at, Word* out,
             std::int64_t count)
{
    constexpr std::int32_t kZero = WordTraits<Word>::kZero;
    const auto c = static_cast<std::size_t>(at);
    if constexpr (WordTraits<Word>::kBits == 8)
    {
        const auto delta = static_cast<std::int32_t>(faulty - golden);
        const double factor = by.factor[c];
        const double offset = by.offset[c];
        const double shift = by.shift[c];
        const auto low = static_cast<double>(by.low);
        const auto high = static_cast<double>(by.high);
        for (std::int64_t i = 0; i < count; ++i)
        {
            const std::int32_t sum = sums[i] + delta * (x[i] - kZero);
            out[i] = stored<Word>((static_cast<double>(sum) * factor + offset) * shift, low, high);
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
            out[i] = rescaled<Word>(sum, by, c);
        }
    }
}

template<class Word>
constexpr IntegerKernels<Word> kernels_for(const char* name)
{
    return {name, product<Word>, rescale<Word>, rescale_codes<Word>, add<Word>, change<Word>, channel<Word>};
}

}  // namespace
}  // namespace flipstorm
