#pragma once
// How much an operation can enlarge a change, and how far its partial sums can go.

#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

namespace flipstorm
{

/// A node and the values of its parameters.
struct WeightedNode
{
    /// Values of the parameter with that suffix, ".weight", row-major.
    std::function<const std::vector<float>&(const char* suffix)> parameter;
    std::int64_t pixels = 1;  ///< of the first input, in the form that it had before it was flattened
    bool flat = false;        ///< the output is [features]

    /// An upper bound on the spectral norm of a matrix [rows, columns].
    double (*norm)(const std::vector<float>& values, std::int64_t rows, std::int64_t columns) = nullptr;
};

/// A Lipschitz constant for Euclidean lengths; infinite: none is known.
using Gain = double;
constexpr Gain kNoGain = std::numeric_limits<double>::infinity();

/// How far the partial sums of an operation go, in any order, per unit of the largest magnitude of its
/// inputs.
struct SumBound
{
    double sums = 1;                 ///< if any input element changes
    double value = 1;                ///< of the value; less than `sums` where a sum is divided at its end
    std::vector<double> by_channel;  ///< of the sums, if one input channel changes; empty: as `sums`
};

/// Windows that one element lies in, in one direction.
[[nodiscard]] constexpr std::int64_t overlap(std::int64_t kernel, std::int64_t stride)
{
    return (kernel + stride - 1) / stride;
}

/// Columns first … first + count − 1 of rows first_row … of a matrix with `columns` columns.
[[nodiscard]] std::vector<float> columns_of(const std::vector<float>& values, std::int64_t first_row,
                                            std::int64_t rows, std::int64_t columns, std::int64_t first,
                                            std::int64_t count);

/// Largest sums over a row of |w|: of all columns, and of blocks of columns. \param block  columns
struct RowSums
{
    double whole = 0;
    std::vector<double> by_block;

    RowSums(const float* values, std::int64_t rows, std::int64_t columns, std::int64_t block);
};

}  // namespace flipstorm
