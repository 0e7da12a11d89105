#include "analysis/transient_report.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <numeric>

#include "analysis/golden_check.hpp"
#include "analysis/page.hpp"
#include "analysis/transient_estimates.hpp"

namespace flipstorm
{
namespace
{

const std::vector<std::string>& class_columns()
{
    static const std::vector<std::string> columns = {
        "faults", "masked %", "tolerable SDC %", "critical SDC %", "non-finite %",
        "AVF %",  "95 % low", "95 % high",       "regret %",       "±"};
    return columns;
}

std::vector<std::string> class_cells(const Vulnerability& v)
{
    return {format_count(v.faults),
            format_percent(v.masked.share),
            format_percent(v.tolerable.share),
            format_percent(v.critical.share),
            format_percent(v.nonfinite.share),
            format_percent(v.avf.share),
            format_percent(v.avf.low),
            format_percent(v.avf.high),
            format_percent(v.regret),
            format_percent((v.regret_high - v.regret_low) / 2)};
}

std::vector<std::string> row(std::vector<std::string> first, const Vulnerability& v)
{
    for (std::string& cell : class_cells(v))
        first.push_back(std::move(cell));
    return first;
}

std::vector<std::string> columns(std::vector<std::string> first)
{
    first.insert(first.end(), class_columns().begin(), class_columns().end());
    return first;
}

/// "image of its own" or "10 images alike".
std::string struck_text(const TransientHeader& header)
{
    if (header.images_per_fault == header.campaign.images) return "all test images alike";
    if (header.images_per_fault == 1) return "one random image";
    return fmt::format("{} random images alike", format_count(header.images_per_fault));
}

constexpr const char* kClasses =
    "Per inference under a fault: masked: logits bit-identical to golden; tolerable SDC (silent data "
    "corruption): logits differ, top-1 as golden; critical SDC: another top-1; non-finite: a logit is NaN or "
    "infinite. AVF: critical or non-finite, with the Wilson interval for the fault as sampling unit. Regret: "
    "accuracy lost, mean over the inferences, ± half the 95 % interval.";

}  // namespace

ResultTable vulnerability_table(const TransientCampaignRecord& campaign)
{
    const TransientHeader& header = campaign.header;
    ResultTable table;
    table.title = fmt::format("Vulnerability to faults in {}{}", in_words(header.campaign.target),
                              header.instruction.empty() ? "" : " (" + header.instruction + ")");
    table.columns = columns({"layer", "probability %"});
    table.note = kClasses;
    const std::vector<double> probability = layer_probability(campaign);
    const std::vector<Vulnerability> layers = layer_vulnerability(campaign);
    for (std::size_t l = 0; l < layers.size(); ++l)
        table.rows.push_back(
            row({header.campaign.layers.name[l], format_percent(probability[l])}, layers[l]));
    table.rows.push_back(row({"network", format_percent(1)}, network_vulnerability(campaign)));
    table.marked = static_cast<std::ptrdiff_t>(table.rows.size()) - 1;
    return table;
}

std::string geometry_name(std::uint8_t geometry)
{
    constexpr std::array kGeometries = {"single", "row", "column", "line", "block", "channel", "random"};
    return kGeometries.at(geometry);
}

ResultTable fault_kind_table(const TransientCampaignRecord& campaign)
{
    const bool maps = !campaign.faults.geometry.empty();
    const std::vector<std::uint8_t>& kind = maps ? campaign.faults.geometry : campaign.faults.bit;
    ResultTable table;
    table.title = maps ? "The same by geometry" : "The same by flipped bit";
    table.columns = columns({maps ? "geometry" : "bit"});
    for (std::uint8_t k = 0; k < 32; ++k)
    {
        const Vulnerability v = vulnerability(campaign, [&](std::size_t i) { return kind.at(i) == k; });
        if (v.faults == 0) continue;
        table.rows.push_back(row({maps ? geometry_name(k) : std::to_string(k)}, v));
    }
    return table;
}

std::vector<ResultTable> transient_tables(const TransientCampaignRecord& campaign)
{
    std::vector<ResultTable> tables{vulnerability_table(campaign)};
    const ResultTable kinds = fault_kind_table(campaign);
    if (!kinds.rows.empty()) tables.push_back(kinds);
    return tables;
}

std::string render_transient_report(const TransientCampaignRecord& campaign, const std::string& title)
{
    const TransientHeader& header = campaign.header;
    const CampaignHeader& common = header.campaign;
    const Vulnerability network = network_vulnerability(campaign);
    const auto images = static_cast<double>(common.images);
    std::string html = page_begin(
        title,
        fmt::format("Soft-error reliability: statistical injection of transient faults into the {} of {} "
                    "layers; each fault strikes {}.",
                    in_words(common.target), common.layers.size(), struck_text(header)));
    html += page_notes(golden_warnings(common));
    html += "<div class=\"cards\">\n";
    html += card(format_percent(static_cast<double>(common.golden_correct) / images) + " %",
                 "golden accuracy", format_count(common.images) + " test images");
    html += card(format_count(network.faults), "faults injected",
                 fmt::format("{:.2f} per image, {:.0f} faults per second",
                             static_cast<double>(network.inferences) / images, common.faults_per_second));
    html += card(format_percent(network.avf.share) + " %", "AVF, mispredictions",
                 fmt::format("95 % interval {} to {} %", format_percent(network.avf.low),
                             format_percent(network.avf.high)));
    html += card(format_percent(1 - network.masked.share) + " %", "inferences that are not masked",
                 fmt::format("{} % tolerable SDC", format_percent(network.tolerable.share)));
    html += card(format_percent(network.regret) + " %", "regret",
                 fmt::format("95 % interval {} to {} %", format_percent(network.regret_low),
                             format_percent(network.regret_high)));
    html += "</div>\n";
    const std::uint64_t planned =
        std::accumulate(common.strata.planned.begin(), common.strata.planned.end(), std::uint64_t{0});
    if (planned > network.faults)
    {
        html += page_notes({fmt::format(
            "Limited to {} of {} planned faults: the intervals are wider than the error margin of the plan.",
            format_count(network.faults), format_count(planned))});
    }
    html += "<h2>What transient faults do</h2>\n";
    for (const ResultTable& table : transient_tables(campaign))
        html += render_html(table);
    html += page_provenance(common.provenance);
    return html + page_end();
}

}  // namespace flipstorm
