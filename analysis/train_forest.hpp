#pragma once
// The forest stage: from the outcomes of a campaign to models of what is critical, their scores and the
// criticality map.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "analysis/criticality.hpp"
#include "analysis/fault_features.hpp"
#include "analysis/feature_table.hpp"
#include "analysis/forest.hpp"
#include "analysis/metrics.hpp"
#include "engine/base/stop_request.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/forest_file.hpp"

namespace flipstorm
{

/// The kind that is always among an analysis's, as what the others must beat.
inline constexpr const char* kBaselineKind = "table";

/// The [forest] table of a job.
struct ForestOptions
{
    std::vector<std::string> kinds = {"brf"};        ///< "brf", "rf", "table"; the first makes the map
    std::string sampling = "undersample_bootstrap";  ///< or "stratified_bootstrap"; of a brf
    std::int32_t trees = 100;
    std::int32_t folds = 10;         ///< of the cross-validation; 0: none
    std::int32_t splits = 1;         ///< into training and test rows; the forest of the map is of the first
    double test_share = 0.3;         ///< held out from training in a split
    std::vector<double> tolerances;  ///< accuracy drops to train for
    double tolerance = 0;            ///< of the criticality map and the ROC curve; one of `tolerances`
    double max_missed = 0;  ///< of the network's critical faults, below the map's threshold; 0: it is 0.5
    double max_missed_confidence = 0.95;  ///< that no more are
    std::uint64_t seed = 0;
    int threads = 1;
    StopRequest stop;  ///< asked between nodes of a tree, and more often than that
};

/// One of the fits that an analysis consists of. Critical sets of growing tolerances are nested, so their
/// size says which one it is.
struct FitKey
{
    std::string kind;
    std::uint64_t critical = 0;  ///< critical faults
    std::uint32_t stream = 0;    ///< 0: the first split; 1 …: folds, grouped folds, further splits

    friend bool operator<(const FitKey& a, const FitKey& b)
    {
        return std::tie(a.kind, a.critical, a.stream) < std::tie(b.kind, b.critical, b.stream);
    }
    friend bool operator==(const FitKey& a, const FitKey& b)
    {
        return std::tie(a.kind, a.critical, a.stream) == std::tie(b.kind, b.critical, b.stream);
    }
};

/// What a fit found: always the same for the same campaign and options.
struct FitResult
{
    ScoreRecord scores;  ///< on the rows it was not trained on
    LevelCounts levels;  ///< the same rows; of the folds, of the first split without folds
    // The rest is known for the first split only; trees of the kind of the map, `held_out` and
    // `permutation_importance` of its tolerance, too.
    ConfusionRecord confusion;
    std::vector<double> importance;
    std::vector<double> importance_error;
    std::vector<double> permutation_importance;
    TreesRecord trees;
    std::vector<ScoredCounts> held_out;  ///< scores of the rows it was not trained on
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
    [[nodiscard]] virtual std::optional<FitResult> find(const FitKey& key) = 0;

    /// Keep a finished fit.
    virtual void keep(const FitKey& key, const FitResult& result) = 0;
};

/**
 * The models of a campaign's faults, as fits that do not depend on each other, and what they make together.
 *
 * Per tolerance and kind: scores of each fold of a stratified and of a grouped cross-validation over all
 * faults, and of splits (stratified_split) of the faults into 1 − test_share to train on and the rest to
 * judge on. The model of the first split is recorded, and makes the map. The faults are taken as they are,
 * not reweighted by stratum, as in the paper. Tolerances with the same critical faults share their fits.
 *
 * What a vote means comes from the faults of the folds, each judged by a model that was not trained on it
 * (without folds from the test faults of the first split), weighted by what they stand for (calibrate).
 * Measured outcomes take the place of predictions in the levels of the map; scores never see them.
 *
 * A tolerance with fewer than two faults of a class is not trained: scores NaN, no trees, a warning. A class
 * with fewer members (grouped: cells) than folds reduces the number of folds, down to two; folds that are not
 * used have NaN scores. A map for a tolerance without a model is that of the more frequent class, 0 or 255.
 */
class CampaignForests
{
  public:
    /**
     * \param features  that the forests see; tables of shares look at layer and bit alone
     * \throws DataError if the campaign cannot be (see check_campaign), or stopped faults before their class
     * for a tolerance was known; JobError for impossible options.
     */
    CampaignForests(const CampaignRecord& campaign, ForestOptions options, FaultFeatures features = {});

