#pragma once
// Philox 4x32-10, the counter-based random number generator of Salmon et al., "Parallel random numbers: as
// easy as 1, 2, 3", SC 2011. A pure function of (counter, key): any rank computes any number of any stream.

#include <array>
#include <cstdint>

namespace flipstorm
{

using PhiloxCounter = std::array<std::uint32_t, 4>;
using PhiloxKey = std::array<std::uint32_t, 2>;

/// One block of 128 random bits. Thread-safe, no state.
constexpr PhiloxCounter philox4x32(PhiloxCounter counter, PhiloxKey key)
{
    constexpr std::uint64_t kMultiplier0 = 0xD2511F53U;
    constexpr std::uint64_t kMultiplier1 = 0xCD9E8D57U;
    constexpr std::uint32_t kWeyl0 = 0x9E3779B9U;
    constexpr std::uint32_t kWeyl1 = 0xBB67AE85U;
    for (int round = 0; round < 10; ++round)
    {
        const std::uint64_t product0 = kMultiplier0 * counter[0];
        const std::uint64_t product1 = kMultiplier1 * counter[2];
        counter = {static_cast<std::uint32_t>(product1 >> 32U) ^ counter[1] ^ key[0],
                   static_cast<std::uint32_t>(product1),
                   static_cast<std::uint32_t>(product0 >> 32U) ^ counter[3] ^ key[1],
                   static_cast<std::uint32_t>(product0)};
        key[0] += kWeyl0;
        key[1] += kWeyl1;
    }
    return counter;
}

/// What a stream of random numbers is for: part of the key, so that no two uses share numbers.
enum class RandomPurpose : std::uint32_t
{
    sample = 1,       ///< which faults of a stratum are drawn
    allocation = 2,   ///< how the draws of a stratum fall on its layers
    synthetic = 3,    ///< the synthetic data set
    initialise = 4,   ///< initial parameters of a network
    shuffle = 5,      ///< order of the training images
    split = 6,        ///< training rows against test rows, folds
    bootstrap = 7,    ///< rows of a tree
    features = 8,     ///< features tried at a node
    audit = 9,        ///< screened pairs that are evaluated all the same
    bench = 10,       ///< faults of a benchmark
    importance = 11,  ///< rows and values of a feature's permutation
    validation = 12,  ///< resamples of the faults that judge a map
    augment = 20,     ///< crops and flips of the training images
    corrupt = 21,     ///< faults of fault-aware training
    transient = 30,   ///< what a transient fault strikes, and by how much
    struck = 31,      ///< which images a transient fault strikes
    memory = 40,      ///< upsets of a whole memory
    test = 100,       ///< tests
};

/**
 * A stream of random numbers, keyed by (seed, purpose, stream).
 *
 * The numbers of a stream are the Philox blocks of the counters (i, stream, purpose) for i = 0, 1, …; two
 * streams with another purpose or stream number never overlap. Copyable; not shared between threads.
 */
class RandomStream
{
  public:
    RandomStream(std::uint64_t seed, RandomPurpose purpose, std::uint64_t stream = 0)
        : seed_(seed), purpose_(purpose), stream_(stream)
    {}

    /// 32 uniform bits.
    std::uint32_t bits32()
    {
        if (used_ == 4) refill();
        return block_[used_++];
    }

    /// 64 uniform bits.
    std::uint64_t bits64()
    {
        const std::uint64_t low = bits32();
        return low | (static_cast<std::uint64_t>(bits32()) << 32U);
    }

    /// Uniform on [0, 1), a multiple of 2^-53.
    double uniform() { return static_cast<double>(bits64() >> 11U) * 0x1.0p-53; }

    /// Uniform on {0, …, bound − 1}, unbiased (rejection). `bound` must be positive.
    std::uint64_t below(std::uint64_t bound)
    {
        const std::uint64_t reject_under = (0 - bound) % bound;  // 2^64 mod bound
        std::uint64_t draw = bits64();
        while (draw < reject_under)
            draw = bits64();
        return draw % bound;
    }

    /// The same from 32 bits, nearly always without a division: Lemire, "Fast random integer generation in an
    /// interval", 2019.
    std::uint32_t below32(std::uint32_t bound)
    {
        std::uint64_t product = std::uint64_t{bits32()} * bound;
        if (static_cast<std::uint32_t>(product) < bound)
        {
            const std::uint32_t reject_under = (0 - bound) % bound;  // 2^32 mod bound
            while (static_cast<std::uint32_t>(product) < reject_under)
                product = std::uint64_t{bits32()} * bound;
        }
        return static_cast<std::uint32_t>(product >> 32U);
    }

    /// Standard normal (Box-Muller, one of the pair).
    double normal();

  private:
    void refill()
    {
        const auto seed_low = static_cast<std::uint32_t>(seed_);
        const auto seed_high = static_cast<std::uint32_t>(seed_ >> 32U);
        block_ = philox4x32(
            {static_cast<std::uint32_t>(next_), static_cast<std::uint32_t>(stream_),
             static_cast<std::uint32_t>(stream_ >> 32U),
             static_cast<std::uint32_t>(purpose_) ^ (static_cast<std::uint32_t>(next_ >> 32U) << 8U)},
            {seed_low, seed_high});
        ++next_;
        used_ = 0;
    }

    std::uint64_t seed_;
    RandomPurpose purpose_;
    std::uint64_t stream_;
    std::uint64_t next_ = 0;
    PhiloxCounter block_{};
    unsigned used_ = 4;
};

}  // namespace flipstorm
