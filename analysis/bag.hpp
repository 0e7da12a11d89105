#pragma once
// Which rows a tree sees, and how often.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "analysis/feature_table.hpp"
#include "engine/base/philox.hpp"

namespace flipstorm
{

/// Which rows a tree sees.
enum class Bag
{
    all,                    ///< every row once; what differs between trees are the features tried
    bootstrap,              ///< as many rows as there are, drawn with replacement ("rf")
    undersample_bootstrap,  ///< the minority and as many majority rows without replacement, then a bootstrap
                            ///< of those (imbalanced-learn until 0.12)
    stratified_bootstrap,  ///< from each class as many rows as the minority has, with replacement (from 0.13)
};

/// Weights of the two classes in one word, so that one addition counts both: acceptable in the low 32 bits,
/// critical in the high ones.
using ClassWeight = std::uint64_t;

[[nodiscard]] constexpr ClassWeight class_weight(std::uint32_t acceptable, std::uint32_t critical)
{
    return acceptable | (ClassWeight{critical} << 32U);
}
[[nodiscard]] constexpr std::uint32_t acceptable_of(ClassWeight weight)
{
    return static_cast<std::uint32_t>(weight);
}
[[nodiscard]] constexpr std::uint32_t critical_of(ClassWeight weight)
{
    return static_cast<std::uint32_t>(weight >> 32U);
}

/// A cell in the bag of a tree, with the weight of one class or of both.
template<std::size_t Words>
struct Sample
{
    std::array<std::uint64_t, Words> key{};
    ClassWeight weight = 0;
};

/// Rows to train on, of each class those of a cell together, acceptable ones first. Immutable.
template<std::size_t Words>
class TrainingRows
{
  public:
    /// \param labels  [table.rows()]: 1 critical, 0 acceptable
    TrainingRows(const FeatureTable& table, const std::vector<std::uint8_t>& labels,
                 const std::vector<std::uint32_t>& rows);

    /// Rows of a class.
    [[nodiscard]] std::uint32_t count(std::size_t label) const { return count_[label]; }

    /**
     * Draw the bag of a tree, acceptable samples first; equal keys of a class are one sample.
     * \throws Error if a balanced bag lacks one of the classes. Thread-safe.
     */
    [[nodiscard]] std::vector<Sample<Words>> draw(Bag bag, RandomStream random) const;

  private:
    class Collector;

    void draw_rows(std::uint32_t first, std::uint32_t count, std::uint32_t draws, RandomStream& random,
                   Collector& collector) const;
    void draw_undersampled(RandomStream& random, Collector& collector) const;

    std::array<std::uint32_t, 2> count_{};
    std::vector<std::array<std::uint64_t, Words>>
        key_;                           ///< [entries]: cells of acceptable rows, then of critical ones
    std::vector<std::uint32_t> entry_;  ///< [rows]: of acceptable rows, then of critical ones, ascending
    std::size_t critical_entries_ = 0;  ///< the first of them
};

extern template class TrainingRows<1>;
extern template class TrainingRows<2>;
extern template class TrainingRows<4>;

}  // namespace flipstorm
