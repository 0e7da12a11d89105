#pragma once
// The plan of a network's protection: an option for each layer.

#include <cstdint>
#include <optional>
#include <vector>

#include "analysis/layer_options.hpp"
#include "analysis/protection_front.hpp"
#include "engine/memory/stored_tensor.hpp"

namespace flipstorm
{

/// What a plan has to keep; one of both may be missing, and both.
struct PlanGoal
{
    std::optional<std::uint64_t> most_bits{};  ///< of extra memory
    std::optional<double> most_risk{};         ///< as LayerOption::risk
};

/// Options of all layers, the plans that are best in bits and risk, and the one that is taken.
struct LayerPlan
{
    std::vector<std::vector<LayerOption>> options;  ///< by layer
    std::vector<ProtectionPlan> front;
    ProtectionPlan chosen;

    /// What becomes of a layer.
    [[nodiscard]] const LayerOption& option(std::size_t layer) const
    {
        return options[layer][chosen.choice[layer]];
    }
};

/**
 * Plan the layers: the cheapest plan within the risk that also keeps to the bits; where there is none, or no
 * bound of the risk, the safest within the bits.
 *
 * \param words  by layer; empty: not known (layer_options)
 * \throws Error unless there are as many words as layers. Thread-safe.
 */
[[nodiscard]] LayerPlan plan_layers(const std::vector<LayerRisk>& layers,
                                    const std::vector<StoredTensor>& words, const OptionRules& rules,
                                    const PlanGoal& goal);

}  // namespace flipstorm
