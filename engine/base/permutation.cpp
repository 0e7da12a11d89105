#include "engine/base/permutation.hpp"

#include "engine/base/error.hpp"

namespace flipstorm
{

KeyedPermutation::KeyedPermutation(std::uint64_t seed, RandomPurpose purpose, std::uint64_t stream,
                                   std::uint64_t size)
    : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)},
      purpose_(static_cast<std::uint32_t>(purpose)),
      stream_(stream),
      size_(size),
      half_bits_(1)
{
    FS_REQUIRE(size <= (std::uint64_t{1} << 62U), "a permutation of {} elements is larger than 2^62", size);
    while ((std::uint64_t{1} << (2 * half_bits_)) < size)
        ++half_bits_;
}

std::uint64_t KeyedPermutation::encipher(std::uint64_t value) const
{
    constexpr std::uint32_t kRounds = 8;
    const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
    std::uint64_t left = value >> half_bits_;
    std::uint64_t right = value & mask;
    for (std::uint32_t round = 0; round < kRounds; ++round)
    {
        const PhiloxCounter block =
            philox4x32({static_cast<std::uint32_t>(right), static_cast<std::uint32_t>(stream_),
                        static_cast<std::uint32_t>(stream_ >> 32U), purpose_ ^ ((round + 1) << 24U)},
                       key_);
        const std::uint64_t mixed = left ^ (block[0] & mask);
        left = right;
        right = mixed;
    }
    return (left << half_bits_) | right;
}

std::uint64_t KeyedPermutation::operator()(std::uint64_t index) const
{
    FS_REQUIRE(index < size_, "element {} of a permutation of {}", index, size_);
    std::uint64_t value = encipher(index);
    while (value >= size_)
        value = encipher(value);
    return value;
}

}  // namespace flipstorm
