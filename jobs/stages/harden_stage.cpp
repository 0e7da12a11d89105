// Stage `harden`: campaign.h5, forest.h5 → protection.h5.

#include "analysis/content_digest.hpp"
#include "analysis/protection.hpp"
#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/failure_text.hpp"
#include "engine/base/log.hpp"
#include "jobs/campaign/kinds/kind.hpp"
#include "jobs/campaign/outdated_outcomes.hpp"
#include "jobs/resolve/inputs.hpp"
#include "jobs/resolve/stage_digest.hpp"
#include "jobs/resolve/stoppable.hpp"
#include "jobs/stages/stages.hpp"
#include "mpi/agreed_error.hpp"

namespace flipstorm
{
namespace
{

StageEnd harden_on_root(const Context& context, const StopRequest& stop)
{
    const Job& job = context.job;
    const std::filesystem::path file = context.file("protection.h5");
    need_input(context.forest_file(), "forest");
    need_input(context.campaign_file(), "inject");
    const ForestRecord forest = read_forest(context.forest_file());
    const CampaignRecord campaign = campaign_of(context);
    warn_if_outdated(context.campaign_file(), campaign);
    const Provenance& source = forest.provenance;
    FS_CHECK(JobError, job.harden.tolerance == forest.tolerance,
             "harden.tolerance is {}, but the criticality map of '{}' is for {}; set it so, or make the "
             "forest anew",
             job.harden.tolerance, context.forest_file().string(), forest.tolerance);
    require_same_campaign(context, campaign, forest);
    const std::string stage_sha256 = harden_digest(job, content_digest(forest), content_digest(campaign));
    if (output_is_current(context, file, stage_sha256, false)) return StageEnd::complete;
    make_folder(context.out());
    stop_if_asked(stop);
    HardenOptions options;
    options.options = job.harden.options;
    options.ber = job.harden.ber;
    ProtectionRecord protection =
        naming(context.campaign_file(), [&] { return choose_protection(campaign, forest, options); });
    protection.provenance =
        make_provenance(context, stage_sha256, source.model_sha256, source.dataset_sha256);
    stop_if_asked(stop);
    write_protection(file, protection);
    const ProtectionOption& chosen = protection.options.at(static_cast<std::size_t>(protection.chosen));
    log_info("{}: {} chosen, {:.2f} % memory overhead", file.string(), chosen.scheme, chosen.total_overhead);
    return StageEnd::complete;
}

}  // namespace

CampaignRecord campaign_of(const Context& context)
{
    const std::filesystem::path file = context.campaign_file();
    return naming_memory(fmt::format("reading '{}'", file.string()), [&] { return read_campaign(file); });
}

void need_memory(const Context& context, const char* stage)
{
    FS_CHECK(AgreedError, kind_of(context.job).in_memory(),
             fmt::format("'flipstorm {}' is for faults in weights, but campaign.target is \"{}\"", stage,
                         context.job.campaign.target),
             ExitCode::usage);
}

void require_same_campaign(const Context& context, const CampaignRecord& campaign, const ForestRecord& forest)
{
    FS_CHECK(DataError, forest.campaign_sha256 == campaign.header.provenance.stage_sha256,
             "'{}' was trained on another campaign than '{}'; name the right one in forest.campaign, or make "
             "the forest anew",
             context.forest_file().string(), context.campaign_file().string());
}

StageEnd run_harden(const Context& context)
{
    need_memory(context, "harden");
    return on_root_until_stopped(context, {},
                                 [&](const StopRequest& stop) { return harden_on_root(context, stop); });
}

std::string agreed_stop_reason(const Context& context)
{
    // A signal may have reached one rank only.
    const auto reason = context.stop->check();
    for (const std::string& text : context.world.all_gather(reason ? reason->text : ""))
    {
        if (!text.empty()) return text;
    }
    return "";
}

bool stop_was_asked_for(const Context& context)
{
    const std::string reason = agreed_stop_reason(context);
    if (!reason.empty() && context.world.is_root())
        log_warning("stopped by {}; run the same command to go on", reason);
    return !reason.empty();
}

}  // namespace flipstorm
