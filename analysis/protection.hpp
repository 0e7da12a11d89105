#pragma once
// The hardening stage: what each way of protecting the parameters costs and what it leaves, and which to
// take.

#include <optional>
#include <string>
#include <vector>

#include "engine/memory/stored_tensor.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/forest_file.hpp"
#include "hdf5_schema/protection_file.hpp"

namespace flipstorm
{

/// The [harden] table of a job.
struct HardenOptions
{
    std::vector<std::string> options{"none", "sec_all", "sec_critical"};  ///< schemes to compare
    std::vector<double> thresholds{0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99};
    ///< of "sec_critical", each in (0, 1]; 0.5 is added where it is missing
    double ber = 0;                        ///< upset probability per bit
    double adjacent_share = 0;             ///< of the upsets, those that hit the next bit, too
    std::optional<double> max_overhead{};  ///< of "optimized": extra bits per bit of the weight memory
    std::optional<double> max_residual{};  ///< of "optimized": share of single upsets that stay critical
    double max_change = 0.01;              ///< of "optimized": see OptionRules (analysis/layer_options.hpp)
};

/**
 * Weigh the protection options of a network against each other.
 *
 * "sec_critical" at threshold θ puts a parameter under a single-error-correcting code if one of its bits is
 * critical, measured or with a vote of at least θ, and keeps one flag per parameter (DATE 2023). A single
 * upset in a parameter under a code is corrected, also in its bits that are not critical; upsets in the
 * parity bits and the signature are not counted. The residuals are for the tolerance of the forest's map.
 *
 * What was measured is not predicted: a bit whose fault was critical is flagged, one whose fault was
 * acceptable is not, at every threshold.
 *
 * The predicted residual sums the calibrated probabilities (/calibration) of the bits outside the code. The
 * measured one is the critical share of all faults (estimate_critical_share) times the part of the critical
 * faults outside the code, judged by what the forest predicts for faults that it was not trained on
 * (held_out), each standing for the faults of its stratum that were not injected; its interval is that of the
 * product (product_interval), the second factor having Wilson's for Kish's effective number of held-out
 * critical faults. That part is known, 1 or 0, where the code covers nothing or everything.
 *
 * "optimized" keeps each layer as it is worth (layer_options), by the sum of the calibrated probabilities
 * over each bit position; of the plans that no other beats in bits and in what they leave (/front) it is the
 * cheapest that leaves no more than max_residual; without a bound, a tenth of what "sec_critical" at 0.5
 * leaves; with max_overhead alone, the safest that costs no more.
 *
 * A map of a file before version 1.2 has no levels and no calibration: its votes are taken as they are for
 * flags, and after undo_balance for probabilities.
 *
 * Chosen is "optimized", if that is among the schemes; else "sec_critical" at the threshold of the forest, if
 * forest.max_missed asked for one and the scheme is among the options; else the option with the least
 * predicted residual, the cheaper among equals, of those that cost no more than "sec_critical" at 0.5 does
 * (DATE 2023), if that is among the schemes; else of all.
 *
 * \param forest  its provenance.seed and test_share name the faults held out
 * \param words  of the layers of the campaign, in their order; empty: not known, and "optimized" may neither
 * force equal bits nor put check bits into words
 * \return everything but `provenance`. Thread-safe.
 * \throws JobError for an unknown scheme, no scheme or a threshold out of range; DataError if campaign and
 * forest are not of the same network and faults.
 */
ProtectionRecord choose_protection(const CampaignRecord& campaign, const ForestRecord& forest,
                                   const HardenOptions& options, const std::vector<StoredTensor>& words = {});

}  // namespace flipstorm
