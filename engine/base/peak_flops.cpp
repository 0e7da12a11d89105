#include "engine/base/peak_flops.hpp"

#include <omp.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "engine/base/timing.hpp"

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace flipstorm
{
namespace
{

/// Enough independent chains to hide the latency of two units of 4 cycles, and few enough for 16 registers.
constexpr int kChains = 12;

/// Runs `rounds` multiply-adds in each chain; the result keeps the compiler from dropping them.
using Loop = float (*)(std::int64_t rounds);

float portable_loop(std::int64_t rounds)
{
    constexpr int kWidth = 4;
    std::array<float, kChains * kWidth> sum{};
    for (std::int64_t r = 0; r < rounds; ++r)
    {
        for (float& s : sum)
            s = s * 0.999F + 1.0F;
    }
    float total = 0;
    for (const float s : sum)
        total += s;
    return total;
}

#ifdef __x86_64__
__attribute__((target("avx2,fma"))) float avx2_loop(std::int64_t rounds)
{
    __m256 sum[kChains];
    for (__m256& s : sum)
        s = _mm256_setzero_ps();
    const __m256 factor = _mm256_set1_ps(0.999F);
    const __m256 one = _mm256_set1_ps(1.0F);
    for (std::int64_t r = 0; r < rounds; ++r)
    {
#pragma GCC unroll 12
        for (__m256& s : sum)
            s = _mm256_fmadd_ps(s, factor, one);
    }
    for (int c = 1; c < kChains; ++c)
        sum[0] = _mm256_add_ps(sum[0], sum[c]);
    return _mm256_cvtss_f32(sum[0]);
}

__attribute__((target("avx512f"))) float avx512_loop(std::int64_t rounds)
{
    __m512 sum[kChains];
    for (__m512& s : sum)
        s = _mm512_setzero_ps();
    const __m512 factor = _mm512_set1_ps(0.999F);
    const __m512 one = _mm512_set1_ps(1.0F);
    for (std::int64_t r = 0; r < rounds; ++r)
    {
#pragma GCC unroll 12
        for (__m512& s : sum)
            s = _mm512_fmadd_ps(s, factor, one);
    }
    for (int c = 1; c < kChains; ++c)
        sum[0] = _mm512_add_ps(sum[0], sum[c]);
    return _mm512_cvtss_f32(sum[0]);
}
#endif

struct Choice
{
    Loop loop;
    int width;  ///< floats per chain
    const char* name;
};

Choice best_loop()
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f") != 0) return {avx512_loop, 16, "AVX-512 FMA"};
    if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0)
        return {avx2_loop, 8, "AVX2 FMA"};
#endif
    return {portable_loop, 4, "portable"};
}

}  // namespace

PeakFlops measure_peak(int threads, double seconds)
{
    const Choice choice = best_loop();
    const auto operations = [&](std::int64_t rounds) {
        return 2.0 * kChains * choice.width * static_cast<double>(rounds) * threads;
    };
    const auto run = [&](std::int64_t rounds) {
        float sink = 0;
        const Stopwatch watch;
#pragma omp parallel num_threads(threads) reduction(+ : sink)
        sink += choice.loop(rounds);
        const double elapsed = watch.seconds();
        return sink > 0 ? elapsed : -1;  // every chain ends above zero: always `elapsed`
    };
    // Runs of some milliseconds: long against the start of the threads, short against other load.
    std::int64_t rounds = 1 << 12;
    while (run(rounds) < 0.01)
        rounds *= 2;
    PeakFlops peak{0, choice.name};
    const Stopwatch watch;
    do
        peak.flops = std::max(peak.flops, operations(rounds) / run(rounds));
    while (watch.seconds() < seconds);
    return peak;
}

}  // namespace flipstorm
