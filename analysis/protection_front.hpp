#pragma once
// The optimizer of the protection: an option for each layer, so that the whole costs least for what it
// leaves.

#include <cstdint>
#include <vector>

namespace flipstorm
{

/// What an option of a layer costs and leaves.
struct LayerChoice
{
    std::uint64_t bits = 0;  ///< of extra memory
    double risk = 0;         ///< what is left: any measure that adds up over layers, at least 0
};

/// An option of each layer, and what they make together.
struct ProtectionPlan
{
    std::uint64_t bits = 0;
    double risk = 0;
    std::vector<std::size_t> choice;  ///< [layers]: number of the option
};

/**
 * The plans that no other is better than in both cost and risk, by rising bits and falling risk: the
 * multiple-choice knapsack for every budget at once.
 *
 * Layers are joined one by one, and of each set of plans those that another beats are dropped (Nemhauser and
 * Ullmann, 1969). Where more than 4,096 are left their risks are put into as many classes of equal ratio and
 * the cheapest of each class is kept, so that a plan's risk is at most (1 + resolution)^layers times that of
 * the best plan of its cost, where `resolution` is the ratio of a class less 1; with fewer it is exact.
 *
 * \param layers  options of each; at least one of each \throws Error otherwise, or for a risk below 0
 * \return at least one plan. Thread-safe.
 */
[[nodiscard]] std::vector<ProtectionPlan> protection_front(
    const std::vector<std::vector<LayerChoice>>& layers);

/// The cheapest plan of a front with at most so much risk; the safest of all where none has.
[[nodiscard]] const ProtectionPlan& cheapest_within(const std::vector<ProtectionPlan>& front, double risk);

/// The safest plan of a front with at most so many bits; the cheapest of all where none has.
[[nodiscard]] const ProtectionPlan& safest_within(const std::vector<ProtectionPlan>& front,
                                                  std::uint64_t bits);

}  // namespace flipstorm
