#include "analysis/feature_table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/base/tolerance.hpp"

namespace flipstorm
{
namespace
{

constexpr std::size_t kMostBins = std::size_t{std::numeric_limits<std::uint16_t>::max()} + 1;

/// The distinct values of a column, ascending.
std::vector<float> distinct_values(const std::string& name, const std::vector<float>& column)
{
    std::vector<float> values = column;
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    FS_CHECK(DataError, values.size() <= kMostBins,
             "feature '{}' has {} distinct values; at most {} are possible", name, values.size(), kMostBins);
    return values;
}

/// The same of a column of whole numbers of 0 … 65,535, without sorting; empty if it is another.
std::vector<float> distinct_whole_numbers(const std::vector<float>& column)
{
    std::vector<bool> seen(kMostBins, false);
    for (const float value : column)
    {
        if (!(value >= 0 && value < static_cast<float>(kMostBins))) return {};
        const auto number = static_cast<std::size_t>(value);
        if (static_cast<float>(number) != value) return {};
        seen[number] = true;
    }
    std::vector<float> values;
    for (std::size_t number = 0; number < kMostBins; ++number)
    {
        if (seen[number]) values.push_back(static_cast<float>(number));
    }
    return values;
}

/// The distinct values of a column, and the number of each row's among them.
struct Binned
{
    std::vector<float> bins;
    std::vector<std::uint16_t> codes;
};

Binned bin_column(const std::string& name, const std::vector<float>& column)
{
    Binned binned;
    binned.codes.reserve(column.size());
    binned.bins = distinct_whole_numbers(column);
    if (!binned.bins.empty())
    {
        std::vector<std::uint16_t> code(kMostBins, 0);
        for (std::size_t b = 0; b < binned.bins.size(); ++b)
            code[static_cast<std::size_t>(binned.bins[b])] = static_cast<std::uint16_t>(b);
        for (const float value : column)
            binned.codes.push_back(code[static_cast<std::size_t>(value)]);
        return binned;
    }
    binned.bins = distinct_values(name, column);
    for (const float value : column)
    {
        const auto bin = std::lower_bound(binned.bins.begin(), binned.bins.end(), value);
        binned.codes.push_back(static_cast<std::uint16_t>(bin - binned.bins.begin()));
    }
    return binned;
}

/// Rows in the order of their keys, [rows × words]: by counting, 11 bits at a time from the last ones, so
/// that equal rows stay in their order.
std::vector<std::uint32_t> sorted_rows(const std::vector<std::uint64_t>& keys, std::size_t words)
{
    constexpr unsigned kDigit = 11;
    constexpr std::size_t kDigits = std::size_t{1} << kDigit;
    const std::size_t rows = keys.size() / words;
    std::vector<std::uint32_t> order(rows);
    std::iota(order.begin(), order.end(), 0U);
    std::vector<std::uint32_t> next(rows);
    for (std::size_t word = words; word-- > 0;)
    {
        for (unsigned shift = 0; shift < 64; shift += kDigit)
        {
            const auto digit = [&](std::uint32_t row) {
                return static_cast<std::size_t>(keys[row * words + word] >> shift) & (kDigits - 1);
            };
            std::array<std::uint32_t, kDigits + 1> begin{};
            for (std::size_t row = 0; row < rows; ++row)
                ++begin[digit(static_cast<std::uint32_t>(row)) + 1];
            if (*std::max_element(begin.begin(), begin.end()) == rows) continue;  // all alike
            std::partial_sum(begin.begin(), begin.end(), begin.begin());
            for (const std::uint32_t row : order)
                next[begin[digit(row)]++] = row;
            std::swap(order, next);
        }
    }
    return order;
}

}  // namespace

FeatureTable make_feature_table(std::vector<std::string> names,
                                const std::vector<std::vector<float>>& columns)
{
    const std::size_t features = columns.size();
    FS_CHECK(DataError, features > 0 && features <= kMaxFeatures && names.size() == features,
             "a feature table of {} columns and {} names; 1 to {} columns are possible", features,
             names.size(), kMaxFeatures);
    const std::size_t rows = columns[0].size();
    FS_CHECK(DataError, rows > 0 && rows < std::numeric_limits<std::uint32_t>::max(),
             "a feature table of {} rows; 1 to 2^32 - 2 are possible", rows);

    FeatureTable table;
    table.names = std::move(names);
    std::vector<std::vector<std::uint16_t>> codes;
    std::vector<std::size_t> distinct;
    for (std::size_t f = 0; f < features; ++f)
    {
        const std::vector<float>& column = columns[f];
        FS_CHECK(DataError, column.size() == rows, "feature '{}' has {} rows, '{}' has {}", table.names[f],
                 column.size(), table.names[0], rows);
        FS_CHECK(DataError,
                 std::all_of(column.begin(), column.end(), [](float v) { return std::isfinite(v); }),
                 "feature '{}' has a value that is not finite", table.names[f]);
        Binned binned = bin_column(table.names[f], column);
        distinct.push_back(binned.bins.size());
        table.bins.push_back(std::move(binned.bins));
        codes.push_back(std::move(binned.codes));
    }
    table.layout = KeyLayout(distinct);
    const std::size_t words = table.layout.words();
    std::vector<std::uint64_t> keys(rows * words, 0);
    for (std::size_t f = 0; f < features; ++f)
    {
        const PackedField& field = table.layout.field(f);
        for (std::size_t row = 0; row < rows; ++row)
            keys[row * words + field.word] |= std::uint64_t{codes[f][row]} << field.shift;
    }

    const auto key_of = [&](std::uint32_t row) {
        return keys.begin() + static_cast<std::ptrdiff_t>(row * words);
    };
    table.cell.resize(rows);
    const std::vector<std::uint32_t> order = sorted_rows(keys, words);
    std::uint32_t cells = 0;
    for (std::size_t i = 0; i < rows; ++i)
    {
        const auto key = key_of(order[i]);
        const auto after = key + static_cast<std::ptrdiff_t>(words);
        if (i == 0 || !std::equal(key, after, key_of(order[i - 1])))
        {
            table.keys.insert(table.keys.end(), key, after);
            ++cells;
        }
        table.cell[order[i]] = cells - 1;
    }
    return table;
}

std::vector<std::uint8_t> critical_labels(const OutcomeTable& outcomes, double tolerance)
{
    std::vector<std::uint8_t> labels(outcomes.drop.size());
    std::transform(outcomes.drop.begin(), outcomes.drop.end(), labels.begin(), [tolerance](double drop) {
        return static_cast<std::uint8_t>(exceeds(drop, tolerance) ? 1 : 0);
    });
    return labels;
}

}  // namespace flipstorm
