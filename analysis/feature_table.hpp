#pragma once
// What a forest sees of a fault: rows of few features with few distinct values each. Every distinct value is
// a bin, so splits found on histograms are exact, and equal rows are merged into one cell.

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/packed_key.hpp"
#include "hdf5_schema/campaign_file.hpp"

namespace flipstorm
{

/// Most features a table can have.
constexpr std::size_t kMaxFeatures = 16;

/// Binned rows; the cells (distinct rows) are sorted lexicographically.
struct FeatureTable
{
    std::vector<std::string> names;        ///< [features]
    std::vector<std::vector<float>> bins;  ///< [features]: the distinct values, ascending
    KeyLayout layout;                      ///< of the keys
    std::vector<std::uint64_t> keys;       ///< [cells × layout.words()], row-major: bin of each value
    std::vector<std::uint32_t> cell;       ///< [rows]: the cell of each row

    [[nodiscard]] std::size_t features() const { return names.size(); }
    [[nodiscard]] std::size_t rows() const { return cell.size(); }
    [[nodiscard]] std::size_t cells() const { return keys.size() / layout.words(); }
    [[nodiscard]] const std::uint64_t* key(std::size_t c) const { return keys.data() + c * layout.words(); }
    [[nodiscard]] std::size_t code(std::size_t c, std::size_t feature) const
    {
        return layout.field(feature).of(key(c));
    }
    [[nodiscard]] float value(std::size_t c, std::size_t feature) const
    {
        return bins[feature][code(c, feature)];
    }
};

/**
 * Bin a table given by columns of equal length, columns[feature][row].
 *
 * \throws DataError if there are no rows, no or more than kMaxFeatures columns, unequal columns, a value that
 * is not finite, or more than 65,536 distinct values in a column. Thread-safe.
 */
FeatureTable make_feature_table(std::vector<std::string> names,
                                const std::vector<std::vector<float>>& columns);

/// 1 for each fault whose drop exceeds the tolerance, 0 for the others, in campaign order. Thread-safe.
std::vector<std::uint8_t> critical_labels(const OutcomeTable& outcomes, double tolerance);

}  // namespace flipstorm
