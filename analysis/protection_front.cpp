#include "analysis/protection_front.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

constexpr std::size_t kMostPlans = 4096;

/// A plan of the layers so far: one of those before, and an option of the last layer.
struct Step
{
    std::uint64_t bits = 0;
    double risk = 0;
    std::uint32_t before = 0;
    std::uint32_t choice = 0;
};

/// Those that no other beats, by rising bits and falling risk.
std::vector<Step> best_of(std::vector<Step> steps)
{
    std::sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) {
        return a.bits != b.bits ? a.bits < b.bits : a.risk < b.risk;
    });
    std::vector<Step> best;
    for (const Step& step : steps)
    {
        if (best.empty() || step.risk < best.back().risk) best.push_back(step);
    }
    return best;
}

/// The cheapest of each class of risks; both ends stay.
std::vector<Step> thinned(const std::vector<Step>& steps)
{
    if (steps.size() <= kMostPlans) return steps;
    const double most = steps.front().risk;
    const auto positive =
        std::find_if(steps.rbegin(), steps.rend(), [](const Step& s) { return s.risk > 0; });
    const double least = positive->risk;
    const double ratio = (std::log(most) - std::log(least)) / static_cast<double>(kMostPlans);
    std::vector<Step> kept;
    std::ptrdiff_t last = -1;
    for (const Step& step : steps)
    {
        const auto of = step.risk > 0
                            ? static_cast<std::ptrdiff_t>((std::log(most) - std::log(step.risk)) / ratio)
                            : static_cast<std::ptrdiff_t>(kMostPlans) + 1;
        if (of == last) continue;
        kept.push_back(step);
        last = of;
    }
    if (kept.back().risk != steps.back().risk) kept.push_back(steps.back());
    return kept;
}

}  // namespace

std::vector<ProtectionPlan> protection_front(const std::vector<std::vector<LayerChoice>>& layers)
{
    std::vector<std::vector<Step>> joined{{Step{}}};
    for (const std::vector<LayerChoice>& choices : layers)
    {
        FS_REQUIRE(!choices.empty(), "a layer without an option to protect it");
        std::vector<Step> steps;
        const std::vector<Step>& before = joined.back();
        for (std::size_t c = 0; c < choices.size(); ++c)
        {
            FS_REQUIRE(choices[c].risk >= 0 && std::isfinite(choices[c].risk), "an option with a risk of {}",
                       choices[c].risk);
            for (std::size_t b = 0; b < before.size(); ++b)
            {
                steps.push_back({before[b].bits + choices[c].bits, before[b].risk + choices[c].risk,
                                 static_cast<std::uint32_t>(b), static_cast<std::uint32_t>(c)});
            }
        }
        joined.push_back(thinned(best_of(std::move(steps))));
    }
    std::vector<ProtectionPlan> front;
    for (const Step& end : joined.back())
    {
        ProtectionPlan plan{end.bits, end.risk, std::vector<std::size_t>(layers.size())};
        Step step = end;
        for (std::size_t l = layers.size(); l-- > 0;)
        {
            plan.choice[l] = step.choice;
            step = joined[l][step.before];
        }
        front.push_back(std::move(plan));
    }
    return front;
}

const ProtectionPlan& cheapest_within(const std::vector<ProtectionPlan>& front, double risk)
{
    const auto found = std::find_if(front.begin(), front.end(),
                                    [risk](const ProtectionPlan& plan) { return plan.risk <= risk; });
    return found != front.end() ? *found : front.back();
}

const ProtectionPlan& safest_within(const std::vector<ProtectionPlan>& front, std::uint64_t bits)
{
    const auto after = std::find_if(front.begin(), front.end(),
                                    [bits](const ProtectionPlan& plan) { return plan.bits > bits; });
    return after != front.begin() ? *std::prev(after) : front.front();
}

}  // namespace flipstorm
