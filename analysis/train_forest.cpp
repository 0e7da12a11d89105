#include "analysis/train_forest.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <map>

#include "analysis/campaign_check.hpp"
#include "analysis/fault_population.hpp"
#include "analysis/metrics.hpp"
#include "analysis/split.hpp"
#include "engine/base/error.hpp"
#include "engine/base/log.hpp"
#include "engine/base/timing.hpp"
#include "engine/base/tolerance.hpp"

namespace flipstorm
{
namespace
{

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// A tolerance's record and the scores of its held-out rows.
struct Judged
{
    ToleranceRecord record;
    std::vector<ScoredCounts> test_scores;
};

std::vector<ScoredCounts> score_rows(const Forest& forest, const FeatureTable& table,
                                     const std::vector<std::uint8_t>& labels,
                                     const std::vector<std::uint32_t>& rows, int threads,
                                     const StopRequest& stop)
{
    std::vector<ScoredCounts> by_cell(table.cells());
    for (const std::uint32_t row : rows)
    {
        ScoredCounts& cell = by_cell[table.cell[row]];
        ++(labels[row] != 0 ? cell.critical : cell.acceptable);
    }
    std::vector<std::uint32_t> cells;
    std::vector<ScoredCounts> scored;
    for (std::size_t c = 0; c < by_cell.size(); ++c)
    {
        if (by_cell[c].acceptable + by_cell[c].critical == 0) continue;
        cells.push_back(static_cast<std::uint32_t>(c));
        scored.push_back(by_cell[c]);
    }
    const std::vector<double> scores = forest.predict(table, cells, threads, stop);
    for (std::size_t i = 0; i < scored.size(); ++i)
        scored[i].score = scores[i];
    return scored;
}

/// Distinct cells that have a row of the label.
std::uint64_t cells_of(const FeatureTable& table, const std::vector<std::uint8_t>& labels, std::uint8_t label)
{
    std::vector<bool> seen(table.cells(), false);
    for (std::size_t row = 0; row < labels.size(); ++row)
    {
        if (labels[row] == label) seen[table.cell[row]] = true;
    }
    return static_cast<std::uint64_t>(std::count(seen.begin(), seen.end(), true));
}

class Stage
{
  public:
    Stage(const CampaignRecord& campaign, const ForestOptions& options, FitStore* store)
        : options_(options), store_(store), table_(campaign_features(campaign.faults))
    {
        settings_.bag = bag_of(options.kind, options.sampling);
        settings_.trees = options.trees;
        settings_.seed = options.seed;
        settings_.threads = options.threads;
        settings_.stop = options.stop;
    }

    Judged judge(double tolerance, const std::vector<std::uint8_t>& labels, std::uint64_t critical)
    {
        const Stopwatch watch;
        const std::uint64_t acceptable = labels.size() - critical;
        Judged judged;
        ToleranceRecord& record = judged.record;
        record.tolerance = tolerance;
        record.rows = labels.size();
        record.critical = critical;
        record.auc_folds.assign(static_cast<std::size_t>(options_.folds), kNaN);
        record.auc_grouped_folds = record.auc_folds;
        record.auc_test = kNaN;
        record.confusion = {kNaN, kNaN, kNaN, kNaN};
        record.importance.assign(table_.features(), kNaN);
        if (std::min(critical, acceptable) < 2)
        {
            log_warning(
                "forest: for a tolerance of {:.2f} %, {} of {} faults are critical; a forest needs two of "
                "each class, so none is trained",
                100 * tolerance, critical, labels.size());
            return judged;
        }
        record.trained = true;
        if (options_.folds > 0)
        {
            cross_validate(labels, critical, std::min(critical, acceptable), false, record.auc_folds);
            cross_validate(labels, critical,
                           std::min(cells_of(table_, labels, 0), cells_of(table_, labels, 1)), true,
                           record.auc_grouped_folds);
        }

        FitResult fit = kept_or_done({critical, 0}, [&] {
            return fit_and_judge(labels, stratified_split(labels, options_.test_share, options_.seed), 0);
        });
        judged.test_scores = std::move(fit.scores);
        record.auc_test = fit.auc;
        record.confusion = fit.confusion;
        record.importance = std::move(fit.importance);
        record.trees = std::move(fit.trees);
        log_info(
            "forest: tolerance {:.2f} %: {} of {} faults critical; ROC AUC {:.4f} ({} folds), {:.4f} (cells "
            "kept "
            "together), {:.4f} (held out); {:.1f} s",
            100 * tolerance, critical, labels.size(), mean_of_known(record.auc_folds), options_.folds,
            mean_of_known(record.auc_grouped_folds), record.auc_test, watch.seconds());
        return judged;
    }

