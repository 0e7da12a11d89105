#pragma once
// What a criticality map says of the memory of a network, counted: what the ways of protection are weighed
// by.

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "analysis/estimates.hpp"
#include "analysis/layer_plan.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/forest_file.hpp"

namespace flipstorm
{

/// A critical fault that the forest was not trained on.
struct Judge
{
    std::uint32_t row = 0;
    double weight = 0;  ///< of the faults that it stands for, itself left out
};

/// Critical bits to expect: their mean, and the sum of the upper limits of their probabilities.
struct ExpectedBits
{
    double mean = 0;
    double high = 0;
};

/// A network at each level of its parameters' worst bit, and by layer and bit. Refers to the forest it was
/// made of.
struct RiskMap
{
    static constexpr std::size_t kLevels = kCriticalityLevels;

    bool calibrated =
        true;  ///< the map knows measured outcomes and what votes mean; a file before 1.2 does not
    std::vector<const LayerCriticality*> maps;     ///< by layer of the campaign
    std::vector<std::vector<std::uint8_t>> worst;  ///< [layer][parameter]: level of its worst bit

    std::array<std::uint64_t, kLevels> parameters{};
    std::map<std::int32_t, std::array<std::uint64_t, kLevels>>
        of_word_bits;                                   ///< the same by length of a word
    std::array<ExpectedBits, kLevels> critical_bits{};  ///< of all bits of the parameters
    std::vector<LayerRisk> risks;                       ///< by layer, of bits that flip

    std::array<double, kLevels> held_out{};  ///< Σ of the weights of judges, by what is predicted for them
    std::vector<Judge> judges;
    double held_out_weight = 0;  ///< Σ of what the judges stand for, themselves counted
    double held_out_size = 0;    ///< effective number of these, (Σ w)² / Σ w² (Kish)

    double flipping = 0;  ///< share of the faults that flip their bit; half of those that are stuck do
    std::uint64_t weights = 0;
    std::uint64_t bits = 0;
    ShareInterval critical;  ///< share of all faults

    /// Least level that reaches the threshold: a parameter is flagged if its worst bit has it.
    [[nodiscard]] std::size_t level_of(double threshold) const;
    /// Parameters of the levels from `level` upwards.
    [[nodiscard]] std::uint64_t flagged(std::size_t level) const;
    /// Critical bits of the parameters below `level`.
    [[nodiscard]] ExpectedBits left(std::size_t level) const;
    /// So many critical bits as a share of all upsets.
    [[nodiscard]] double share(double expected) const
    {
        return flipping * expected / static_cast<double>(bits);
    }
};

/// Count. \throws DataError if campaign and map are not of one network
[[nodiscard]] RiskMap make_risk_map(const CampaignRecord& campaign, const ForestRecord& forest);

/// Part of the critical faults that a code misses if it covers the parameters from `level` upwards.
[[nodiscard]] ShareInterval missed_share(const RiskMap& risk, std::size_t level);

/// Part of the critical faults that a plan misses: those of bits that it leaves as they are.
[[nodiscard]] ShareInterval missed_share(const RiskMap& risk, const CampaignRecord& campaign,
                                         const LayerPlan& plan);

}  // namespace flipstorm
