// Stage `report`: the three tables on standard output, the figures, and report.html.

#include <algorithm>

#include "analysis/content_digest.hpp"
#include "analysis/estimates.hpp"
#include "analysis/fault_population.hpp"
#include "analysis/fit.hpp"
#include "analysis/golden_check.hpp"
#include "analysis/protection_tables.hpp"
#include "analysis/python.hpp"
#include "analysis/report.hpp"
#include "analysis/tables.hpp"
#include "analysis/transient_report.hpp"
#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/log.hpp"
#include "engine/base/printable_text.hpp"
#include "engine/base/program_name.hpp"
#include "engine/base/sha256.hpp"
#include "engine/base/standard_output.hpp"
#include "engine/memory/number_format.hpp"
#include "jobs/campaign/kinds/kind.hpp"
#include "jobs/campaign/outdated_outcomes.hpp"
#include "jobs/resolve/inputs.hpp"
#include "jobs/resolve/stoppable.hpp"
#include "jobs/stages/stages.hpp"

namespace flipstorm
{
namespace
{

const std::vector<std::string> kFigures = {"criticality", "roc", "overhead", "pareto"};

/// Bits of the words of all layers.
std::uint64_t bits_of(const LayerTable& layers)
{
    std::uint64_t bits = 0;
    for (std::size_t l = 0; l < layers.size(); ++l)
        bits += layers.weights[l] * static_cast<std::uint64_t>(layers.word_bits[l]);
    return bits;
}

/// Faults, images, and what was left undone, in a line.
void print_size(const CampaignRecord& campaign)
{
    const StrataTable& strata = campaign.header.strata;
    std::uint64_t planned = 0;
    std::uint64_t missing = 0;
    for (std::size_t s = 0; s < strata.size(); ++s)
    {
        planned += strata.planned[s];
        missing += strata.planned[s] - std::min(strata.planned[s], strata.evaluated[s]);
    }
    print_result("{} faults on {} test images", format_count(campaign.faults.size()),
                 format_count(campaign.header.images));
    if (missing > 0)
    {
        print_result(" (limited: the error margin of the job asks for {} faults)", format_count(planned));
    }
    print_result(".\n");
}

/// Print what makes a campaign meaningless (golden_warnings), a line each. \return what was printed
std::string print_warnings(const CampaignHeader& header)
{
    std::string text;
    for (const std::string& warning : golden_warnings(header))
        text += fmt::format("Warning: {}.\n", warning);
    print_text(text);
    return text;
}

/// The report of faults that no forest can speak of.
StageEnd report_campaign(const Context& context, const CampaignRecord& campaign, const std::string& obstacle)
{
    const std::filesystem::path file = context.file("report.html");
    const std::string warnings = print_warnings(campaign.header);
    const std::string stamp = fmt::format("<!-- flipstorm report 1 {} -->",
                                          sha256_hex(content_digest(campaign) + "alone" + warnings));
    std::error_code unreadable;
    const bool current = !context.fresh && std::filesystem::exists(file, unreadable) &&
                         read_file(file).find(stamp) != std::string::npos;
    if (!current)
        write_file_durably(file, render_campaign_report(campaign, {context.job.job.name, {}}) + stamp + "\n");
    const double tolerance = campaign.header.tolerances.front();
    for (const ResultTable& table : {critical_share_table(campaign), layer_share_table(campaign, tolerance),
                                     bit_share_table(campaign, tolerance)})
    {
        if (table.rows.empty()) continue;
        print_result("{}\n", render_text(table));
    }
    print_size(campaign);
    print_result("No forest and no protection: {}.\nReport: {}\n", printable(obstacle),
                 printable(file.string()));
    flush_output();
    return StageEnd::complete;
}

}  // namespace

StageEnd report_protected_on_root(const Context& context, const StopRequest& /*stop*/)
{
    const CampaignRecord campaign = read_campaign(context.campaign_file(), "protected");
    const double tolerance = campaign.header.tolerances.front();
    print_result("{}\n{}\n", render_text(critical_share_table(campaign)),
                 render_text(layer_share_table(campaign, tolerance)));
    print_size(campaign);
    flush_output();
    return StageEnd::complete;
}

StageEnd report_weights_on_root(const Context& context, const StopRequest& stop)
{
    need_input(context.campaign_file(), "inject");
    const CampaignRecord campaign = read_campaign(context.campaign_file());
    warn_if_outdated(context.campaign_file(), campaign);
    const std::string obstacle =
        naming(context.campaign_file(), [&] { return why_not_learnt(campaign.header); });
    if (!obstacle.empty()) return report_campaign(context, campaign, obstacle);
    need_input(context.forest_file(), "forest");
    need_input(context.file("protection.h5"), "harden");
    stop_if_asked(stop);
    const ForestRecord forest = read_forest(context.forest_file());
    stop_if_asked(stop);
    const ProtectionRecord protection = read_protection(context.file("protection.h5"));
    require_same_campaign(context, campaign, forest);
    FS_CHECK(DataError, protection.forest_sha256 == forest.provenance.stage_sha256,
             "'{}' was made from another forest than '{}'; run '{} harden' again",
             context.file("protection.h5").string(), context.forest_file().string(), program_name());
    const std::filesystem::path file = context.file("report.html");
    const std::string warnings = print_warnings(campaign.header);
    ProofOfJob proof = proof_of(context, campaign);
    const ResultTable fit =
        fit_table(protection, estimate_critical_share(campaign, protection.tolerance).network,
                  bits_of(campaign.header.layers), proof.verification ? &*proof.verification : nullptr,
                  proof.memory ? &*proof.memory : nullptr);
    if (!fit.rows.empty()) proof.proof.tables.push_back(fit);
    const std::string stamp =
        fmt::format("<!-- flipstorm report 2 {} -->",
                    sha256_hex(campaign.header.provenance.stage_sha256 + forest.provenance.stage_sha256 +
                               protection.provenance.stage_sha256 + forest.validation.campaign_sha256 +
                               proof.sha256 + warnings));
    std::error_code unreadable;
    const bool current = !context.fresh && std::filesystem::exists(file, unreadable) &&
                         read_file(file).find(stamp) != std::string::npos;
    if (!current)
    {
        std::vector<std::string> options = {
            "--campaign", std::filesystem::absolute(context.campaign_file()).string(), "--forest",
            std::filesystem::absolute(context.forest_file()).string()};
        for (const std::string& format : number_format_names())
            options.insert(options.end(), {"--fields", fields_text(number_format(format))});
        std::vector<std::string> names = kFigures;
        if (!proof.memory_file.empty())
        {
            names.emplace_back("ber");
            options.insert(options.end(),
                           {"--memory", std::filesystem::absolute(proof.memory_file).string()});
        }
        const std::vector<std::string> figures = draw_figures(context.out(), names, options, stop);
        stop_if_asked(stop);
        const std::string page =
            render_report(campaign, forest, protection, {context.job.job.name, figures}, proof.proof);
        // A report without its figures is not final: the next run tries again.
        write_file_durably(file, page + (figures.size() == names.size() ? stamp + "\n" : ""));
    }
    for (const ResultTable& table :
         {critical_share_table(campaign), forest_table(forest), models_table(forest),
          overhead_table(protection), schemes_table(protection), plan_table(protection)})
    {
        if (table.rows.empty()) continue;
        print_result("{}\n", render_text(table));
    }
    for (const ResultTable& table : proof.proof.tables)
        print_result("{}\n", render_text(table));
    print_size(campaign);
    print_result("Report: {}\n", printable(file.string()));
    flush_output();
    return StageEnd::complete;
}

StageEnd report_transient_on_root(const Context& context)
{
    const std::filesystem::path campaign_file = context.file("campaign.h5");
    need_input(campaign_file, "inject");
    const TransientCampaignRecord campaign = read_transient_campaign(campaign_file);
    const std::filesystem::path file = context.file("report.html");
    const std::string warnings = print_warnings(campaign.header.campaign);
    const std::string stamp = fmt::format("<!-- flipstorm transient report 1 {}{} -->",
                                          campaign.header.campaign.provenance.stage_sha256,
                                          warnings.empty() ? "" : " " + sha256_hex(warnings));
    std::error_code unreadable;
    const bool current = !context.fresh && std::filesystem::exists(file, unreadable) &&
                         read_file(file).find(stamp) != std::string::npos;
    if (!current)
        write_file_durably(file, render_transient_report(campaign, context.job.job.name) + stamp + "\n");
    for (const ResultTable& table : transient_tables(campaign))
        print_result("{}\n", render_text(table));
    print_result("Report: {}\n", printable(file.string()));
    flush_output();
    return StageEnd::complete;
}

StageEnd run_report(const Context& context)
{
    return on_root_until_stopped(
        context, {}, [&](const StopRequest& stop) { return kind_of(context.job).report(context, stop); });
}

}  // namespace flipstorm
