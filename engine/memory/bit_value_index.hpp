#pragma once
// Which words of a tensor hold a 0 or a 1 at a bit: counted, numbered and found by number.

#include <cstdint>
#include <vector>

#include "engine/memory/stored_tensor.hpp"

namespace flipstorm
{

/**
 * Numbers the elements of a tensor that hold a value at a bit, in their order.
 *
 * Beside the tensor, which it shares, it keeps a count per bit and 512 elements. Does not change;
 * thread-safe.
 */
class BitValueIndex
{
  public:
    explicit BitValueIndex(StoredTensor tensor);

    /// Elements that hold `value` at `bit`. \pre 0 ≤ bit < bits of a word
    [[nodiscard]] std::uint64_t count(int bit, bool value) const;

    /// Element `number` of those. \throws Error if there are fewer
    [[nodiscard]] std::uint64_t element(int bit, bool value, std::uint64_t number) const;

    /// How many of those lie before an element.
    [[nodiscard]] std::uint64_t number(int bit, bool value, std::uint64_t element) const;

    /// What an element holds at a bit.
    [[nodiscard]] bool value(int bit, std::uint64_t element) const
    {
        return ((tensor_.word(static_cast<std::size_t>(element)) >> static_cast<unsigned>(bit)) & 1U) != 0;
    }

  private:
    /// Elements before a block that hold `value`.
    [[nodiscard]] std::uint64_t before(std::size_t block, int bit, bool value) const;

    StoredTensor tensor_;
    std::size_t bits_;
    std::vector<std::uint64_t> ones_;  ///< [blocks + 1][bits]: elements before the block that hold a 1
};

}  // namespace flipstorm
