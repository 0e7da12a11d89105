// Command `run`: one stage after the other.

#include <vector>

#include "analysis/fault_population.hpp"
#include "engine/base/log.hpp"
#include "engine/memory/word_fault.hpp"
#include "jobs/campaign/kinds/kind.hpp"
#include "jobs/stages/stages.hpp"

namespace flipstorm
{
namespace
{

/// Whether a forest can speak for the network from the job's campaign; if not, the report says why.
/// \collective
bool is_learnable(const Context& context)
{
    const CampaignTable& table = context.job.campaign;
    if (table.layers.empty() && table.fault_list.empty() &&
        upset_model(table.fault_model, table.upset_bits).single_bit())
        return true;
    bool learnable = false;
    on_root(context, [&] {
        learnable = why_not_learnt(read_campaign(context.campaign_file()).header).empty();
        return StageEnd::complete;
    });
    return context.world.broadcast(learnable ? 1U : 0U) != 0;
}

/// Whether harden has left a memory to strike; the log says why not. \collective
bool has_memory(const Context& context)
{
    bool there = false;
    on_root(context, [&] {
        there = std::filesystem::exists(context.file("protected.h5"));
        if (!there)
            log_warning(
                "harden.verify: the scheme that was chosen keeps parameters of one layer in different "
                "ways, and has no memory to strike; nothing is proven");
        return StageEnd::complete;
    });
    return context.world.broadcast(there ? 1U : 0U) != 0;
}

}  // namespace

StageEnd run_all(const Context& context)
{
    const Job& job = context.job;
    const bool campaign_given = !job.forest.campaign.empty();
    const bool forest_given = !job.harden.forest.empty();
    if (campaign_given) log_info("forest.campaign names {}: nothing to train or inject", job.forest.campaign);
    if (forest_given) log_info("harden.forest names {}: no forest to train", job.harden.forest);
    std::vector<StageEnd (*)(const Context&)> stages;
    if (!campaign_given) stages = {run_train, run_inject};
    if (!kind_of(job).in_memory())
    {
        log_info("campaign.target is \"{}\": forest and harden are for faults in weights and are passed over",
                 job.campaign.target);
        stages = {run_train, run_inject, run_report};
    }
    else
    {
        if (!forest_given) stages.push_back(run_forest);
        stages.push_back(run_harden);
        if (job.harden.verify) stages.push_back(run_verify);
        stages.push_back(run_report);
    }
    for (const auto stage : stages)
    {
        if (stop_was_asked_for(context)) return StageEnd::stopped;
        const bool learns = stage == run_forest || stage == run_harden || stage == run_verify;
        if (learns && !campaign_given && !forest_given && !is_learnable(context)) continue;
        if (stage == run_verify && !has_memory(context)) continue;
        if (stage(context) == StageEnd::stopped) return StageEnd::stopped;
    }
    return StageEnd::complete;
}

}  // namespace flipstorm