    [[nodiscard]] const FeatureTable& table() const { return table_; }

  private:
    /// What the store has of a fit, else what `fit` finds.
    template<class Fit>
    FitResult kept_or_done(FitKey key, const Fit& fit)
    {
        stop_if_asked(options_.stop);
        if (store_ != nullptr)
        {
            if (std::optional<FitResult> kept = store_->find(key)) return std::move(*kept);
        }
        FitResult result = fit();
        if (store_ != nullptr) store_->keep(key, result);
        return result;
    }

    /// Train on one part of the rows, and judge on the other; of a fold (stream > 0) only the score matters.
    FitResult fit_and_judge(const std::vector<std::uint8_t>& labels, const TrainTest& split,
                            std::uint32_t stream) const
    {
        ForestSettings settings = settings_;
        settings.stream = stream;
        const Forest forest = Forest::train(table_, labels, split.train, settings);
        FitResult fit;
        fit.scores = score_rows(forest, table_, labels, split.test, options_.threads, options_.stop);
        fit.auc = roc_auc(fit.scores);
        if (stream > 0) return {fit.auc, {}, {}, {}, {}};
        fit.confusion = confusion_percent(fit.scores);
        fit.importance = forest.importance();
        fit.trees = forest.record();
        return fit;
    }

    /// Fill `auc` with the score of each fold; `members` is the size of the smaller class.
    void cross_validate(const std::vector<std::uint8_t>& labels, std::uint64_t critical,
                        std::uint64_t members, bool grouped, std::vector<double>& auc)
    {
        const auto folds = static_cast<std::int32_t>(
            std::min<std::uint64_t>(static_cast<std::uint64_t>(options_.folds), members));
        if (folds < 2) return;
        const std::vector<std::int32_t> fold_of_row =
            grouped ? grouped_folds(table_.cell, labels, folds, options_.seed)
                    : stratified_folds(labels, folds, options_.seed);
        for (std::int32_t fold = 0; fold < folds; ++fold)
        {
            const TrainTest split = fold_split(fold_of_row, fold);
            const auto critical_in = [&labels](const std::vector<std::uint32_t>& rows) {
                return std::count_if(rows.begin(), rows.end(),
                                     [&labels](std::uint32_t r) { return labels[r] != 0; });
            };
            const auto critical_trained = static_cast<std::size_t>(critical_in(split.train));
            if (critical_trained == 0 || critical_trained == split.train.size()) continue;
            // Stream 0 is the recorded forest's.
            const auto stream = static_cast<std::uint32_t>(1 + fold + (grouped ? options_.folds : 0));
            auc[static_cast<std::size_t>(fold)] =
                kept_or_done({critical, stream}, [&] { return fit_and_judge(labels, split, stream); }).auc;
        }
    }

