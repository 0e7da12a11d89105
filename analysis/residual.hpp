#pragma once
// What judges a protection that a forest chose: faults the forest has not seen, and probabilities free of the
// balance it was trained with. Pure functions, thread-safe.

#include <cstdint>
#include <vector>

#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/forest_file.hpp"

namespace flipstorm
{

/// What the forest of a map left out of its training.
struct HeldOut
{
    std::vector<std::uint32_t> critical;  ///< rows of the critical faults that it was not trained on
    double balance = 1;  ///< acceptable per critical fault of the training rows for a balanced forest, else 1
};

/**
 * Draw again the split that trained the forest of the map: stratified_split of the campaign's faults with the
 * forest's `test_share` and `provenance.seed`.
 *
 * Where no forest was trained (fewer than two faults of a class) no row was used, so every critical fault is
 * held out.
 *
 * \throws DataError if the forest was trained on a campaign of other faults; JobError for an impossible
 * test_share.
 */
HeldOut held_out(const CampaignRecord& campaign, const ForestRecord& forest);

/**
 * Probability that a fault is critical from what a forest trained on as many critical as acceptable rows
 * says.
 *
 *     p' = p / (p + (1 − p) n_acceptable / n_critical)
 *
 * Dal Pozzolo et al., "Calibrating probability with undersampling for unbalanced classification", 2015, eq. 4
 * with β = n_critical / n_acceptable. The counts are those of the sample, not reweighted by stratum: a
 * stratum is a matter of layer and bit, which the forest sees, so its sampling rate changes how often a fault
 * like this is drawn but not how often it is critical. The mean over all bits of a network weighs the strata
 * by itself.
 *
 * \param balance  n_acceptable / n_critical of the rows the balanced bags were drawn from, above 0; 1 changes
 * nothing
 */
[[nodiscard]] double undo_balance(double probability, double balance);

}  // namespace flipstorm
