#include "analysis/page.hpp"

#include <fmt/format.h>

#include "analysis/result_table.hpp"

namespace flipstorm
{
namespace
{

constexpr const char* kStyle = R"(
:root { --ink: #1c2733; --soft: #5b6b7b; --line: #d9e0e7; --accent: #0b5fa5; --ground: #f6f8fa; }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: var(--ink);
       background: var(--ground); }
main { max-width: 1080px; margin: 0 auto; padding: 2rem 2.5rem 4rem; background: #fff; min-height: 100vh;
       border: solid var(--line); border-width: 0 1px; }
h1 { font-size: 1.8rem; margin: 0 0 .2rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .6rem; padding-bottom: .3rem; border-bottom: 2px solid var(--line); }
p.lead { color: var(--soft); margin: 0 0 1.5rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: .9rem; }
.card { border: 1px solid var(--line); border-radius: 6px; padding: .8rem 1rem; background: var(--ground); }
.card b { display: block; font-size: 1.45rem; font-variant-numeric: tabular-nums; color: var(--accent); }
.card small { color: var(--soft); display: block; }
figure { margin: 1.2rem 0 1.8rem; }
figure.table { overflow-x: auto; }
figcaption { font-weight: 600; margin-bottom: .4rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .88rem; }
th, td { padding: .32rem .45rem; text-align: right; border-bottom: 1px solid var(--line); }
th { font-weight: 600; border-bottom: 2px solid var(--soft); vertical-align: bottom; }
th.text, td.text { text-align: left; }
tbody tr:hover { background: var(--ground); }
tr.marked td { background: #e4f0fa; font-weight: 600; }
details { margin: 1rem 0; } summary { cursor: pointer; font-weight: 600; }
details th, details td { white-space: nowrap; }
.note { color: var(--soft); font-size: .86rem; margin: .5rem 0 0; }
ul.notes { border-left: 4px solid #d9a400; background: #fff9e6; margin: 1.4rem 0; padding: .7rem 1rem .7rem 2rem; }
img { max-width: 100%; max-height: 36rem; height: auto; }
.bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: .3rem .8rem; align-items: center;
        font-variant-numeric: tabular-nums; }
.bars i { display: block; height: .9rem; background: var(--accent); border-radius: 2px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; font-size: .9rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; font-family: ui-monospace, monospace; }
pre { background: var(--ground); border: 1px solid var(--line); padding: 1rem; overflow-x: auto; font-size: .85rem; }
@media print { main { border: 0; padding: 0; max-width: none; } figure { break-inside: avoid; } }
)";

}  // namespace

std::string page_begin(const std::string& title, const std::string& lead)
{
    const std::string shown = escape_html(title.empty() ? "flipstorm" : title);
    return fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<title>{0}: soft-error reliability</title>\n<style>{1}</style>\n</head>\n<body>\n<main>\n"
        "<h1>{0}</h1>\n<p class=\"lead\">{2}</p>\n",
        shown, kStyle, escape_html(lead));
}

std::string page_notes(const std::vector<std::string>& notes)
{
    if (notes.empty()) return "";
    std::string html = "<ul class=\"notes\">\n";
    for (const std::string& note : notes)
        html += fmt::format("<li>{}</li>\n", escape_html(note));
    return html + "</ul>\n";
}

std::string card(const std::string& value, const std::string& name, const std::string& detail)
{
    return fmt::format("<div class=\"card\"><small>{}</small><b>{}</b><small>{}</small></div>\n",
                       escape_html(name), escape_html(value), escape_html(detail));
}

std::string page_provenance(const Provenance& campaign,
                            const std::vector<std::pair<std::string, std::string>>& more)
{
    std::vector<std::pair<std::string, std::string>> entries{
        {"flipstorm", fmt::format("{} ({})", campaign.software_version, campaign.git_sha1)},
        {"libraries", campaign.libraries},
        {"command line", campaign.command_line},
        {"campaign written", campaign.date},
        {"seed", std::to_string(campaign.seed)},
        {"job SHA-256", campaign.job_sha256},
        {"model SHA-256", campaign.model_sha256},
        {"data set SHA-256", campaign.dataset_sha256},
        {"campaign digest", campaign.stage_sha256}};
    entries.insert(entries.end(), more.begin(), more.end());
    std::string html = "<h2>Where this comes from</h2>\n<dl>\n";
    for (const auto& [name, value] : entries)
    {
        html += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escape_html(name),
                            escape_html(value.empty() ? "-" : value));
    }
    html += "</dl>\n";
    if (!campaign.job.empty())
    {
        html += fmt::format("<details><summary>Resolved job file</summary><pre>{}</pre></details>\n",
                            escape_html(campaign.job));
    }
    return html;
}

std::string page_end()
{
    return "</main>\n</body>\n</html>\n";
}

}  // namespace flipstorm
