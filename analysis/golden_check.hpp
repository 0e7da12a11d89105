#pragma once
// Whether the fault-free network can say anything about faults: whether it is better than guessing, and
// whether its answers hang on ties. Pure functions.

#include <cstdint>
#include <string>
#include <vector>

#include "hdf5_schema/campaign_file.hpp"

namespace flipstorm
{

/// How likely guessing is to do as well, or as badly, as a network.
struct ChanceTest
{
    double at_least = 1;  ///< probability that a guess is right on so many images, or more
    double at_most = 1;   ///< on so many, or fewer
};

/**
 * Exact one-sided tests of a number of right answers against guessing.
 *
 *     P(X ≥ correct) and P(X ≤ correct) for X binomial with `images` trials of probability 1 / classes
 *
 * \throws Error if there are more right answers than images, or no class. Thread-safe.
 */
[[nodiscard]] ChanceTest test_against_chance(std::uint64_t correct, std::uint64_t images,
                                             std::uint64_t classes);

/// Guessing is taken for ruled out where it does as well with no more than this probability.
constexpr double kChanceLevel = 0.01;

/**
 * What to tell a user whose fault-free network is not better than chance, or is worse, at kChanceLevel, with
 * the usual causes; empty where it is better, or there are no images. Thread-safe.
 */
[[nodiscard]] std::string chance_warning(std::uint64_t correct, std::uint64_t images, std::uint64_t classes);

/**
 * What to tell a user where the two largest logits of some images are equal: which class counts as
 * the answer is then up to rounding. Empty without such images. Thread-safe.
 *
 * \param margins  of the fault-free network, by image
 */
[[nodiscard]] std::string tie_warning(const std::vector<float>& margins);

/**
 * Both, for a campaign as its file holds it. The file does not say how many classes the network has: at least
 * the largest label and answer plus one, and those are taken. Thread-safe.
 */
[[nodiscard]] std::vector<std::string> golden_warnings(const CampaignHeader& header);

}  // namespace flipstorm
