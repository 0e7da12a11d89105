#pragma once
// The forest stage: from the outcomes of a campaign to forests, their scores and the criticality map.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analysis/criticality.hpp"
#include "analysis/metrics.hpp"
#include "engine/base/stop_request.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/forest_file.hpp"

namespace flipstorm
{

/// The [forest] table of a job.
struct ForestOptions
{
    std::string kind = "brf";                        ///< "brf" or "rf"
    std::string sampling = "undersample_bootstrap";  ///< or "stratified_bootstrap"; of a brf
    std::int32_t trees = 100;
    std::int32_t folds = 10;         ///< of the cross-validation; 0: none
    double test_share = 0.3;         ///< held out from the forest of the map
    std::vector<double> tolerances;  ///< accuracy drops to train for
    double tolerance = 0;            ///< of the criticality map and the ROC curve; one of `tolerances`
    std::uint64_t seed = 0;
    int threads = 1;
    StopRequest stop;  ///< asked between nodes of a tree, and more often than that
};

/// One of the fits that an analysis consists of. Critical sets of growing tolerances are nested, so their
/// size says which one it is.
struct FitKey
{
    std::uint64_t critical = 0;  ///< critical faults
    std::uint32_t stream = 0;    ///< 0: the forest of the map; 1 …: the folds, stratified ones first
};

/// What a fit found: always the same for the same campaign and options.
struct FitResult
{
    double auc = 0;  ///< on the rows it was not trained on
    // The rest is known for the forest of the map only.
    ConfusionRecord confusion;
    std::vector<double> importance;
    TreesRecord trees;
    std::vector<ScoredCounts> scores;  ///< of the rows it was not trained on
};

/// Keeps finished fits, so that an analysis that was stopped does not begin anew.
class FitStore
{
  public:
    FitStore() = default;
    FitStore(const FitStore&) = delete;
    FitStore& operator=(const FitStore&) = delete;
    virtual ~FitStore() = default;

    /// What was kept of a fit, by this process or an earlier one; none: it is to be done.
    [[nodiscard]] virtual std::optional<FitResult> find(FitKey key) = 0;

    /// Keep a finished fit.
    virtual void keep(FitKey key, const FitResult& result) = 0;
};

/**
 * Train and judge a forest for each tolerance, and predict every bit of the network for one of them.
 *
 * Per tolerance: ROC AUC of each fold of a stratified and of a grouped cross-validation over all faults, and
 * a forest trained on 1 − test_share of the faults (stratified_split), judged on the rest; this forest is
 * recorded and makes the map. The faults are taken as they are, not reweighted by stratum, as in the paper.
 * Tolerances with the same critical faults share one computation.
 *
 * A tolerance with fewer than two faults of a class is not trained: scores NaN, no trees, a warning. A class
 * with fewer members (grouped: cells) than folds reduces the number of folds, down to two; folds that are not
 * used have the score NaN. A map for a tolerance without a forest is that of the more frequent class, 0 or
 * 255.
 *
 * \param weights  of every layer, in layer order
 * \param store    fits that are there are not done again; each that is finished is kept. Null: none
 * \return everything but `provenance`, of which only the seed is set; the same for any number of threads, and
 * however often it was stopped
 * \throws DataError if the campaign cannot be (see check_campaign), does not fit the weights, or stopped
 * faults before their class for a tolerance was known; JobError for impossible options; Stopped.
 */
ForestRecord analyse_campaign(const CampaignRecord& campaign, const std::vector<LayerWeights>& weights,
                              const ForestOptions& options, FitStore* store = nullptr);

}  // namespace flipstorm
