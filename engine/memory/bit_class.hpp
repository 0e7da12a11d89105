#pragma once
// Bit positions whose faults take about the same work: what a flip does to a value depends on where in the
// word it strikes.

#include <cstddef>
#include <string>
#include <vector>

#include "engine/memory/number_format.hpp"

namespace flipstorm
{

/// Classes of the bits of a stored word, from the top of the word to its end. None is empty.
struct BitClasses
{
    std::vector<std::string> names;
    std::vector<std::size_t> of_bit;  ///< class by bit position, 0 = least significant

    /// About which share of its (fault, image) pairs a screen leaves to be followed; by class.
    std::vector<double> followed;

    [[nodiscard]] std::size_t size() const { return names.size(); }
};

/// Classes of a format: those of its row, by bit position. Thread-safe.
[[nodiscard]] BitClasses bit_classes(NumberFormat format);

}  // namespace flipstorm
