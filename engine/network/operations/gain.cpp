#include "engine/network/operations/gain.hpp"

#include <algorithm>
#include <cmath>

namespace flipstorm
{

std::vector<float> columns_of(const std::vector<float>& values, std::int64_t first_row, std::int64_t rows,
                              std::int64_t columns, std::int64_t first, std::int64_t count)
{
    std::vector<float> part;
    part.reserve(static_cast<std::size_t>(rows * count));
    for (std::int64_t r = first_row; r < first_row + rows; ++r)
    {
        const float* const row = values.data() + r * columns + first;
        part.insert(part.end(), row, row + count);
    }
    return part;
}

RowSums::RowSums(const float* values, std::int64_t rows, std::int64_t columns, std::int64_t block)
    : by_block(static_cast<std::size_t>(columns / block), 0.0)
{
    for (std::int64_t r = 0; r < rows; ++r)
    {
        double row = 0;
        for (double& largest : by_block)
        {
            double sum = 0;
            for (std::int64_t k = 0; k < block; ++k)
                sum += std::fabs(static_cast<double>(*values++));
            largest = std::max(largest, sum);
            row += sum;
        }
        whole = std::max(whole, row);
    }
}

}  // namespace flipstorm
