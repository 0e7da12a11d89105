#include "engine/memory/bit_value_index.hpp"

#include <algorithm>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

constexpr std::size_t kBlock = 512;

}  // namespace

BitValueIndex::BitValueIndex(StoredTensor tensor)
    : tensor_(std::move(tensor)), bits_(static_cast<std::size_t>(tensor_.traits().bits))
{
    const std::size_t blocks = (tensor_.size() + kBlock - 1) / kBlock;
    ones_.assign((blocks + 1) * bits_, 0);
    for (std::size_t block = 0; block < blocks; ++block)
    {
        const std::uint64_t* const here = ones_.data() + block * bits_;
        std::uint64_t* const next = ones_.data() + (block + 1) * bits_;
        std::copy_n(here, bits_, next);
        for (std::size_t i = block * kBlock; i < std::min(tensor_.size(), (block + 1) * kBlock); ++i)
        {
            const std::uint32_t word = tensor_.word(i);
            for (std::size_t bit = 0; bit < bits_; ++bit)
                next[bit] += (word >> bit) & 1U;
        }
    }
}

std::uint64_t BitValueIndex::before(std::size_t block, int bit, bool value) const
{
    const std::uint64_t ones = ones_[block * bits_ + static_cast<std::size_t>(bit)];
    return value ? ones : std::min(block * kBlock, tensor_.size()) - ones;
}

std::uint64_t BitValueIndex::count(int bit, bool value) const
{
    return before(ones_.size() / bits_ - 1, bit, value);
}

std::uint64_t BitValueIndex::element(int bit, bool value, std::uint64_t number) const
{
    FS_REQUIRE(number < count(bit, value), "element {} of {} that hold {} at bit {}", number,
               count(bit, value), value ? 1 : 0, bit);
    std::size_t low = 0;                          // before(low) ≤ number
    std::size_t high = ones_.size() / bits_ - 1;  // before(high) > number
    while (high - low > 1)
    {
        const std::size_t middle = low + (high - low) / 2;
        (before(middle, bit, value) <= number ? low : high) = middle;
    }
    std::uint64_t left = number - before(low, bit, value);
    for (std::uint64_t i = low * kBlock;; ++i)
    {
        if (this->value(bit, i) == value && left-- == 0) return i;
    }
}

std::uint64_t BitValueIndex::number(int bit, bool value, std::uint64_t element) const
{
    const std::size_t block = static_cast<std::size_t>(element) / kBlock;
    std::uint64_t number = before(block, bit, value);
    for (std::uint64_t i = block * kBlock; i < element; ++i)
        number += this->value(bit, i) == value ? 1 : 0;
    return number;
}

}  // namespace flipstorm
