#include "analysis/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "analysis/campaign_check.hpp"
#include "analysis/estimates.hpp"
#include "analysis/metrics.hpp"
#include "analysis/page.hpp"
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

const ToleranceRecord* record_of(const ForestRecord& forest, double tolerance)
{
    const auto found =
        std::find_if(forest.tolerances.begin(), forest.tolerances.end(),
                     [tolerance](const ToleranceRecord& t) { return t.tolerance == tolerance; });
    return found == forest.tolerances.end() ? nullptr : &*found;
}

std::string key_figures(const CampaignRecord& campaign, const ForestRecord& forest,
                        const ProtectionRecord& protection)
{
    const CampaignHeader& header = campaign.header;
    const ShareEstimate share = estimate_critical_share(campaign, forest.tolerance).network;
    const double golden = static_cast<double>(header.golden_correct) / static_cast<double>(header.images);
    std::string html = "<div class=\"cards\">\n";
    html +=
        card(format_percent(golden) + " %", "golden accuracy", format_count(header.images) + " test images");
    html += card(format_count(campaign.faults.size()), "faults injected",
                 fmt::format("{:.0f} per second, {}", header.faults_per_second, header.evaluation));
    html +=
        card(format_percent(share.share, 3) + " %",
             fmt::format("critical at a drop of {} %", format_percent(forest.tolerance)), interval(share));
    const ToleranceRecord* judged = record_of(forest, forest.tolerance);
    if (judged != nullptr && judged->trained)
    {
        html += card(fmt::format("{:.4f}", judged->auc_test), "ROC AUC, held out",
                     fmt::format("{:.4f} over folds", mean_of_known(judged->auc_folds)));
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

/// What a reader must know before trusting the numbers.
std::string limits(const CampaignRecord& campaign, const ForestRecord& forest)
{
    const CampaignHeader& header = campaign.header;
    std::vector<std::string> notes;
    const std::uint64_t planned =
        std::accumulate(header.strata.planned.begin(), header.strata.planned.end(), std::uint64_t{0});
    if (planned > campaign.faults.size())
    {
        notes.push_back(fmt::format(
            "Limited to {} of {} planned faults, on {} images: the intervals are wider than the "
            "error margin of the plan.",
            format_count(campaign.faults.size()), format_count(planned), format_count(header.images)));
    }
    const ShareEstimate share = estimate_critical_share(campaign, forest.tolerance).network;
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
    for (const ToleranceRecord& t : forest.tolerances)
    {
        if (t.trained) continue;
        notes.push_back(fmt::format("No forest for a tolerated drop of {} %: {} of {} faults are critical.",
                                    format_percent(t.tolerance), format_count(t.critical),
                                    format_count(t.rows)));
    }
    if (notes.empty()) return "";
    std::string html = "<ul class=\"notes\">\n";
    for (const std::string& note : notes)
        html += fmt::format("<li>{}</li>\n", escape_html(note));
    return html + "</ul>\n";
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
    const ToleranceRecord* judged = record_of(forest, forest.tolerance);
    if (judged == nullptr || !judged->trained || judged->importance.size() != forest.features.size())
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

std::string provenance(const CampaignRecord& campaign, const ForestRecord& forest,
                       const ProtectionRecord& protection)
{
    const Provenance& p = campaign.header.provenance;
    const std::vector<std::pair<std::string, std::string>> entries{
        {"flipstorm", fmt::format("{} ({})", p.software_version, p.git_sha1)},
        {"libraries", p.libraries},
        {"command line", p.command_line},
        {"campaign written", p.date},
        {"forest written", forest.provenance.date},
        {"protection written", protection.provenance.date},
        {"seed", std::to_string(p.seed)},
        {"job SHA-256", p.job_sha256},
        {"model SHA-256", p.model_sha256},
        {"data set SHA-256", p.dataset_sha256},
        {"campaign digest", p.stage_sha256},
        {"forest digest", forest.provenance.stage_sha256},
        {"protection digest", protection.provenance.stage_sha256},
    };
    std::string html = "<dl>\n";
    for (const auto& [name, value] : entries)
    {
        html += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escape_html(name),
                            escape_html(value.empty() ? "-" : value));
    }
    html += "</dl>\n";
    if (!p.job.empty())
    {
        html += fmt::format("<details><summary>Resolved job file</summary><pre>{}</pre></details>\n",
                            escape_html(p.job));
    }
    return html;
}

}  // namespace

std::string render_report(const CampaignRecord& campaign, const ForestRecord& forest,
                          const ProtectionRecord& protection, const ReportOptions& options)
{
    check_campaign(campaign);
    const CampaignHeader& header = campaign.header;
    std::string html = page_begin(
        options.title,
        fmt::format("Soft-error reliability: statistical injection of single bit flips into the {} of {} "
                    "layers, prediction of criticality, selective protection.",
                    header.target, header.layers.size()));
    html += key_figures(campaign, forest, protection);
    html += limits(campaign, forest);

    html += "<h2>What is critical</h2>\n";
    html += render_html(critical_share_table(campaign));
    html += render_html(layer_share_table(campaign, forest.tolerance));
    html += figure(options, "criticality", "Critical share by layer and bit position");
    if (header.evaluation == "screened" && header.screen.trials.size() > 0)
    {
        html += render_html(screen_table(campaign));
    }

    html += "<h2>How well it is predicted</h2>\n";
    html += render_html(forest_table(forest));
    html += figure(options, "roc", "ROC curve on the held-out faults");
    html += importance_bars(forest);

    html += "<h2>What protection costs</h2>\n";
    html += render_html(overhead_table(protection));
    html += figure(options, "overhead", "Memory overhead of single-error correction");
    html += render_html(options_table(protection));
    html += expected_upsets(protection, campaign);

    html += "<h2>Where this comes from</h2>\n";
    html += provenance(campaign, forest, protection);
    return html + page_end();
}

}  // namespace flipstorm
