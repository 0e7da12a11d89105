#pragma once
// Products of convolutions and linear layers, in tiles of pixels and outputs. Compiled for each instruction
// set: included by integer_kernels_body.hpp alone.

#include <algorithm>

#include "engine/compute/integer/kernels/lanes.hpp"

namespace flipstorm
{
namespace
{

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
    if constexpr (kMost >= 8) block = change_blocks<Word, 4>(p, block);
    if constexpr (kMost >= 4) block = change_blocks<Word, 2>(p, block);
    change_blocks<Word, 1>(p, block);
}

}  // namespace
}  // namespace flipstorm
