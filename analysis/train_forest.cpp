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
                                     const std::vector<std::uint32_t>& rows, int threads)
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
    const std::vector<double> scores = forest.predict(table, cells, threads);
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
    Stage(const CampaignRecord& campaign, const ForestOptions& options)
        : options_(options), table_(campaign_features(campaign.faults))
    {
        settings_.bag = bag_of(options.kind, options.sampling);
        settings_.trees = options.trees;
        settings_.seed = options.seed;
        settings_.threads = options.threads;
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
            cross_validate(labels, std::min(critical, acceptable), false, record.auc_folds);
            cross_validate(labels, std::min(cells_of(table_, labels, 0), cells_of(table_, labels, 1)), true,
                           record.auc_grouped_folds);
        }

        const TrainTest split = stratified_split(labels, options_.test_share, options_.seed);
        const Forest forest = train(labels, split.train, 0);
        judged.test_scores = score_rows(forest, table_, labels, split.test, options_.threads);
        record.auc_test = roc_auc(judged.test_scores);
        record.confusion = confusion_percent(judged.test_scores);
        record.importance = forest.importance();
        record.trees = forest.record();
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
    Forest train(const std::vector<std::uint8_t>& labels, const std::vector<std::uint32_t>& rows,
                 std::uint32_t stream)
    {
        ForestSettings settings = settings_;
        settings.stream = stream;
        return Forest::train(table_, labels, rows, settings);
    }

    /// Fill `auc` with the score of each fold; `members` is the size of the smaller class.
    void cross_validate(const std::vector<std::uint8_t>& labels, std::uint64_t members, bool grouped,
                        std::vector<double>& auc)
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
            const auto critical = static_cast<std::size_t>(critical_in(split.train));
            if (critical == 0 || critical == split.train.size()) continue;
            // Stream 0 is the recorded forest's.
            const std::int32_t stream = 1 + fold + (grouped ? options_.folds : 0);
            const Forest forest = train(labels, split.train, static_cast<std::uint32_t>(stream));
            auc[static_cast<std::size_t>(fold)] =
                roc_auc(score_rows(forest, table_, labels, split.test, options_.threads));
        }
    }

    const ForestOptions& options_;
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
            map.push_back(predict_layer(forest, layers, l, weights[l], options.threads));
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
                              const ForestOptions& options)
{
    check_campaign(campaign);
    const std::string obstacle = why_not_learnt(campaign.header);
    FS_CHECK(DataError, obstacle.empty(), "campaign: {}", obstacle);
    check_options(campaign, options);
    const LayerTable& layers = campaign.header.layers;
    FS_CHECK(DataError, weights.size() == layers.size(),
             "the model has {} injectable layers, the campaign {}: not the same network", weights.size(),
             layers.size());

    Stage stage(campaign, options);
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
