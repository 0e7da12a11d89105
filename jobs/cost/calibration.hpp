#pragma once
// A short measurement on this machine of what a campaign's chunks will cost.

#include <cstdint>

#include "jobs/campaign/campaign.hpp"
#include "jobs/cost/cost_model.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// What the measurement found.
struct Calibration
{
    CostModel model;
    double start = 0;           ///< seconds until an evaluator of all images is ready, beside `golden`
    double golden = 0;          ///< seconds of its pass over all images, which the ranks share out
    double seconds = 0;         ///< that the measurement took; 0: costs are from multiply-accumulates
    std::uint64_t images = 0;   ///< of the test set, first ones, that it used
    std::uint64_t faults = 0;   ///< that it evaluated in its last round
    std::uint64_t cells = 0;    ///< layer and class of bits, with faults in the plan
    std::uint64_t missing = 0;  ///< of those, not measured and filled in
    double share_of_peak = 0;   ///< without a measurement: speed assumed, as a share of `peak`
    double peak = 0;            ///< floating-point operations per second of one thread
    RankMemory memory;          ///< of a rank of such a campaign
};

/**
 * Measure some of the campaign's own faults, of every layer and class of bits, on the first test images, on
 * one thread, in seconds of its processor (on a GPU: as in a campaign).
 *
 * Rounds of growing numbers of images and faults, as long as about `seconds` allow; a layer for which there
 * is no time is filled in (fill_gaps). With `seconds` = 0 nothing is measured but the processor's peak, and
 * costs are multiply-accumulates at the share of it that the evaluation mode reached elsewhere
 * (tests/RESULTS.md).
 *
 * \throws JobError if the memory budget does not hold a layer, DataError for images that do not fit.
 */
[[nodiscard]] Calibration calibrate(const Context& context, const Campaign& campaign, double seconds);

}  // namespace flipstorm
