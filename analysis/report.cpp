#include "analysis/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "analysis/campaign_check.hpp"
#include "analysis/estimates.hpp"
#include "analysis/fault_population.hpp"
#include "analysis/golden_check.hpp"
#include "analysis/metrics.hpp"
#include "analysis/page.hpp"
#include "analysis/protection_tables.hpp"
#include "analysis/tables.hpp"

namespace flipstorm
{
namespace
{

std::string interval(const ShareEstimate& estimate)
{
    return fmt::format("95 % interval {} to {} %", format_percent(estimate.low, 3),
                       format_percent(estimate.high, 3));
}

/// The cards of a campaign alone.
std::string campaign_figures(const CampaignRecord& campaign, double tolerance)
{
    const CampaignHeader& header = campaign.header;
    const ShareEstimate share = estimate_critical_share(campaign, tolerance).network;
    const double golden = static_cast<double>(header.golden_correct) / static_cast<double>(header.images);
    std::string html =
        card(format_percent(golden) + " %", "golden accuracy", format_count(header.images) + " test images");
    html += card(format_count(campaign.faults.size()), "faults injected",
                 fmt::format("{:.0f} per second, {}", header.faults_per_second, header.evaluation));
    return html + card(format_percent(share.share, 3) + " %",
                       fmt::format("critical at a drop of {} %", format_percent(tolerance)), interval(share));
}

std::string key_figures(const CampaignRecord& campaign, const ForestRecord& forest,
                        const ProtectionRecord& protection)
{
    std::string html = "<div class=\"cards\">\n" + campaign_figures(campaign, forest.tolerance);
    const ToleranceRecord* judged = trained_record(forest.tolerances, forest.tolerance);
    if (judged != nullptr)
    {
        html += card(fmt::format("{:.4f}", judged->test().auc), "ROC AUC, held out",
                     fmt::format("{:.4f} over folds", mean_of_known(judged->folds, &ScoreRecord::auc)));
    }
    if (protection.chosen >= 0)
    {
        const ProtectionOption& chosen = protection.options[static_cast<std::size_t>(protection.chosen)];
        html += card(
            fmt::format("{:.3f} %", chosen.total_overhead), "memory overhead, chosen scheme",
            fmt::format("{}; {:.3f} % on all parameters", chosen.scheme, protection.overhead.all_parameters));
        html +=
            card(format_percent(chosen.measured_residual, 4) + " %", "upsets left critical",
                 fmt::format("95 % interval {} to {} %, on held-out faults; {} % predicted",
                             format_percent(chosen.measured_low, 4), format_percent(chosen.measured_high, 4),
                             format_percent(chosen.predicted_residual, 4)));
    }
    return html + "</div>\n";
}

/// What a reader must know before trusting the numbers of a campaign.
std::vector<std::string> campaign_limits(const CampaignRecord& campaign, double tolerance)
{
    const CampaignHeader& header = campaign.header;
    std::vector<std::string> notes;
    const std::uint64_t planned =
        std::accumulate(header.strata.planned.begin(), header.strata.planned.end(), std::uint64_t{0});
    std::uint64_t short_of = 0;
    for (std::size_t s = 0; s < header.strata.size(); ++s)
    {
        const std::uint64_t wanted = header.strata.planned[s];
        short_of += wanted - std::min(wanted, header.strata.evaluated[s]);
    }
    if (short_of > 0)
    {
        notes.push_back(fmt::format(
            "Limited to {} of {} planned faults, on {} images: the intervals are wider than the error "
            "margin of the plan.",
            format_count(campaign.faults.size()), format_count(planned), format_count(header.images)));
    }
    const ShareEstimate share = estimate_critical_share(campaign, tolerance).network;
    if (share.covered < 1.0)
    {
        notes.push_back(
            fmt::format("Strata with {} % of all bits have no fault; the estimates speak of the other {} %.",
                        format_percent(1.0 - share.covered), format_percent(share.covered)));
    }
    const ScreenRecord& screen = header.screen;
    if (screen.screened > 0)
    {
        notes.push_back(fmt::format(
            "Screened evaluation: {} % of the (fault, image) pairs were taken as unchanged without running "
            "the network; of {} audited pairs {} disagreed. With 95 % confidence at most {:.2g} % of the "
            "screened pairs of a layer are wrong.",
            format_percent(static_cast<double>(screen.screened) / static_cast<double>(screen.pairs)),
            format_count(screen.audited), format_count(screen.disagreements), 100 * screen.bound95));
    }
    int given_up = 0;
    for (std::size_t row = 0; row < screen.trials.size(); ++row)
        given_up += screen_verdict(screen.trials, row) == "given up" ? 1 : 0;
    if (given_up > 0)
    {
        notes.push_back(fmt::format(
            "{} did not pass the audit (bound above {:.2g} %) and {} given up: those layers were evaluated "
            "again more carefully; see the table of screens.",
            given_up == 1 ? "The screen of one layer" : fmt::format("{} screens of layers", given_up),
            100 * screen.screen_bound, given_up == 1 ? "was" : "were"));
    }
    const auto left_out =
        std::count(header.layers.injected.begin(), header.layers.injected.end(), std::uint8_t{0});
    if (left_out > 0)
    {
        notes.push_back(fmt::format("{} of {} layers were not injected; the shares are those of the others.",
                                    left_out, header.layers.size()));
    }
    return notes;
}

/// The same for a whole job.
std::string limits(const CampaignRecord& campaign, const ForestRecord& forest)
{
    std::vector<std::string> notes = campaign_limits(campaign, forest.tolerance);
    for (const ToleranceRecord& t : forest.tolerances)
    {
        if (t.trained) continue;
        notes.push_back(fmt::format("No forest for a tolerated drop of {} %: {} of {} faults are critical.",
                                    format_percent(t.tolerance), format_count(t.critical),
                                    format_count(t.rows)));
    }
    return page_notes(notes);
}

std::string figure(const ReportOptions& options, const std::string& name, const std::string& caption)
{
    if (std::find(options.figures.begin(), options.figures.end(), name) == options.figures.end()) return "";
    return fmt::format(
        "<figure><figcaption>{}</figcaption><img src=\"figures/{}.png\" alt=\"{}\"></figure>\n", caption,
        name, caption);
}

std::string importance_bars(const ForestRecord& forest)
{
    const ToleranceRecord* judged = trained_record(forest.tolerances, forest.tolerance);
    if (judged == nullptr || judged->importance.size() != forest.features.size() || forest.kind == "table")
        return "";
    std::string html = fmt::format(
        "<figure><figcaption>Importance of the features, tolerated drop {} %</figcaption>\n<div "
        "class=\"bars\">\n",
        format_percent(forest.tolerance));
    for (std::size_t f = 0; f < forest.features.size(); ++f)
    {
        const double share = judged->importance[f];
        html += fmt::format("<span>{}</span><i style=\"width:{:.1f}%\"></i><span>{} %</span>\n",
                            escape_html(forest.features[f]), 100.0 * share, format_percent(share, 1));
    }
    return html + "</div>\n<p class=\"note\">Mean decrease of Gini impurity.</p></figure>\n";
}

/// What the upset probability of the job means for the network's memory.
std::string expected_upsets(const ProtectionRecord& protection, const CampaignRecord& campaign)
{
    if (!(protection.ber > 0) || protection.chosen < 0) return "";
    const LayerTable& layers = campaign.header.layers;
    double bits = 0;
    for (std::size_t l = 0; l < layers.size(); ++l)
    {
        bits += static_cast<double>(layers.weights[l]) * static_cast<double>(layers.word_bits[l]);
    }
    const double critical = estimate_critical_share(campaign, protection.tolerance).network.share;
    const double left = protection.options[static_cast<std::size_t>(protection.chosen)].measured_residual;
    return fmt::format(
        "<p>At an upset probability of {:.3g} per bit, the {} weight bits see {:.3g} upsets on average, "
        "{:.3g} of them critical without protection and {:.3g} with the chosen scheme (single upsets per "
        "code word).</p>\n",
        protection.ber, format_count(static_cast<std::uint64_t>(bits)), protection.ber * bits,
        protection.ber * bits * critical, protection.ber * bits * left);
}

/// Title, and first of all what makes the rest meaningless.
std::string page_head(const CampaignRecord& campaign, const ReportOptions& options, const std::string& stages)
{
    const CampaignHeader& header = campaign.header;
    const auto injected =
        std::count(header.layers.injected.begin(), header.layers.injected.end(), std::uint8_t{1});
    return page_begin(
               options.title,
               fmt::format("Soft-error reliability: statistical injection of {} into the {} of {} layers{}.",
                           describe_upset(header), header.target, injected, stages)) +
           page_notes(golden_warnings(header));
}

std::string folded(const ResultTable& table)
{
    return fmt::format("<details><summary>{}</summary>\n{}</details>\n", escape_html(table.title),
                       render_html(table));
}

std::string what_is_critical(const CampaignRecord& campaign, double tolerance, const ReportOptions& options)
{
    std::string html = "<h2>What is critical</h2>\n";
    html += render_html(critical_share_table(campaign));
    html += render_html(layer_share_table(campaign, tolerance));
    html += figure(options, "criticality", "Critical share by layer and bit position");
    html += folded(bit_share_table(campaign, tolerance));
    html += folded(layer_bit_table(campaign, tolerance));
    html += folded(layers_by_tolerance_table(campaign));
    html += folded(bits_by_tolerance_table(campaign));
    if (campaign.header.evaluation == "screened" && campaign.header.screen.trials.size() > 0)
        html += render_html(screen_table(campaign));
    return html;
}

}  // namespace

std::string render_report(const CampaignRecord& campaign, const ForestRecord& forest,
                          const ProtectionRecord& protection, const ReportOptions& options,
                          const Proof& proof)
{
    check_campaign(campaign);
    std::string html = page_head(campaign, options, ", prediction of criticality, selective protection");
    if (!proof.disagreement.empty()) html += page_notes({proof.disagreement});
    html += key_figures(campaign, forest, protection);
    html += limits(campaign, forest);
    html += what_is_critical(campaign, forest.tolerance, options);

    html += "<h2>How well it is predicted</h2>\n";
    html += render_html(forest_table(forest));
    const ResultTable models = models_table(forest);
    if (!models.rows.empty()) html += render_html(models);
    const ResultTable validation = validation_table(forest);
    if (!validation.rows.empty()) html += render_html(validation);
    html += figure(options, "roc", "ROC curve on the held-out faults");
    html += importance_bars(forest);
    const ResultTable importance = importance_table(forest);
    if (!importance.rows.empty()) html += render_html(importance);

    html += "<h2>What protection costs</h2>\n";
    html += render_html(overhead_table(protection));
    html += figure(options, "overhead", "Memory overhead of single-error correction");
    html += render_html(schemes_table(protection));
    html += figure(options, "pareto", "What protection costs and what it leaves");
    const ResultTable plan = plan_table(protection);
    if (!plan.rows.empty()) html += render_html(plan);
    html += folded(options_table(protection));
    if (!protection.signature_sizes.empty()) html += folded(signature_table(protection));
    if (!proof.tables.empty()) html += "<h2>What upsets of the memory do</h2>\n";
    for (const ResultTable& table : proof.tables)
        html += render_html(table);
    if (!proof.tables.empty()) html += figure(options, "ber", "Accuracy under a bit error rate");
    html += expected_upsets(protection, campaign);

    html += page_provenance(campaign.header.provenance,
                            {{"forest written", forest.provenance.date},
                             {"forest digest", forest.provenance.stage_sha256},
                             {"protection written", protection.provenance.date},
                             {"protection digest", protection.provenance.stage_sha256}});
    return html + page_end();
}

std::string render_campaign_report(const CampaignRecord& campaign, const ReportOptions& options)
{
    check_campaign(campaign);
    const double tolerance = campaign.header.tolerances.front();
    std::string html = page_head(campaign, options, "");
    html += "<div class=\"cards\">\n" + campaign_figures(campaign, tolerance) + "</div>\n";
    std::vector<std::string> notes = campaign_limits(campaign, tolerance);
    const std::string obstacle = why_not_learnt(campaign.header);
    if (!obstacle.empty()) notes.push_back("No forest and no protection: " + obstacle + ".");
    html += page_notes(notes);
    html += what_is_critical(campaign, tolerance, options);
    html += page_provenance(campaign.header.provenance);
    return html + page_end();
}

}  // namespace flipstorm
