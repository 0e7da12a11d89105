#include "analysis/layer_plan.hpp"

#include "engine/base/error.hpp"

namespace flipstorm
{

LayerPlan plan_layers(const std::vector<LayerRisk>& layers, const std::vector<StoredTensor>& words,
                      const OptionRules& rules, const PlanGoal& goal)
{
    FS_REQUIRE(words.empty() || words.size() == layers.size(), "the words of {} of {} layers", words.size(),
               layers.size());
    LayerPlan plan;
    std::vector<std::vector<LayerChoice>> choices;
    for (std::size_t l = 0; l < layers.size(); ++l)
    {
        plan.options.push_back(layer_options(layers[l], words.empty() ? nullptr : &words[l], rules));
        choices.emplace_back();
        for (const LayerOption& option : plan.options.back())
            choices.back().push_back({option.extra_bits, option.risk});
    }
    plan.front = protection_front(choices);
    const ProtectionPlan& safest =
        goal.most_bits ? safest_within(plan.front, *goal.most_bits) : plan.front.back();
    plan.chosen = safest;
    if (!goal.most_risk) return plan;
    const ProtectionPlan& cheapest = cheapest_within(plan.front, *goal.most_risk);
    if (cheapest.bits <= safest.bits) plan.chosen = cheapest;
    return plan;
}

}  // namespace flipstorm