    const ForestOptions& options_;
    FitStore* store_;
    FeatureTable table_;
    ForestSettings settings_;
};

void check_options(const CampaignRecord& campaign, const ForestOptions& options)
{
    FS_CHECK(JobError, !options.tolerances.empty(), "forest.tolerances is empty; give at least one");
    FS_CHECK(JobError,
             std::find(options.tolerances.begin(), options.tolerances.end(), options.tolerance) !=
                 options.tolerances.end(),
             "the criticality map is asked for at a tolerance of {}, which is not among forest.tolerances",
             options.tolerance);
    FS_CHECK(JobError, options.folds == 0 || options.folds >= 2,
             "forest.folds = {}; 0 (none) or at least 2 would be right", options.folds);
    for (const double tolerance : options.tolerances)
    {
        for (std::size_t row = 0; row < campaign.faults.size(); ++row)
        {
            const double drop = campaign.outcomes.drop[row];
            FS_CHECK(DataError, campaign.outcomes.stopped[row] == 0 || exceeds(drop, tolerance),
                     "the campaign stopped fault {} once its drop exceeded {}; whether it exceeds {} is not "
                     "known: ask "
                     "for tolerances of the campaign",
                     row, drop, tolerance);
        }
    }
}

std::vector<LayerCriticality> map_network(const CampaignRecord& campaign,
                                          const std::vector<LayerWeights>& weights,
                                          const ToleranceRecord& tolerance, const ForestOptions& options)
{
    const LayerTable& layers = campaign.header.layers;
    std::vector<LayerCriticality> map;
    if (tolerance.trained)
    {
        const Forest forest = Forest::from_record(tolerance.trees, kFaultFeatures);
        for (std::size_t l = 0; l < layers.size(); ++l)
        {
            map.push_back(predict_layer(forest, layers, l, weights[l], options.threads, options.stop));
        }
        return map;
    }
    const bool critical = tolerance.critical > tolerance.rows - tolerance.critical;
    log_warning("forest: no forest for a tolerance of {:.2f} %: the map takes every bit as {}",
                100 * tolerance.tolerance, critical ? "critical" : "acceptable");
    for (std::size_t l = 0; l < layers.size(); ++l)
        map.push_back(constant_layer(layers, l, critical ? 255 : 0));
    return map;
}

}  // namespace

ForestRecord analyse_campaign(const CampaignRecord& campaign, const std::vector<LayerWeights>& weights,
                              const ForestOptions& options, FitStore* store)
{
    check_campaign(campaign);
    const std::string obstacle = why_not_learnt(campaign.header);
    FS_CHECK(DataError, obstacle.empty(), "campaign: {}", obstacle);
    check_options(campaign, options);
    const LayerTable& layers = campaign.header.layers;
    FS_CHECK(DataError, weights.size() == layers.size(),
             "the model has {} injectable layers, the campaign {}: not the same network", weights.size(),
             layers.size());

    Stage stage(campaign, options, store);
    ForestRecord forest;
    forest.provenance.seed = options.seed;
    forest.campaign_sha256 = campaign.header.provenance.stage_sha256;
    forest.kind = options.kind;
    forest.sampling = options.kind == "brf" ? options.sampling : "";
    forest.trees = options.trees;
    forest.folds = options.folds;
    forest.test_share = options.test_share;
    forest.features = stage.table().names;
    forest.tolerance = options.tolerance;

    // Critical sets of growing tolerances are nested: as many critical faults means the same ones.
    std::map<std::uint64_t, Judged> by_critical;
    for (const double tolerance : options.tolerances)
    {
        const std::vector<std::uint8_t> labels = critical_labels(campaign.outcomes, tolerance);
        const auto critical =
            static_cast<std::uint64_t>(std::count(labels.begin(), labels.end(), std::uint8_t{1}));
        auto found = by_critical.find(critical);
        if (found == by_critical.end())
        {
            found = by_critical.emplace(critical, stage.judge(tolerance, labels, critical)).first;
        }
        forest.tolerances.push_back(found->second.record);
        forest.tolerances.back().tolerance = tolerance;
        if (tolerance == options.tolerance && forest.criticality.empty())
        {
            forest.roc = roc_curve(found->second.test_scores);
            forest.criticality = map_network(campaign, weights, forest.tolerances.back(), options);
        }
    }
    return forest;
}

}  // namespace flipstorm
