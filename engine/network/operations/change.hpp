#pragma once
// How far a change of an operation's inputs can be seen in its output.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/network/shape.hpp"

namespace flipstorm
{

/// What an operation does to the sum of two values.
enum class Linearity
{
    product,    ///< a matrix product with weights, which mixes channels
    linear,     ///< the change of its value is its value of the change, constants aside
    nonlinear,  ///< a first-order estimate in front of it may be far off behind it
    bilinear,   ///< a product of two values; nonlinear, too
};

/// How much of a value changes.
enum class Extent
{
    none,
    channel,     ///< one channel (of a linear layer: one neuron)
    everything,  ///< any channel
};

/// A change: how far it extends and, if that is a channel, its number minus the faulty one.
struct Spread
{
    Extent extent = Extent::none;
    std::int64_t shift = 0;
};

/// What changes in front of an operation; at least one input does. [inputs]
struct ChangedInputs
{
    const std::vector<Spread>& spread;
    const std::vector<const Shape*>& shape;
};

/// How many channels (or features) can change in front of an operation; at least one. [inputs]
struct ChangedCounts
{
    const std::vector<std::int64_t>& count;
    const Shape& input_shape;  ///< of the first
    const Shape& shape;        ///< of the output
};

/// Windows in one direction: output i reads the inputs i · stride − padding + k · dilation, k < kernel; with
/// stride 0 all outputs read the same.
struct Windows
{
    std::int64_t kernel = 1;
    std::int64_t stride = 1;
    std::int64_t padding = 0;
    std::int64_t dilation = 1;

    /// Elements from the first to the last that a window reads.
    [[nodiscard]] std::int64_t extent() const { return (kernel - 1) * dilation + 1; }
};

/// An operation's windows over rows and columns.
struct WindowGrid
{
    Windows rows;
    Windows columns;
};

/// The change of an operation that works on each channel of its only input alone.
[[nodiscard]] inline Spread keeps_channels(const ChangedInputs& inputs)
{
    return inputs.spread[0];
}

/// The change of an operation that joins the same channels of two inputs.
[[nodiscard]] inline Spread merged(const ChangedInputs& inputs)
{
    const Spread& first = inputs.spread[0];
    const Spread& second = inputs.spread[1];
    if (first.extent == Extent::none) return second;
    if (second.extent == Extent::none) return first;
    const bool same =
        first.extent == Extent::channel && second.extent == Extent::channel && first.shift == second.shift;
    return same ? first : Spread{Extent::everything, 0};
}

/// How many channels of an operation can change that joins the same channels of two inputs.
[[nodiscard]] inline std::int64_t merged_count(const ChangedCounts& inputs)
{
    return std::min(inputs.shape[0], inputs.count[0] + inputs.count[1]);
}

/// Windows of one element.
[[nodiscard]] inline WindowGrid pixel_windows()
{
    return {};
}

/// The same windows over rows and columns.
[[nodiscard]] inline WindowGrid square_windows(const Windows& windows)
{
    return {windows, windows};
}

}  // namespace flipstorm
