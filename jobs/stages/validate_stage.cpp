// Option --validate of `forest`: inject faults that the campaign does not have, and judge the map by them.

#include <fmt/format.h>

#include "engine/base/durable_file.hpp"
#include "jobs/stages/locked_stage.hpp"
#include "jobs/stages/stages.hpp"

namespace flipstorm
{
namespace
{

/// The campaign that judges the map of a job: a simple random sample of the faults that are not known.
Context validation_campaign(const Context& context)
{
    Context other = context;
    Job& job = other.job;
    job.model.file = std::filesystem::absolute(context.model_file()).string();
    job.campaign.exclude = std::filesystem::absolute(context.campaign_file()).string();
    job.campaign.scheme = "network_wise";
    job.campaign.layers.clear();
    job.campaign.exhaustive = true;  // whatever the error margin asks for, up to the limit
    job.campaign.limit = static_cast<std::int64_t>(context.validation_faults);
    job.job.out = (context.out() / "validation" / std::to_string(context.validation_faults)).string();
    other.lock = nullptr;
    return other;
}

}  // namespace

StageEnd run_forest_and_validate(const Context& context)
{
    if (context.validation_faults == 0) return run_forest(context);
    Context forest = context;
    forest.validation_faults = 0;
    forest.job.forest.validate_with.clear();
    if (run_forest(forest) == StageEnd::stopped) return StageEnd::stopped;
    const Context other = validation_campaign(context);
    on_root(context, [&] {
        make_folder(context.out());
        make_folder(context.out() / "validation");
        return StageEnd::complete;
    });
    if (run_locked(other, run_inject) == StageEnd::stopped) return StageEnd::stopped;
    forest.fresh = false;  // it has just been made
    forest.job.forest.validate_with = other.file("campaign.h5").string();
    return run_forest(forest);
}

}  // namespace flipstorm
