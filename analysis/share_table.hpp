#pragma once
// The baseline that every forest must beat: how often faults of a layer and bit were critical.

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "analysis/fault_features.hpp"

namespace flipstorm
{

/**
 * Critical shares by layer and bit, drawn towards that of the bit in all layers, as that is towards the share
 * of all rows, each by as much as one row. Immutable; reading is thread-safe.
 */
class ShareTable
{
  public:
    /**
     * \param table   its features are those of FaultFeature
     * \param labels  [table.rows()]: 1 critical, 0 acceptable
     * \param rows    to learn from
     */
    ShareTable(const FeatureTable& table, const std::vector<std::uint8_t>& labels,
               const std::vector<std::uint32_t>& rows);

    /// Expected critical share of the faults of a bit of a layer, also of one that no row was of.
    [[nodiscard]] double share(float layer, float bit) const;

    /// The share of each cell of the list.
    [[nodiscard]] std::vector<double> predict(const FeatureTable& table,
                                              const std::vector<std::uint32_t>& cells) const;

  private:
    double of_all_ = 0;
    std::map<float, double> of_bit_;
    std::map<std::pair<float, float>, double> of_layer_and_bit_;
};

}  // namespace flipstorm
