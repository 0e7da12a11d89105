#pragma once
// What a forest sees of a fault: rows of few features with few distinct values each. Every distinct value is
// a bin, so splits found on histograms are exact, and equal rows are merged into one cell.

#include <cstdint>
#include <string>
#include <vector>

#include "hdf5_schema/campaign_file.hpp"

namespace flipstorm
{

/// Most features a table can have.
constexpr std::size_t kMaxFeatures = 8;

/// Features of a weight fault (Traiola et al., DATE 2023): position in the columns of a campaign's table.
enum FaultFeature : std::int32_t
{
    kSignFeature = 0,
    kBitFeature = 1,
    kLayerFeature = 2,
    kOutChannelFeature = 3,
    kInChannelFeature = 4,
    kFaultFeatures = 5,
};

/// Binned rows; the cells (distinct rows) are sorted lexicographically.
struct FeatureTable
{
    std::vector<std::string> names;        ///< [features]
    std::vector<std::vector<float>> bins;  ///< [features]: the distinct values, ascending
    std::vector<std::uint16_t> codes;      ///< [cells × features], row-major: bin of each value
    std::vector<std::uint32_t> cell;       ///< [rows]: the cell of each row

    [[nodiscard]] std::size_t features() const { return names.size(); }
    [[nodiscard]] std::size_t rows() const { return cell.size(); }
    [[nodiscard]] std::size_t cells() const { return names.empty() ? 0 : codes.size() / names.size(); }
    [[nodiscard]] std::uint16_t code(std::size_t c, std::size_t feature) const
    {
        return codes[c * names.size() + feature];
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

/// The features of a campaign's faults, columns as in FaultFeature. \throws DataError. Thread-safe.
FeatureTable campaign_features(const FaultTable& faults);

/// 1 for each fault whose drop exceeds the tolerance, 0 for the others, in campaign order. Thread-safe.
std::vector<std::uint8_t> critical_labels(const OutcomeTable& outcomes, double tolerance);

}  // namespace flipstorm
