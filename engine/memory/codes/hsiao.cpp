#include "engine/memory/codes/hsiao.hpp"

#include <algorithm>
#include <array>
#include <bitset>

#include "engine/base/error.hpp"
#include "engine/memory/codes/word_bits.hpp"

namespace flipstorm
{
namespace
{

int check_bits(int data_bits)
{
    FS_REQUIRE(data_bits >= 1, "a code over {} bits", data_bits);
    int check = 3;
    while ((1LL << (check - 1)) - check < data_bits)
        ++check;
    return check;
}

int weight_of(std::uint32_t column)
{
    return static_cast<int>(std::bitset<32>(column).count());
}

/// Columns of the data bits of one width, and which bit each column is of.
struct Matrix
{
    std::vector<std::uint32_t> column;  ///< [data bits]
    std::vector<std::int8_t> bit;       ///< [2^r]; −1: of none
};

Matrix make_matrix(int data_bits)
{
    const int check = check_bits(data_bits);
    const std::uint32_t columns = std::uint32_t{1} << static_cast<unsigned>(check);
    Matrix matrix;
    matrix.bit.assign(columns, -1);
    std::vector<int> load(static_cast<std::size_t>(check), 0);
    for (int weight = 3; matrix.column.size() < static_cast<std::size_t>(data_bits); weight += 2)
    {
        std::vector<std::uint32_t> left;
        for (std::uint32_t column = 0; column < columns; ++column)
        {
            if (weight_of(column) == weight) left.push_back(column);
        }
        while (!left.empty() && matrix.column.size() < static_cast<std::size_t>(data_bits))
        {
            // The column whose heaviest rows are the lightest.
            const auto cost = [&](std::uint32_t column) {
                int sum = 0;
                for (int row = 0; row < check; ++row)
                {
                    if ((column >> static_cast<unsigned>(row) & 1U) != 0)
                        sum += load[static_cast<std::size_t>(row)] * load[static_cast<std::size_t>(row)];
                }
                return sum;
            };
            const auto best =
                std::min_element(left.begin(), left.end(), [&](auto a, auto b) { return cost(a) < cost(b); });
            for (int row = 0; row < check; ++row)
                load[static_cast<std::size_t>(row)] += (*best >> static_cast<unsigned>(row)) & 1U ? 1 : 0;
            matrix.bit[*best] = static_cast<std::int8_t>(matrix.column.size());
            matrix.column.push_back(*best);
            left.erase(best);
        }
    }
    return matrix;
}

const Matrix& matrix_of(int data_bits)
{
    static const std::array<Matrix, kMostDataBits + 1> all = [] {
        std::array<Matrix, kMostDataBits + 1> made;
        for (int bits = 1; bits <= kMostDataBits; ++bits)
            made[static_cast<std::size_t>(bits)] = make_matrix(bits);
        return made;
    }();
    return all[static_cast<std::size_t>(bits_of_word(data_bits))];
}

std::uint64_t encode(std::uint64_t data, int data_bits)
{
    const Matrix& matrix = matrix_of(data_bits);
    require_bits(data, data_bits, "data");
    std::uint32_t check = 0;
    for (std::size_t bit = 0; data != 0; ++bit, data >>= 1U)
    {
        if ((data & 1U) != 0) check ^= matrix.column[bit];
    }
    return check;
}

Decoded decode(std::uint64_t data, std::uint64_t check, int data_bits)
{
    const std::uint64_t expected = encode(data, data_bits);
    require_bits(check, check_bits(data_bits), "check bits");
    const auto syndrome = static_cast<std::uint32_t>(expected ^ check);
    if (syndrome == 0) return {data, Verdict::clean};
    if (weight_of(syndrome) == 1) return {data, Verdict::corrected};
    const int bit = matrix_of(data_bits).bit[syndrome];
    if (bit < 0) return {data, Verdict::detected};
    return {data ^ std::uint64_t{1} << static_cast<unsigned>(bit), Verdict::corrected};
}

int xors(int data_bits)
{
    int sum = 0;
    for (const std::uint32_t column : matrix_of(data_bits).column)
        sum += weight_of(column);
    return sum;
}

}  // namespace

const CodeTraits& hsiao_sec_ded_code()
{
    static const CodeTraits row{CodeKind::hsiao_sec_ded, "sec_ded",  "Hsiao SEC-DED", 1,      2,
                                kMostDataBits,           check_bits, encode,          decode, xors};
    return row;
}

}  // namespace flipstorm
