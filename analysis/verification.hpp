#pragma once
// What a campaign into a protected memory says of its protection.

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/estimates.hpp"
#include "analysis/result_table.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/memory_file.hpp"
#include "hdf5_schema/protected_file.hpp"
#include "hdf5_schema/protection_file.hpp"

namespace flipstorm
{

/// Upsets of a protected memory by what becomes of them, as shares of all upsets of all its bits.
struct Verification
{
    std::uint64_t upsets = 0;  ///< injected
    std::uint64_t bits = 0;    ///< of the memory: words and check bits beside them
    double tolerance = 0;
    ShareEstimate corrected;
    ShareEstimate detected;   ///< found, but not corrected (DUE)
    ShareEstimate changed;    ///< something reads otherwise than without an upset
    ShareEstimate unnoticed;  ///< the same, and no decoder found an error
    ShareEstimate critical;
    double predicted = 0;        ///< critical share, as the plan has it; NaN: the scheme is not "optimized"
    double predicted_high = 0;   ///< by the upper limits of the calibrated probabilities
    double accuracy = 0;         ///< of the protected network without an upset, on the test images
    double accuracy_before = 0;  ///< of the network as it was

    /// How measurement and prediction disagree, as a sentence; empty where they do not.
    [[nodiscard]] std::string disagreement() const;
};

/**
 * Judge a protection by a campaign of single upsets into its memory.
 *
 * A stratum of one bit position that the plan closes (forced, a copy, or under a code that corrects; check
 * bits of such a code) is known to hold no critical upset and counts as whole, if none was found in it: every
 * upset of it is corrected or not read. The other strata are sampled.
 *
 * \param campaign    with target "protected"
 * \param unprotected of the same network
 * \throws DataError unless campaign, memory and protection belong together. Thread-safe.
 */
[[nodiscard]] Verification verify_protection(const CampaignRecord& campaign, const ProtectedRecord& memory,
                                             const ProtectionRecord& protection,
                                             const CampaignRecord& unprotected);

/// The same as a table.
ResultTable verification_table(const Verification& verification);

/// Whole memories under bit error rates: accuracy of the protected and of the unprotected network.
ResultTable memory_table(const MemoryRecord& memory, double tolerance);

}  // namespace flipstorm