    /// All fits that the record needs, about the dearest first.
    [[nodiscard]] std::vector<FitKey> fits() const;

    /// Do a fit: the same for any number of threads. One call at a time. \throws Stopped.
    [[nodiscard]] FitResult fit(const FitKey& key);

    /**
     * What the fits make together.
     *
     * \param result   of each of fits(), asked once
     * \param weights  of every layer, in layer order
     * \return everything but `provenance`, of which only the seed is set
     * \throws DataError if the weights do not fit the campaign; Stopped.
     */
    [[nodiscard]] ForestRecord assemble(const std::function<FitResult(const FitKey&)>& result,
                                        const std::vector<LayerWeights>& weights) const;

  private:
    /// What the rows are for a tolerance.
    struct LabelSet
    {
        double tolerance = 0;  ///< the first with these labels
        std::uint64_t critical = 0;
        std::uint64_t rows = 0;
        bool trainable = false;
        std::int32_t folds = 0;          ///< that its classes have members for
        std::int32_t grouped_folds = 0;  ///< that its classes have cells for
    };

    [[nodiscard]] const LabelSet& labels_of(std::uint64_t critical) const;
    [[nodiscard]] const LabelSet& map_labels() const;
    [[nodiscard]] std::vector<std::uint32_t> streams(const LabelSet& labels) const;
    void take_up(const LabelSet& labels);
    [[nodiscard]] const std::vector<std::int32_t>& fold_of_row(const LabelSet& labels, bool grouped);
    [[nodiscard]] FitResult judge(const std::string& kind, const std::vector<std::uint32_t>& train,
                                  const std::vector<std::uint32_t>& test, std::uint32_t stream) const;
    [[nodiscard]] ToleranceRecord record(const std::string& kind, double tolerance, const LabelSet& labels,
                                         const std::function<FitResult(const FitKey&)>& result,
                                         FitResult& first_split) const;
    [[nodiscard]] std::vector<LayerCriticality> map_network(const std::vector<LayerWeights>& weights,
                                                            const ToleranceRecord& tolerance) const;
    [[nodiscard]] std::vector<std::uint8_t> labels_for(double tolerance) const;
    [[nodiscard]] LevelCounts count_levels(const std::vector<std::uint32_t>& rows,
                                           const std::vector<std::uint8_t>& level_of_cell,
                                           const std::vector<std::uint8_t>& labels) const;
    void add_levels(ForestRecord& forest, const ToleranceRecord& tolerance) const;

    const CampaignRecord& campaign_;
    ForestOptions options_;
    FaultFeatures features_;
    FeatureTable table_;
    std::vector<double> weight_;  ///< [rows]: share of the network's faults that a row stands for
    std::vector<LabelSet> sets_;  ///< of each of options_.tolerances
    // Of the fit that was done last: the next is often of the same rows.
    std::uint64_t taken_up_ = static_cast<std::uint64_t>(-1);  ///< critical faults of `labels_`
    std::vector<std::uint8_t> labels_;
    std::optional<std::vector<std::int32_t>> stratified_;
    std::optional<std::vector<std::int32_t>> grouped_;
};

/**
 * All fits of CampaignForests one after the other, and what they make.
 *
 * \param store    fits that are there are not done again; each that is finished is kept. Null: none
 * \return the same for any number of threads, and however often it was stopped
 * \throws as CampaignForests
 */
ForestRecord analyse_campaign(const CampaignRecord& campaign, const std::vector<LayerWeights>& weights,
                              const ForestOptions& options, FitStore* store = nullptr,
                              FaultFeatures features = {});

}  // namespace flipstorm
