// Option --validate of `forest`: inject faults that the campaign does not have, and judge the map by them.

#include <fmt/format.h>

#include "analysis/fault_population.hpp"
#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "jobs/resolve/inputs.hpp"
#include "jobs/resolve/plan_options.hpp"
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

/// Before anything is injected: whether the faults can judge the map. \throws DataError
void require_judges(const Context& context)
{
    const Job& job = context.job;
    const std::filesystem::path file = context.campaign_file();
    const CampaignRecord campaign = campaign_of(context);
    const CampaignHeader& header = campaign.header;
    const auto expect = [&file](bool holds, const std::string& what) {
        FS_CHECK(DataError, holds, "--validate: '{}' {}", file.string(), what);
    };
    const UpsetModel upset = upset_of(header);
    const UpsetModel own = upset_model(job.campaign.fault_model, job.campaign.upset_bits);
    expect(upset.model == own.model,
           fmt::format("has faults of {}, and campaign.fault_model of this job is {}; set it so",
                       to_string(upset.model), to_string(own.model)));
    const Network network = load_network(context.model_file());
    std::vector<std::string> names;
    for (const InjectableLayer& layer : injectable_layers(network, struck_parameters(job)))
        names.push_back(layer.name);
    expect(names == header.layers.name,
           "strikes other tensors than campaign.parameters of this job names; set that as it was");
    expect(!has_every_fault(campaign), "has every fault of the network: none is left to judge its map by");
    expect(digest(load_test_images(job)) == header.provenance.dataset_sha256,
           "is of other test images than [data] of this job names");
    expect(job.harden.tolerance <= job.campaign.tolerances.back(),
           fmt::format("has a map for a tolerance of {}, beyond the last of campaign.tolerances, {}",
                       job.harden.tolerance, job.campaign.tolerances.back()));
}

}  // namespace

StageEnd run_forest_and_validate(const Context& context)
{
    if (context.validation_faults == 0) return run_forest(context);
    Context forest = context;
    forest.validation_faults = 0;
    forest.job.forest.validate_with.clear();
    forest.export_to.clear();  // at the end, once
    if (run_forest(forest) == StageEnd::stopped) return StageEnd::stopped;
    const Context other = validation_campaign(context);
    on_root(context, [&] {
        require_judges(context);
        make_folder(context.out());
        make_folder(context.out() / "validation");
        return StageEnd::complete;
    });
    if (run_locked(other, run_inject) == StageEnd::stopped) return StageEnd::stopped;
    forest.fresh = false;  // it has just been made
    forest.export_to = context.export_to;
    forest.job.forest.validate_with = other.file("campaign.h5").string();
    return run_forest(forest);
}

}  // namespace flipstorm
