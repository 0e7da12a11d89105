#include "analysis/tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "analysis/estimates.hpp"
#include "analysis/metrics.hpp"
#include "engine/base/statistics.hpp"

namespace flipstorm
{
namespace
{

/// A small share in percent, two digits.
std::string percent_text(double share)
{
    return fmt::format("{:.2g}", 100 * share);
}

std::vector<std::string> share_cells(const ShareEstimate& estimate)
{
    return {format_percent(estimate.share, 3), format_percent(estimate.low, 3),
            format_percent(estimate.high, 3), format_count(estimate.hits), format_count(estimate.faults)};
}

/// "1.771 [1.652, 1.899]", percent; "-" for NaN.
std::string share_with_interval(const ShareEstimate& estimate)
{
    if (std::isnan(estimate.share)) return "-";
    return fmt::format("{} [{}, {}]", format_percent(estimate.share, 3), format_percent(estimate.low, 3),
                       format_percent(estimate.high, 3));
}

std::string highest_of(const CampaignRecord& campaign)
{
    return campaign.header.upset_bits > 1 ? " (highest of a fault)" : "";
}

/// Whether any fault of the campaign's population has this bit as its highest.
bool has_faults(const ShareEstimate& of_bit)
{
    return of_bit.covered > 0 || of_bit.faults > 0;
}

/// One row per part, one column per tolerance; parts in `order`.
ResultTable by_tolerance(const CampaignRecord& campaign, const std::string& head,
                         const std::vector<std::pair<std::string, std::size_t>>& parts,
                         const std::vector<ShareEstimate> CriticalShare::*shares)
{
    ResultTable table;
    table.title = fmt::format("Critical faults by {} and tolerated drop, % [95 % interval]", head);
    table.columns = {head};
    for (const auto& [name, index] : parts)
        table.rows.push_back({name});
    for (const double tolerance : campaign.header.tolerances)
    {
        table.columns.push_back(format_percent(tolerance) + " %");
        const CriticalShare share = estimate_critical_share(campaign, tolerance);
        for (std::size_t row = 0; row < parts.size(); ++row)
            table.rows[row].push_back(share_with_interval((share.*shares)[parts[row].second]));
    }
    return table;
}

std::vector<std::string> joined(std::vector<std::string> first, const std::vector<std::string>& second)
{
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

}  // namespace

ResultTable critical_share_table(const CampaignRecord& campaign)
{
    ResultTable table;
    table.title = "Table I: fault injection results";
    table.columns = {"tolerated drop %", "acceptable %",    "critical %", "95 % low",
                     "95 % high",        "critical faults", "faults"};
    table.note =
        "Share of all faults of the network that are critical, strata reweighted by population; Wilson "
        "interval with the fault as sampling unit, Clopper and Pearson's for fewer than 5 faults of a kind.";
    table.text_columns = 0;
    for (const double tolerance : campaign.header.tolerances)
    {
        const CriticalShare share = estimate_critical_share(campaign, tolerance);
        table.rows.push_back(joined({format_percent(tolerance), format_percent(1 - share.network.share, 3)},
                                    share_cells(share.network)));
    }
    return table;
}

ResultTable layer_share_table(const CampaignRecord& campaign, double tolerance)
{
    const LayerTable& layers = campaign.header.layers;
    const CriticalShare share = estimate_critical_share(campaign, tolerance);
    ResultTable table;
    table.title = fmt::format("Critical faults by layer, tolerated drop {} %", format_percent(tolerance));
    table.columns = {"layer",    "weights",   "word bits",       "critical %",
                     "95 % low", "95 % high", "critical faults", "faults"};
    for (std::size_t l = 0; l < layers.size(); ++l)
    {
        if (layers.injected[l] == 0) continue;
        table.rows.push_back(
            joined({layers.name[l], format_count(layers.weights[l]), std::to_string(layers.word_bits[l])},
                   share_cells(share.layers[l])));
    }
    return table;
}

ResultTable bit_share_table(const CampaignRecord& campaign, double tolerance)
{
    const CriticalShare share = estimate_critical_share(campaign, tolerance);
    ResultTable table;
    table.title = fmt::format("Critical faults by bit position{}, tolerated drop {} %", highest_of(campaign),
                              format_percent(tolerance));
    table.columns = {"bit", "critical %", "95 % low", "95 % high", "critical faults", "faults"};
    table.text_columns = 0;
    for (std::size_t b = share.bits.size(); b-- > 0;)
    {
        if (has_faults(share.bits[b]))
            table.rows.push_back(joined({std::to_string(b)}, share_cells(share.bits[b])));
    }
    return table;
}

ResultTable layers_by_tolerance_table(const CampaignRecord& campaign)
{
    const LayerTable& layers = campaign.header.layers;
    std::vector<std::pair<std::string, std::size_t>> parts;
    for (std::size_t l = 0; l < layers.size(); ++l)
    {
        if (layers.injected[l] != 0) parts.emplace_back(layers.name[l], l);
    }
    return by_tolerance(campaign, "layer", parts, &CriticalShare::layers);
}

ResultTable bits_by_tolerance_table(const CampaignRecord& campaign)
{
    const CriticalShare share = estimate_critical_share(campaign, campaign.header.tolerances.front());
    std::vector<std::pair<std::string, std::size_t>> parts;
    for (std::size_t b = share.bits.size(); b-- > 0;)
    {
        if (has_faults(share.bits[b])) parts.emplace_back(std::to_string(b), b);
    }
    return by_tolerance(campaign, "bit", parts, &CriticalShare::bits);
}

ResultTable layer_bit_table(const CampaignRecord& campaign, double tolerance)
{
    const LayerTable& layers = campaign.header.layers;
    const CriticalShare share = estimate_critical_share(campaign, tolerance);
    ResultTable table;
    table.title = fmt::format("Critical faults by bit position{} and layer, %, tolerated drop {} %",
                              highest_of(campaign), format_percent(tolerance));
    table.columns = {"bit"};
    table.text_columns = 0;
    for (std::size_t l = 0; l < layers.size(); ++l)
    {
        if (layers.injected[l] != 0) table.columns.push_back(layers.name[l]);
    }
    for (std::size_t b = share.bits.size(); b-- > 0;)
    {
        if (!has_faults(share.bits[b])) continue;
        auto& row = table.rows.emplace_back(1, std::to_string(b));
        for (std::size_t l = 0; l < layers.size(); ++l)
        {
            if (layers.injected[l] == 0) continue;
            const auto& cells = share.cells[l];
            row.push_back(b < cells.size() ? format_percent(cells[b].share) : "-");
        }
    }
    table.note = "'-': no fault of the sample fell there.";
    return table;
}

std::string screen_verdict(const ScreenTable& trials, std::size_t row)
{
    constexpr std::uint8_t kAuditedMore = 1;
    if (trials.kept.at(row) == 1) return "kept";
    const bool again = row + 1 < trials.size() && trials.level[row + 1] == kAuditedMore;
    return again ? "audit too small" : "given up";
}

ResultTable screen_table(const CampaignRecord& campaign)
{
    constexpr std::array kLevels = {"as asked", "audited more", "tightened", "exact"};
    const ScreenTable& trials = campaign.header.screen.trials;
    ResultTable table;
    table.title = "Screened evaluation by layer";
    table.columns = {"layer", "screen",     "verdict", "kappa",     "tau",
                     "pairs", "screened %", "audited", "disagreed", "wrong at most %"};
    table.text_columns = 3;
    table.note = fmt::format(
        "Screened: (fault, image) pairs whose prediction was taken as unchanged to first order. A random "
        "share of them was evaluated all the same; wrong at most: one-sided 95 % Clopper-Pearson bound on "
        "the share of wrong pairs among the screened ones of the layer. A screen with a bound of more than "
        "{} % is audited more or given up, and the layer evaluated again.",
        percent_text(campaign.header.screen.screen_bound));
    for (std::size_t i = 0; i < trials.size(); ++i)
    {
        const bool exact = trials.kappa[i] == 0;
        const auto cell = [exact](const std::string& text) { return exact ? std::string("-") : text; };
        table.rows.push_back({campaign.header.layers.name.at(static_cast<std::size_t>(trials.layer[i])),
                              kLevels.at(trials.level[i]), screen_verdict(trials, i),
                              cell(fmt::format("{:g}", trials.kappa[i])),
                              cell(fmt::format("{:g}", trials.tau[i])), format_count(trials.pairs[i]),
                              cell(format_percent(static_cast<double>(trials.screened[i]) /
                                                  static_cast<double>(trials.pairs[i]))),
                              cell(format_count(trials.audited[i])),
                              cell(format_count(trials.disagreements[i])),
                              cell(percent_text(trials.bound95[i]))});
    }
    return table;
}

namespace
{

std::string describe_model(const std::string& kind, std::int32_t trees)
{
    if (kind == "table") return "critical share by layer and bit";
    return fmt::format("{} of {} trees", kind == "brf" ? "balanced random forest" : "random forest", trees);
}

/// A mean with half its interval, "0.9971 ± 0.0018".
std::string mean_text(const MeanInterval& mean)
{
    if (std::isnan(mean.low)) return format_number(mean.mean, 4);
    return fmt::format("{} ± {}", format_number(mean.mean, 4),
                       format_number(std::max(mean.mean - mean.low, mean.high - mean.mean), 4));
}

}  // namespace

ResultTable models_table(const ForestRecord& forest)
{
    ResultTable table;
    table.title =
        fmt::format("Models beside each other, tolerated drop {} %", format_percent(forest.tolerance));
    table.columns = {"model",  "AUC",       "AUC grouped", "AUC held out", "PR AUC", "balanced accuracy",
                     "recall", "precision", "Brier"};
    table.text_columns = 1;
    table.note = fmt::format(
        "Mean scores and half their 95 % intervals: of {} folds, or as many as there are critical faults; "
        "grouped where faults that look the same are kept in one fold; held out: {} splits. Votes of 0.5 "
        "or more predict critical. Folds and splits share training faults, which the intervals allow for "
        "(Nadeau and Bengio). The table of shares by layer and bit is what a forest must beat.",
        forest.folds, forest.splits);
    const auto add = [&](const std::string& kind, const std::vector<ToleranceRecord>& tolerances) {
        const ToleranceRecord* const judged = trained_record(tolerances, forest.tolerance);
        if (judged == nullptr) return;
        const auto mean = [&](const std::vector<ScoreRecord>& scores, double ScoreRecord::*score) {
            // Few critical faults make few folds.
            const std::vector<double> areas = values_of(scores, &ScoreRecord::auc);
            const auto used =
                std::count_if(areas.begin(), areas.end(), [](double area) { return !std::isnan(area); });
            return mean_text(
                resampled_interval(values_of(scores, score), used > 1 ? 1.0 / static_cast<double>(used) : 0));
        };
        std::vector<std::string> row{
            describe_model(kind, forest.trees), mean(judged->folds, &ScoreRecord::auc),
            mean(judged->grouped_folds, &ScoreRecord::auc),
            mean_text(resampled_interval(values_of(judged->splits, &ScoreRecord::auc), forest.test_share))};
        for (const ScoreColumn& score : score_columns())
        {
            if (score.member != &ScoreRecord::auc) row.push_back(mean(judged->folds, score.member));
        }
        table.rows.push_back(std::move(row));
    };
    add(forest.kind, forest.tolerances);
    for (const ComparedRecord& other : forest.compare)
        add(other.kind, other.tolerances);
    return table;
}

ResultTable validation_table(const ForestRecord& forest)
{
    const ValidationRecord& validation = forest.validation;
    ResultTable table;
    table.title = fmt::format("The map judged by {} other faults, tolerated drop {} %",
                              format_count(validation.faults), format_percent(forest.tolerance));
    table.columns = {"score", "value", "95 % low", "95 % high", "table of shares"};
    table.text_columns = 1;
    table.note = fmt::format(
        "Faults that the campaign did not inject, {} of them critical; each counts for the bits, of those "
        "that were not injected, that it stands for. Flagged: votes of {} or more. The table of shares by "
        "layer and bit, learnt from all faults of the campaign, flags as many bits.",
        format_count(validation.critical), format_number(validation.threshold, 4));
    for (const ValidationScore& score : validation.scores)
    {
        const bool share = score.name != "auc" && score.name != "pr_auc" && score.name != "brier" &&
                           score.name != "balanced_accuracy";
        const auto cell = [share](double value) {
            return share ? format_percent(value, 3) : format_number(value, 5);
        };
        table.rows.push_back({in_words(score.name) + (share ? " %" : ""), cell(score.value), cell(score.low),
                              cell(score.high), cell(score.table)});
    }
    return table;
}

ResultTable forest_table(const ForestRecord& forest)
{
    ResultTable table;
    table.title = "Table II: " + describe_model(forest.kind, forest.trees);
    table.columns = {"tolerated drop %", "critical faults", "AUC folds",
                     "AUC grouped",      "AUC held out",    "acc. → acc. %",
                     "acc. → crit. %",   "crit. → acc. %",  "crit. → crit. %"};
    table.text_columns = 0;
    table.note = fmt::format(
        "AUC folds: mean ROC AUC of {} folds; grouped: faults that look the same to the forest kept in one "
        "fold. The last four columns are shares of the held-out faults ({} %) by true class → predicted "
        "class, acceptable or critical (probability 0.5 or more). '-': too few faults of one class.",
        forest.folds, format_percent(forest.test_share, 0));
    for (const ToleranceRecord& t : forest.tolerances)
    {
        table.rows.push_back({format_percent(t.tolerance), format_count(t.critical),
                              format_number(mean_of_known(t.folds, &ScoreRecord::auc), 4),
                              format_number(mean_of_known(t.grouped_folds, &ScoreRecord::auc), 4),
                              format_number(t.test().auc, 4),
                              format_number(t.confusion.acceptable_acceptable, 2),
                              format_number(t.confusion.acceptable_critical, 2),
                              format_number(t.confusion.critical_acceptable, 2),
                              format_number(t.confusion.critical_critical, 2)});
    }
    return table;
}

ResultTable importance_table(const ForestRecord& forest)
{
    ResultTable table;
    table.title =
        fmt::format("Importance of the features, tolerated drop {} %", format_percent(forest.tolerance));
    table.columns = {"feature", "decrease of impurity %", "loss of AUC when shuffled"};
    table.text_columns = 1;
    table.note = fmt::format(
        "Mean decrease of Gini impurity over the trees, and loss of ROC AUC on held-out faults when the "
        "feature's values are shuffled ({} times); half the 95 % intervals. Features that tell the same "
        "share what they are worth.",
        forest.features.empty() ? 0 : forest.permutation_importance.size() / forest.features.size());
    const ToleranceRecord* const judged = trained_record(forest.tolerances, forest.tolerance);
    if (judged == nullptr || judged->importance_error.size() != forest.features.size() ||
        forest.permutation_importance.empty())
        return table;
    const std::size_t repeats = forest.permutation_importance.size() / forest.features.size();
    for (std::size_t f = 0; f < forest.features.size(); ++f)
    {
        const auto first = forest.permutation_importance.begin() + static_cast<std::ptrdiff_t>(f * repeats);
        const std::vector<double> losses(first, first + static_cast<std::ptrdiff_t>(repeats));
        const MeanInterval loss = mean_interval(losses);
        table.rows.push_back(
            {forest.features[f],
             fmt::format("{} ± {}", format_number(100 * judged->importance[f], 2),
                         format_number(100 * kQuantile95 * judged->importance_error[f], 2)),
             fmt::format("{} ± {}", format_number(loss.mean, 4), format_number(loss.mean - loss.low, 4))});
    }
    return table;
}

}  // namespace flipstorm
