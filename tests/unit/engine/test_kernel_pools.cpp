// The kernels of pools, of every instruction set that this machine has, against scalar loops.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "engine/compute/cpu/kernels.hpp"
#include "kernel_values.hpp"

namespace flipstorm
{
namespace
{

using namespace test;

struct PoolCase
{
    std::int64_t height;
    std::int64_t width;
    std::int64_t kernel;
    std::int64_t stride;
    std::int64_t padding;

    [[nodiscard]] PoolWindow window(std::int64_t channels) const
    {
        return {height,
                width,
                (height + 2 * padding - kernel) / stride + 1,
                (width + 2 * padding - kernel) / stride + 1,
                channels,
                kernel,
                stride,
                padding};
    }
};

const std::vector<PoolCase> kPools = {{4, 4, 2, 2, 0},   {5, 7, 2, 2, 0},   {28, 28, 2, 2, 0},
                                      {10, 33, 2, 2, 0}, {9, 66, 2, 2, 0},  {7, 9, 3, 2, 1},
                                      {6, 17, 3, 1, 1},  {11, 35, 3, 3, 0}, {5, 5, 5, 1, 2}};

/// Maximum over each window of one of `step` interleaved maps; NaN wins.
Floats pooled(const PoolWindow& pool, const Floats& values, std::int64_t step, std::int64_t at)
{
    Floats out;
    for (std::int64_t y = 0; y < pool.out_height; ++y)
    {
        for (std::int64_t x = 0; x < pool.out_width; ++x)
        {
            float most = -kInfinity;
            for (std::int64_t i = y * pool.stride - pool.padding;
                 i < y * pool.stride - pool.padding + pool.kernel; ++i)
            {
                for (std::int64_t j = x * pool.stride - pool.padding;
                     j < x * pool.stride - pool.padding + pool.kernel; ++j)
                {
                    if (i < 0 || j < 0 || i >= pool.height || j >= pool.width) continue;
                    const float value = values[static_cast<std::size_t>((i * pool.width + j) * step + at)];
                    if (std::isnan(value) || value > most) most = value;
                    if (std::isnan(most)) break;
                }
                if (std::isnan(most)) break;
            }
            out.push_back(most);
        }
    }
    return out;
}

TEST(KernelPools, MaxPoolsOfAChange)
{
    for (const Kernels* kernels : all_kernels())
    {
        SCOPED_TRACE(kernels->name);
        for (const PoolCase& pool : kPools)
        {
            for (const bool hard : {false, true})
            {
                const std::int64_t channels = 2 * kLanes;
                const PoolWindow window = pool.window(channels);
                const std::int64_t count = pool.height * pool.width * channels;
                const std::int64_t out_pixels = window.out_height * window.out_width;
                const Floats golden = random_floats(count, 10);
                const Floats change = hard ? hard_floats(count, 11) : random_floats(count, 11);
                const Floats golden_out = random_floats(out_pixels * channels, 12);
                Floats faulty;
                for (std::size_t i = 0; i < golden.size(); ++i)
                    faulty.push_back(golden[i] + change[i]);
                Floats out(static_cast<std::size_t>(out_pixels * channels));
                kernels->max_pool(window, golden.data(), change.data(), golden_out.data(), out.data());
                for (std::int64_t c = 0; c < channels; c += 5)
                {
                    Floats want = pooled(window, faulty, channels, c);
                    Floats got;
                    for (std::int64_t p = 0; p < out_pixels; ++p)
                    {
                        const auto at = static_cast<std::size_t>(p * channels + c);
                        want[static_cast<std::size_t>(p)] -= golden_out[at];
                        got.push_back(out[at]);
                    }
                    expect_same(got, want, "channel " + std::to_string(c));
                }
            }
        }
    }
}

TEST(KernelPools, MaxPoolsOfAMap)
{
    for (const Kernels* kernels : all_kernels())
    {
        SCOPED_TRACE(kernels->name);
        for (const PoolCase& pool : kPools)
        {
            for (const bool hard : {false, true})
            {
                const PoolWindow window = pool.window(kLanes);
                const std::int64_t pixels = pool.height * pool.width;
                const auto out_pixels = static_cast<std::size_t>(window.out_height * window.out_width);
                // What lies behind the maps is read but must not matter.
                Floats golden = random_floats(pixels + kLanes, 13);
                Floats change = hard ? hard_floats(pixels + kLanes, 14) : random_floats(pixels + kLanes, 14);
                std::fill(golden.begin() + pixels, golden.end(), kNan);
                std::fill(change.begin() + pixels, change.end(), kInfinity);
                const Floats golden_out = random_floats(static_cast<std::int64_t>(out_pixels) + kLanes, 15);
                Floats faulty;
                for (std::size_t i = 0; i < static_cast<std::size_t>(pixels); ++i)
                    faulty.push_back(golden[i] + change[i]);
                Floats want = pooled(window, faulty, 1, 0);
                for (std::size_t p = 0; p < out_pixels; ++p)
                    want[p] -= golden_out[p];
                Floats rows(static_cast<std::size_t>(padded(pool.width) + 2 * kLanes), kGuard);
                Floats out(out_pixels + 2 * kLanes, kGuard);
                kernels->map_pool(window, golden.data(), change.data(), golden_out.data(), rows.data(),
                                  out.data());
                for (std::size_t i = out_pixels + kLanes; i < out.size(); ++i)
                    EXPECT_EQ(out[i], kGuard) << "written past the vector behind the end";
                out.resize(out_pixels);
                expect_same(out, want, std::to_string(pool.height) + "x" + std::to_string(pool.width));
            }
        }
    }
}

}  // namespace
}  // namespace flipstorm
