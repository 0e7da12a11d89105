// The page that compares the variants of a job.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "analysis/comparison.hpp"
#include "analysis/page.hpp"
#include "analysis/variant_tables.hpp"

namespace flipstorm
{
namespace
{

std::string figure(const std::vector<std::string>& figures, const std::string& name,
                   const std::string& caption)
{
    if (std::find(figures.begin(), figures.end(), name) == figures.end()) return "";
    return fmt::format(
        "<figure><figcaption>{0}</figcaption><img src=\"figures/{1}.png\" alt=\"{0}\"></figure>\n", caption,
        name);
}

std::string variants_list(const ComparisonRecord& comparison)
{
    std::string html =
        "<figure class=\"table\">\n<table>\n<thead><tr><th class=\"text\">variant</th><th "
        "class=\"text\">network</th><th class=\"text\">what differs</th><th>faults</th><th>images</th></tr>"
        "</thead>\n<tbody>\n";
    for (const VariantResult& variant : comparison.variants)
    {
        const std::string name = escape_html(variant.name);
        const std::string report =
            variant.target.empty() ? name : fmt::format("<a href=\"{0}/report.html\">{0}</a>", name);
        html += fmt::format(
            "<tr><td class=\"text\">{}</td><td class=\"text\">{} {}, {} weights</td><td "
            "class=\"text\">{}</td><td>{}</td><td>{}</td></tr>\n",
            report, escape_html(variant.arch), escape_html(variant.format), format_count(variant.weights),
            escape_html(variant.changes.empty() ? "-" : variant.changes), format_count(variant.faults),
            format_count(variant.images));
    }
    return html + "</tbody>\n</table>\n</figure>\n";
}

std::string provenance(const Provenance& p)
{
    const std::vector<std::pair<std::string, std::string>> entries{
        {"flipstorm", fmt::format("{} ({})", p.software_version, p.git_sha1)},
        {"libraries", p.libraries},
        {"command line", p.command_line},
        {"written", p.date},
        {"seed", std::to_string(p.seed)},
        {"comparison digest", p.stage_sha256},
    };
    std::string html = "<dl>\n";
    for (const auto& [name, value] : entries)
        html += fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, escape_html(value.empty() ? "-" : value));
    return html + "</dl>\n<details><summary>What the variants have in common</summary><pre>" +
           escape_html(p.job) + "</pre></details>\n";
}

}  // namespace

std::string render_comparison(const ComparisonRecord& comparison, const std::string& title,
                              const std::vector<std::string>& figures)
{
    std::string html =
        page_begin(title, fmt::format("{} variants of one job, compared.", comparison.variants.size()));
    html += variants_list(comparison);
    html += "<h2>What came out</h2>\n";
    html += render_html(comparison_table(comparison));
    if (comparison.variants.size() > 1) html += render_html(relative_table(comparison));
    for (const ResultTable& table : variant_tables(comparison))
        html += render_html(table);
    html += figure(figures, "regret", "Accuracy lost under faults");
    html += figure(figures, "protection", "What protection costs");
    html += figure(figures, "weights", "Distribution of the weights");
    html += "<h2>Where this comes from</h2>\n";
    html += provenance(comparison.provenance);
    return html + page_end();
}

}  // namespace flipstorm
