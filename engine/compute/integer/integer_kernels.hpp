#pragma once
// The hot loops of networks of whole numbers, compiled for several instruction sets; the best one that the
// machine has is chosen at run time. All of them give the same bits.
//
// A value is [pixels][padded channels] of one word type: codes of 8 bits plus 128, codes of 16 or of 32 bits.
// Sums are exact: of 32 bits for 8-bit words, else of 64.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace flipstorm
{

/// Outputs that are computed side by side; channels are padded to a multiple.
constexpr std::int64_t kIntegerLanes = 16;

/// What is stored for a code of each word type, how long its sums are, and how its weights lie.
template<class Word>
struct WordTraits;

template<>
struct WordTraits<std::uint8_t>
{
    using Sum = std::int32_t;
    using Weight = std::int8_t;
    static constexpr int kBits = 8;
    static constexpr std::int32_t kZero = 128;       ///< what the code 0 is stored as
    static constexpr std::int64_t kGroup = 4;        ///< channels that are multiplied and added at a time
    static constexpr std::int64_t kWeightParts = 1;  ///< words that a weight is stored as
};

/// A weight w is stored as w = 256 · high + low with −128 ≤ low < 128, whose sums of products have 32 bits
/// for long.
template<>
struct WordTraits<std::int16_t>
{
    using Sum = std::int64_t;
    using Weight = std::int16_t;
    static constexpr int kBits = 16;
    static constexpr std::int32_t kZero = 0;
    static constexpr std::int64_t kGroup = 2;
    static constexpr std::int64_t kWeightParts = 2;
};

template<>
struct WordTraits<std::int32_t>
{
    using Sum = std::int64_t;
    using Weight = std::int32_t;
    static constexpr int kBits = 32;
    static constexpr std::int32_t kZero = 0;
    static constexpr std::int64_t kGroup = 1;
    static constexpr std::int64_t kWeightParts = 1;
};

/**
 * Sums of products at some pixels of a row, for blocks of 16 outputs:
 *
 *     out[p][b][v] = start[p][b][v] + Σ_s Σ_c P(in[p · in_step + steps[s] + c] · w[b][s][c][v])
 *
 * over the neighbouring words c of a step, as many as are multiplied at a time, with weights [block][step]
 * [part][16][words of the step], and P the product, of 32-bit words less its `dropped` low bits.
 */
template<class Word>
struct IntegerProduct
{
    const Word* in = nullptr;
    std::ptrdiff_t in_step = 0;
    const std::ptrdiff_t* steps = nullptr;
    std::int64_t step_count = 0;  ///< at least 1
    const typename WordTraits<Word>::Weight* weights = nullptr;
    std::ptrdiff_t block_weights = 0;                       ///< between the weights of two blocks
    const typename WordTraits<Word>::Sum* start = nullptr;  ///< of the first pixel, [blocks][16]
    std::ptrdiff_t start_step = 0;                          ///< between neighbouring pixels
    typename WordTraits<Word>::Sum* out = nullptr;
    std::ptrdiff_t out_step = 0;  ///< between neighbouring pixels
    std::int64_t pixels = 0;
    std::int64_t blocks = 0;
    int dropped = 0;
};

/**
 * What sums change by where some steps of one pixel change, for blocks of 16 outputs:
 *
 *     out[b][v] = start[b][v] + Σ_s Σ_c ( P(now[steps[s] + c] · w[b][s][c][v]) − P(golden[…] · w[…]) )
 *
 * over the changed steps s alone; weights as of IntegerProduct.
 */
template<class Word>
struct IntegerProductChange
{
    const Word* now = nullptr;
    const Word* golden = nullptr;
    const std::ptrdiff_t* steps = nullptr;
    const std::int32_t* changed = nullptr;  ///< which steps
    std::int64_t changed_count = 0;
    const typename WordTraits<Word>::Weight* weights = nullptr;
    std::ptrdiff_t block_weights = 0;
    const typename WordTraits<Word>::Sum* start = nullptr;
    typename WordTraits<Word>::Sum* out = nullptr;
    std::int64_t blocks = 0;
    int dropped = 0;
};

/// From sums to codes, by channel: (sum · factor + offset) >> shift with half of the last place in the
/// offset, within the limits; in the lengths that the instruction sets multiply.
struct IntegerRescale
{
    std::vector<std::int64_t> factor;  ///< [padded channels]
    std::vector<std::int64_t> offset;
    std::vector<std::int64_t> shift;
    std::vector<std::int32_t> factor32;  ///< the same, where it fits
    std::vector<std::int32_t> offset32;
    std::vector<std::int32_t> shift32;
    std::vector<double> factor_real;  ///< the same; sums of 31 bits and factors of 20 are exact
    std::vector<double> offset_real;
    std::vector<double> shift_real;  ///< 2^−shift
    bool shifts_alone = false;       ///< all factors are 1, and offsets fit 30 bits
    bool codes_fit_32 = false;       ///< codes of 8 bits, times the factor, plus the offset
    std::int64_t low = 0;
    std::int64_t high = 0;
};

/// A row of a max-pool: of each of `pixels` outputs, the largest of a window of rows · columns inputs.
template<class Word>
struct IntegerPool2d
{
    const Word* in = nullptr;  ///< of the first output's window
    std::ptrdiff_t row = 0;
    std::ptrdiff_t step = 0;  ///< between the windows of neighbouring outputs
    std::int64_t rows = 0;
    std::int64_t columns = 0;
    Word* out = nullptr;
    std::int64_t pixels = 0;
    std::int64_t channels = 0;  ///< padded
};

/// A max-pool of one channel's map, row by row.
template<class Word>
struct IntegerMapPool
{
    const Word* in = nullptr;  ///< the first pixel; vectors are read behind the last
    std::ptrdiff_t in_row = 0;
    std::int64_t in_height = 0;
    std::int64_t in_width = 0;
    std::int64_t kernel = 0;
    std::int64_t stride = 0;
    std::int64_t padding = 0;
    Word* out = nullptr;
    std::ptrdiff_t out_row = 0;
    std::int64_t out_height = 0;
    std::int64_t out_width = 0;
};

template<class Word>
struct IntegerKernels
{
    using Sum = typename WordTraits<Word>::Sum;

    const char* name;
    void (*product)(const IntegerProduct<Word>& product);
    void (*product_change)(const IntegerProductChange<Word>& change);
    /// Which of `count` steps side by side differ. \returns how many. \param places  of count + 16
    std::int64_t (*changed_steps)(const Word* a, const Word* b, std::int64_t count, std::int32_t* places);

    /// Codes of `pixels` pixels of sums [pixels][channels], a multiple of 16 channels.
    void (*rescale)(const Sum* sums, const IntegerRescale& by, Word* out, std::int64_t pixels,
                    std::int64_t channels);
    /// The same of codes: of a batch norm.
    void (*rescale_codes)(const Word* codes, const IntegerRescale& by, Word* out, std::int64_t pixels,
                          std::int64_t channels);
    /// Codes of the sum of two values, each by its own factor, by the shift of the first.
    void (*add)(const Word* a, const Word* b, const IntegerRescale& of_a, const IntegerRescale& of_b,
                Word* out, std::int64_t count);
    /// The same of elements of one channel, side by side.
    void (*rescale_channel)(const Word* codes, const IntegerRescale& by, std::int64_t at, Word* out,
                            std::int64_t count);
    /// Codes of the smaller of the ceiling and the larger of code and 0. \param ceiling  as it is stored
    void (*relu)(const Word* codes, Word ceiling, Word* out, std::int64_t count);
    void (*max_pool)(const IntegerPool2d<Word>& pool);
    void (*max_pool_map)(const IntegerMapPool<Word>& pool);
    /// Codes of a map's pixels as floats, side by side; vectors are read behind the last. \returns the
    /// largest magnitude
    float (*widen_map)(const Word* in, std::ptrdiff_t in_row, std::int64_t height, std::int64_t width,
                       float* out);
    /// Where two arrays differ, in order. \returns how many places; at most `most` are written, and if there
    /// are more it returns more than that without having counted all
    std::int64_t (*differences)(const Word* a, const Word* b, std::int64_t count, std::int32_t* places,
                                std::int64_t most);
    /// sums[v] += P(w[v] · is) − P(w[v] · was)
    void (*change)(Sum* sums, const std::int32_t* weights, std::int64_t was, std::int64_t is, int dropped,
                   std::int64_t count);
    /**
     * A channel whose sums change by P(faulty · x) − P(golden · x), elements side by side: its new codes, as
     * they are stored. One factor, offset and shift for all.
     */
    void (*channel)(const Sum* sums, const Word* x, std::int64_t golden, std::int64_t faulty, int dropped,
                    const IntegerRescale& by, std::int64_t at, Word* out, std::int64_t count);
};

/// The best kernels that this machine runs.
template<class Word>
[[nodiscard]] const IntegerKernels<Word>& integer_kernels();

/// Those of an instruction set, "vnni", "avx512", "avx2" or "portable"; null if this machine lacks it.
template<class Word>
[[nodiscard]] const IntegerKernels<Word>* integer_kernels_of(std::string_view name);

}  // namespace flipstorm
