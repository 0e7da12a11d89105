#include "analysis/train_forest.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "analysis/calibration.hpp"
#include "analysis/campaign_check.hpp"
#include "analysis/estimates.hpp"
#include "analysis/fault_population.hpp"
#include "analysis/permutation_importance.hpp"
#include "analysis/share_table.hpp"
#include "analysis/split.hpp"
#include "engine/base/error.hpp"
#include "engine/base/log.hpp"
#include "engine/base/tolerance.hpp"

namespace flipstorm
{
namespace
{

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// What a model says of rows, cell by cell. Columns of equal length.
struct ScoredCells
{
    std::vector<std::uint32_t> cell;
    std::vector<ScoredCounts> counts;
};

template<class Predict>
ScoredCells score_rows(const FeatureTable& table, const std::vector<std::uint8_t>& labels,
                       const std::vector<std::uint32_t>& rows, const Predict& predict)
{
    std::vector<ScoredCounts> by_cell(table.cells());
    for (const std::uint32_t row : rows)
    {
        ScoredCounts& cell = by_cell[table.cell[row]];
        ++(labels[row] != 0 ? cell.critical : cell.acceptable);
    }
    ScoredCells scored;
    for (std::size_t c = 0; c < by_cell.size(); ++c)
    {
        if (by_cell[c].acceptable + by_cell[c].critical == 0) continue;
        scored.cell.push_back(static_cast<std::uint32_t>(c));
        scored.counts.push_back(by_cell[c]);
    }
    const std::vector<double> scores = predict(scored.cell);
    for (std::size_t i = 0; i < scores.size(); ++i)
        scored.counts[i].score = scores[i];
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

bool is_forest(const std::string& kind)
{
    return kind != kBaselineKind;
}

/// Dearer kinds first.
int cost_rank(const std::string& kind)
{
    return kind == "rf" ? 0 : kind == "brf" ? 1 : 2;
}

/// Whether rows of both classes are among them.
bool has_both(const std::vector<std::uint8_t>& labels, const std::vector<std::uint32_t>& rows)
{
    const auto critical =
        std::count_if(rows.begin(), rows.end(), [&labels](std::uint32_t row) { return labels[row] != 0; });
    return critical > 0 && critical < static_cast<std::ptrdiff_t>(rows.size());
}

void check_options(const CampaignRecord& campaign, const ForestOptions& options)
{
    FS_CHECK(JobError, !options.kinds.empty(),
             "forest.kind is empty; give at least one of brf, rf and table");
    for (auto kind = options.kinds.begin(); kind != options.kinds.end(); ++kind)
    {
        FS_CHECK(JobError, std::find(options.kinds.begin(), kind, *kind) == kind,
                 "forest.kind has \"{}\" twice", *kind);
        if (is_forest(*kind)) static_cast<void>(bag_of(*kind, options.sampling));
    }
    FS_CHECK(JobError, !options.tolerances.empty(), "forest.tolerances is empty; give at least one");
    FS_CHECK(JobError,
             std::find(options.tolerances.begin(), options.tolerances.end(), options.tolerance) !=
                 options.tolerances.end(),
             "the criticality map is asked for at a tolerance of {}, which is not among forest.tolerances",
             options.tolerance);
    FS_CHECK(JobError, options.folds == 0 || options.folds >= 2,
             "forest.folds = {}; 0 (none) or at least 2 would be right", options.folds);
    FS_CHECK(JobError, options.splits >= 1, "forest.splits = {}; at least 1 would be right", options.splits);
    FS_CHECK(JobError,
             options.max_missed >= 0 && options.max_missed < 1 && options.max_missed_confidence > 0 &&
                 options.max_missed_confidence < 1,
             "forest.max_missed = {} with a confidence of {}; shares below 1 would be right",
             options.max_missed, options.max_missed_confidence);
    FS_CHECK(JobError, options.test_share > 0 && options.test_share < 1,
             "forest.test_share = {}; above 0 and below 1 would be right", options.test_share);
    for (const double tolerance : options.tolerances)
    {
        for (std::size_t row = 0; row < campaign.faults.size(); ++row)
        {
            const double drop = campaign.outcomes.drop[row];
            FS_CHECK(DataError, campaign.outcomes.stopped[row] == 0 || exceeds(drop, tolerance),
                     "the campaign stopped fault {} once its drop exceeded {}; whether it exceeds {} is "
                     "not known: ask for tolerances of the campaign",
                     row, drop, tolerance);
        }
    }
}

}  // namespace

CampaignForests::CampaignForests(const CampaignRecord& campaign, ForestOptions options,
                                 FaultFeatures features)
    : campaign_(campaign), options_(std::move(options)), features_(std::move(features))
{
    check_campaign(campaign);
    const std::string obstacle = why_not_learnt(campaign.header);
    FS_CHECK(DataError, obstacle.empty(), "campaign: {}", obstacle);
    check_options(campaign, options_);
    if (std::find(options_.kinds.begin(), options_.kinds.end(), kBaselineKind) == options_.kinds.end())
        options_.kinds.emplace_back(kBaselineKind);
    table_ = features_.table(campaign.faults);
    weight_ = fault_weights(campaign);

    for (const double tolerance : options_.tolerances)
    {
        const std::vector<std::uint8_t> labels = labels_for(tolerance);
        LabelSet set;
        set.tolerance = tolerance;
        set.rows = labels.size();
        set.critical = static_cast<std::uint64_t>(std::count(labels.begin(), labels.end(), std::uint8_t{1}));
        const std::uint64_t members = std::min(set.critical, set.rows - set.critical);
        set.trainable = members >= 2;
        // Critical sets of growing tolerances are nested: as many critical faults means the same ones.
        const bool known = std::any_of(sets_.begin(), sets_.end(), [&set](const LabelSet& other) {
            return other.critical == set.critical;
        });
        if (known)
        {
            sets_.push_back(labels_of(set.critical));
            continue;
        }
        const auto folds_of = [this](std::uint64_t most) {
            const auto folds = static_cast<std::int32_t>(
                std::min<std::uint64_t>(static_cast<std::uint64_t>(options_.folds), most));
            return folds >= 2 ? folds : 0;
        };
        if (set.trainable)
        {
            set.folds = folds_of(members);
            set.grouped_folds = folds_of(std::min(cells_of(table_, labels, 0), cells_of(table_, labels, 1)));
        }
        sets_.push_back(set);
    }
}

std::vector<std::uint8_t> CampaignForests::labels_for(double tolerance) const
{
    return critical_labels(campaign_.outcomes, tolerance);
}

const CampaignForests::LabelSet& CampaignForests::labels_of(std::uint64_t critical) const
{
    const auto set = std::find_if(sets_.begin(), sets_.end(), [critical](const LabelSet& candidate) {
        return candidate.critical == critical;
    });
    FS_REQUIRE(set != sets_.end(), "no tolerance has {} critical faults", critical);
    return *set;
}

const CampaignForests::LabelSet& CampaignForests::map_labels() const
{
    const auto place = std::find(options_.tolerances.begin(), options_.tolerances.end(), options_.tolerance);
    return sets_[static_cast<std::size_t>(place - options_.tolerances.begin())];
}

std::vector<std::uint32_t> CampaignForests::streams(const LabelSet& labels) const
{
    const auto folds = static_cast<std::uint32_t>(options_.folds);
    std::vector<std::uint32_t> streams{0};
    for (std::uint32_t fold = 0; fold < static_cast<std::uint32_t>(labels.folds); ++fold)
        streams.push_back(1 + fold);
    for (std::uint32_t fold = 0; fold < static_cast<std::uint32_t>(labels.grouped_folds); ++fold)
        streams.push_back(1 + folds + fold);
    for (std::uint32_t split = 1; split < static_cast<std::uint32_t>(options_.splits); ++split)
        streams.push_back(2 * folds + split);
    return streams;
}

std::vector<FitKey> CampaignForests::fits() const
{
    std::vector<FitKey> keys;
    for (auto set = sets_.begin(); set != sets_.end(); ++set)
    {
        if (!set->trainable || &labels_of(set->critical) != &*set) continue;
        for (const std::string& kind : options_.kinds)
        {
            for (const std::uint32_t stream : streams(*set))
                keys.push_back({kind, set->critical, stream});
        }
    }
    std::stable_sort(keys.begin(), keys.end(), [](const FitKey& a, const FitKey& b) {
        return std::make_pair(cost_rank(a.kind), ~a.critical) <
               std::make_pair(cost_rank(b.kind), ~b.critical);
    });
    return keys;
}

void CampaignForests::take_up(const LabelSet& labels)
{
    if (taken_up_ == labels.critical) return;
    labels_ = labels_for(labels.tolerance);
    stratified_.reset();
    grouped_.reset();
    taken_up_ = labels.critical;
}

const std::vector<std::int32_t>& CampaignForests::fold_of_row(const LabelSet& labels, bool grouped)
{
    std::optional<std::vector<std::int32_t>>& kept = grouped ? grouped_ : stratified_;
    if (!kept)
    {
        kept = grouped ? grouped_folds(table_.cell, labels_, labels.grouped_folds, options_.seed)
                       : stratified_folds(labels_, labels.folds, options_.seed);
    }
    return *kept;
}

FitResult CampaignForests::fit(const FitKey& key)
{
    stop_if_asked(options_.stop);
    const LabelSet& labels = labels_of(key.critical);
    take_up(labels);
    const auto folds = static_cast<std::uint32_t>(options_.folds);
    TrainTest rows;
    if (key.stream == 0 || key.stream > 2 * folds)
    {
        // Other splits of the same seed: far from the seeds that people choose.
        constexpr std::uint64_t kApart = 0x9E3779B97F4A7C15U;
        const std::uint64_t split = key.stream == 0 ? 0 : key.stream - 2 * folds;
        rows = stratified_split(labels_, options_.test_share, options_.seed + split * kApart);
    }
    else
    {
        const bool grouped = key.stream > folds;
        rows = fold_split(fold_of_row(labels, grouped),
                          static_cast<std::int32_t>(key.stream - 1 - (grouped ? folds : 0)));
    }
    if (!has_both(labels_, rows.train)) return {};
    return judge(key.kind, rows.train, rows.test, key.stream);
}

FitResult CampaignForests::judge(const std::string& kind, const std::vector<std::uint32_t>& train,
                                 const std::vector<std::uint32_t>& test, std::uint32_t stream) const
{
    const bool first_split = stream == 0;
    FitResult fit;
    ScoredCells scored;
    if (is_forest(kind))
    {
        ForestSettings settings;
        settings.bag = bag_of(kind, options_.sampling);
        settings.trees = options_.trees;
        settings.seed = options_.seed;
        settings.stream = stream;
        settings.threads = options_.threads;
        settings.stop = options_.stop;
        const Forest forest = Forest::train(table_, labels_, train, settings);
        scored = score_rows(table_, labels_, test, [&](const std::vector<std::uint32_t>& cells) {
            return forest.predict(table_, cells, options_.threads, options_.stop);
        });
        if (first_split)
        {
            fit.importance = forest.importance();
            fit.importance_error = forest.importance_error();
            if (kind == options_.kinds.front() && taken_up_ == map_labels().critical &&
                has_both(labels_, test))
            {
                fit.permutation_importance = permutation_importance(
                    forest, table_, labels_, test, options_.seed, options_.threads, options_.stop);
            }
            if (kind == options_.kinds.front()) fit.trees = forest.record();
        }
    }
    else
    {
        const ShareTable shares(table_, labels_, train);
        scored = score_rows(table_, labels_, test, [&](const std::vector<std::uint32_t>& cells) {
            return shares.predict(table_, cells);
        });
        fit.importance.assign(first_split ? table_.features() : 0, kNaN);
        fit.importance_error = fit.importance;
    }
    fit.scores = scores_of(scored.counts);
    const bool in_fold = !first_split && stream <= static_cast<std::uint32_t>(options_.folds);
    if (in_fold || (first_split && options_.folds == 0))
    {
        std::vector<std::uint8_t> level_of_cell(table_.cells());
        for (std::size_t i = 0; i < scored.cell.size(); ++i)
            level_of_cell[scored.cell[i]] = predicted_level_of(scored.counts[i].score);
        fit.levels = count_levels(test, level_of_cell, labels_);
    }
    if (first_split)
    {
        fit.confusion = confusion_percent(scored.counts);
        if (kind == options_.kinds.front() && taken_up_ == map_labels().critical)
            fit.held_out = std::move(scored.counts);
    }
    return fit;
}

LevelCounts CampaignForests::count_levels(const std::vector<std::uint32_t>& rows,
                                          const std::vector<std::uint8_t>& level_of_cell,
                                          const std::vector<std::uint8_t>& labels) const
{
    LevelCounts counts = LevelCounts::zeros();
    for (const std::uint32_t row : rows)
    {
        if (!flips_its_bit(campaign_.faults, row)) continue;
        const std::size_t level = level_of_cell[table_.cell[row]];
        counts.add(level, labels[row] != 0, weight_[row]);
    }
    return counts;
}

ToleranceRecord CampaignForests::record(const std::string& kind, double tolerance, const LabelSet& labels,
                                        const std::function<FitResult(const FitKey&)>& result,
                                        FitResult& first_split) const
{
    ToleranceRecord record;
    record.tolerance = tolerance;
    record.rows = labels.rows;
    record.critical = labels.critical;
    record.trained = labels.trainable;
    record.folds.resize(static_cast<std::size_t>(options_.folds));
    record.grouped_folds.resize(static_cast<std::size_t>(options_.folds));
    record.splits.resize(static_cast<std::size_t>(options_.splits));
    record.confusion = {kNaN, kNaN, kNaN, kNaN};
    record.importance.assign(table_.features(), kNaN);
    record.importance_error = record.importance;
    record.levels = LevelCounts::zeros();
    if (!labels.trainable)
    {
        // As if every bit were predicted to be of the more frequent class.
        const bool critical = record.critical > record.rows - record.critical;
        std::vector<std::uint32_t> rows(table_.rows());
        std::iota(rows.begin(), rows.end(), 0U);
        record.levels = count_levels(rows, std::vector<std::uint8_t>(table_.cells(), critical ? 254 : 1),
                                     labels_for(tolerance));
        return record;
    }
    const auto folds = static_cast<std::uint32_t>(options_.folds);
    for (const std::uint32_t stream : streams(labels))
    {
        FitResult fit = result({kind, labels.critical, stream});
        record.levels.add(fit.levels);
        if (stream == 0)
        {
            record.splits[0] = fit.scores;
            record.confusion = fit.confusion;
            record.importance = std::move(fit.importance);
            record.importance_error = std::move(fit.importance_error);
            record.trees = std::move(fit.trees);
            first_split = std::move(fit);
            continue;
        }
        ScoreRecord& scores = stream <= folds       ? record.folds[stream - 1]
                              : stream <= 2 * folds ? record.grouped_folds[stream - 1 - folds]
                                                    : record.splits[stream - 2 * folds];
        scores = fit.scores;
    }
    return record;
}

std::vector<LayerCriticality> CampaignForests::map_network(const std::vector<LayerWeights>& weights,
                                                           const ToleranceRecord& tolerance) const
{
    const LayerTable& layers = campaign_.header.layers;
    std::vector<LayerCriticality> map;
    if (!tolerance.trained)
    {
        const bool critical = tolerance.critical > tolerance.rows - tolerance.critical;
        log_warning("forest: no forest for a tolerance of {:.2f} %: the map takes every bit as {}",
                    100 * options_.tolerance, critical ? "critical" : "acceptable");
        for (std::size_t l = 0; l < layers.size(); ++l)
            map.push_back(constant_layer(layers, l, critical ? 255 : 0));
        return map;
    }
    if (is_forest(options_.kinds.front()))
    {
        const Forest forest = Forest::from_record(tolerance.trees, features_.size());
        for (std::size_t l = 0; l < layers.size(); ++l)
            map.push_back(
                predict_layer(forest, features_, layers, l, weights[l], options_.threads, options_.stop));
        return map;
    }
    const std::vector<std::uint8_t> labels = labels_for(tolerance.tolerance);
    const ShareTable shares(table_, labels,
                            stratified_split(labels, options_.test_share, options_.seed).train);
    for (std::size_t l = 0; l < layers.size(); ++l)
        map.push_back(predict_layer(shares, layers, l));
    return map;
}

void CampaignForests::add_levels(ForestRecord& forest, const ToleranceRecord& tolerance) const
{
    forest.calibration = calibrate(tolerance.levels);
    if (options_.max_missed > 0)
    {
        forest.threshold =
            choose_threshold(tolerance.levels, options_.max_missed, options_.max_missed_confidence);
        const bool confirmed = level_of_threshold(forest.threshold) > 1;
        if (!confirmed)
        {
            log_warning(
                "forest: {} critical faults cannot show that any threshold misses at most {} % of the "
                "critical ones (confidence {} %); harden chooses as without forest.max_missed",
                tolerance.critical, 100 * options_.max_missed, 100 * options_.max_missed_confidence);
        }
        else
        {
            log_info(
                "forest: bits with a vote of {:.4f} or more count as critical: at most {} % of the "
                "critical ones are missed (confidence {} %)",
                forest.threshold, 100 * options_.max_missed, 100 * options_.max_missed_confidence);
        }
    }
    for (LayerCriticality& layer : forest.criticality)
    {
        layer.level.resize(layer.probability.size());
        std::transform(layer.probability.begin(), layer.probability.end(), layer.level.begin(),
                       predicted_level);
    }
    const std::vector<std::uint8_t> labels = labels_for(options_.tolerance);
    const FaultTable& faults = campaign_.faults;
    for (std::size_t row = 0; row < faults.size(); ++row)
    {
        if (!flips_its_bit(faults, row)) continue;
        LayerCriticality& layer = forest.criticality[static_cast<std::size_t>(faults.layer[row])];
        layer.level[faults.parameter[row] * static_cast<std::uint64_t>(layer.bits) + faults.bit[row]] =
            labels[row] != 0 ? kMeasuredCritical : kMeasuredAcceptable;
    }
}

ForestRecord CampaignForests::assemble(const std::function<FitResult(const FitKey&)>& result,
                                       const std::vector<LayerWeights>& weights) const
{
    const LayerTable& layers = campaign_.header.layers;
    FS_CHECK(DataError, weights.size() == layers.size(),
             "the model has {} injectable layers, the campaign {}: not the same network", weights.size(),
             layers.size());
    ForestRecord forest;
    forest.provenance.seed = options_.seed;
    forest.campaign_sha256 = campaign_.header.provenance.stage_sha256;
    forest.kind = options_.kinds.front();
    const bool balanced =
        std::find(options_.kinds.begin(), options_.kinds.end(), "brf") != options_.kinds.end();
    forest.sampling = balanced ? options_.sampling : "";
    forest.trees = options_.trees;
    forest.folds = options_.folds;
    forest.splits = options_.splits;
    forest.test_share = options_.test_share;
    forest.features = table_.names;
    forest.tolerance = options_.tolerance;
    const LabelSet& of_map = map_labels();
    for (const std::string& kind : options_.kinds)
    {
        const bool first = kind == forest.kind;
        if (!first) forest.compare.push_back({kind, {}});
        std::vector<ToleranceRecord>& records = first ? forest.tolerances : forest.compare.back().tolerances;
        for (std::size_t t = 0; t < sets_.size(); ++t)
        {
            const auto same = std::find_if(records.begin(), records.end(), [&](const ToleranceRecord& other) {
                return other.critical == sets_[t].critical;
            });
            if (same != records.end())
            {
                records.push_back(ToleranceRecord(*same));
                records.back().tolerance = options_.tolerances[t];
                continue;
            }
            FitResult first_split;
            records.push_back(record(kind, options_.tolerances[t], sets_[t], result, first_split));
            ToleranceRecord& made = records.back();
            if (first && made.critical == of_map.critical)
            {
                forest.roc = roc_curve(std::move(first_split.held_out));
                forest.permutation_importance = std::move(first_split.permutation_importance);
                forest.criticality = map_network(weights, made);
                add_levels(forest, made);
            }
            if (!made.trained)
            {
                if (!first) continue;
                log_warning(
                    "forest: for a tolerance of {:.2f} %, {} of {} faults are critical; a forest needs two "
                    "of each class, so none is trained",
                    100 * made.tolerance, made.critical, made.rows);
                continue;
            }
            log_info(
                "{}: tolerance {:.2f} %: {} of {} faults critical; ROC AUC {:.4f} ({} folds), {:.4f} "
                "(cells kept together), {:.4f} (held out)",
                is_forest(kind) ? fmt::format("forest ({})", kind) : "table of shares", 100 * made.tolerance,
                made.critical, made.rows, mean_of_known(made.folds, &ScoreRecord::auc), options_.folds,
                mean_of_known(made.grouped_folds, &ScoreRecord::auc), made.test().auc);
        }
    }
    return forest;
}

ForestRecord analyse_campaign(const CampaignRecord& campaign, const std::vector<LayerWeights>& weights,
                              const ForestOptions& options, FitStore* store, FaultFeatures features)
{
    CampaignForests forests(campaign, options, std::move(features));
    std::map<FitKey, FitResult> results;
    for (const FitKey& key : forests.fits())
    {
        std::optional<FitResult> kept = store != nullptr ? store->find(key) : std::nullopt;
        if (!kept)
        {
            kept = forests.fit(key);
            if (store != nullptr) store->keep(key, *kept);
        }
        results[key] = std::move(*kept);
    }
    return forests.assemble([&results](const FitKey& key) { return std::move(results.at(key)); }, weights);
}

}  // namespace flipstorm
