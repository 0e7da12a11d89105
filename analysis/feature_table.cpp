#include "analysis/feature_table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/base/tolerance.hpp"

namespace flipstorm
{
namespace
{

std::vector<float> distinct_values(const std::string& name, const std::vector<float>& column)
{
    std::vector<float> values = column;
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    constexpr std::size_t kMost = std::size_t{std::numeric_limits<std::uint16_t>::max()} + 1;
    FS_CHECK(DataError, values.size() <= kMost,
             "feature '{}' has {} distinct values; at most {} are possible", name, values.size(), kMost);
    return values;
}

template<class Int>
std::vector<float> as_floats(const std::vector<Int>& column)
{
    return std::vector<float>(column.begin(), column.end());
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
    using Key = std::array<std::uint16_t, kMaxFeatures>;
    std::vector<std::pair<Key, std::uint32_t>> keyed(rows);
    for (std::size_t row = 0; row < rows; ++row)
        keyed[row] = {Key{}, static_cast<std::uint32_t>(row)};
    for (std::size_t f = 0; f < features; ++f)
    {
        const std::vector<float>& column = columns[f];
        FS_CHECK(DataError, column.size() == rows, "feature '{}' has {} rows, '{}' has {}", table.names[f],
                 column.size(), table.names[0], rows);
        FS_CHECK(DataError,
                 std::all_of(column.begin(), column.end(), [](float v) { return std::isfinite(v); }),
                 "feature '{}' has a value that is not finite", table.names[f]);
        table.bins.push_back(distinct_values(table.names[f], column));
        const std::vector<float>& bins = table.bins.back();
        for (std::size_t row = 0; row < rows; ++row)
        {
            const auto bin = std::lower_bound(bins.begin(), bins.end(), column[row]);
            keyed[row].first[f] = static_cast<std::uint16_t>(bin - bins.begin());
        }
    }

    std::sort(keyed.begin(), keyed.end());
    table.cell.resize(rows);
    std::uint32_t cells = 0;
    for (std::size_t i = 0; i < rows; ++i)
    {
        const Key& key = keyed[i].first;
        if (i == 0 || key != keyed[i - 1].first)
        {
            table.codes.insert(table.codes.end(), key.begin(),
                               key.begin() + static_cast<std::ptrdiff_t>(features));
            ++cells;
        }
        table.cell[keyed[i].second] = cells - 1;
    }
    return table;
}

FeatureTable campaign_features(const FaultTable& faults)
{
    return make_feature_table({"sign", "bit", "layer", "out_channel", "in_channel"},
                              {as_floats(faults.sign), as_floats(faults.bit), as_floats(faults.layer),
                               as_floats(faults.out_channel), as_floats(faults.in_channel)});
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
