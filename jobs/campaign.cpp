#include "jobs/campaign.hpp"

#include "engine/base/sha256.hpp"
#include "engine/faults/fault_model.hpp"
#include "jobs/inputs.hpp"
#include "jobs/job_print.hpp"
#include "jobs/plan_of_job.hpp"
#include "jobs/transient_campaign.hpp"

namespace flipstorm
{

std::unique_ptr<Campaign> load_campaign(const Context& context)
{
    need_input(context.model_file(), "train");
    auto campaign = std::make_unique<Campaign>(Campaign{load_network(context.model_file()),
                                                        load_test_images(context.job),
                                                        {},
                                                        {},
                                                        {},
                                                        {},
                                                        nullptr,
                                                        screen_policy(context.job),
                                                        {}});
    check_images(campaign->images, campaign->network.num_classes,
                 "test set for " + context.model_file().string());
    campaign->model_sha256 = digest(campaign->network);
    campaign->dataset_sha256 = digest(campaign->images);
    campaign->layers = injectable_layers(campaign->network);
    const auto images = static_cast<std::uint64_t>(campaign->images.size());
    if (is_transient(context.job))
    {
        campaign->transient =
            std::make_unique<TransientPlan>(transient_plan(context.job, campaign->network, images));
        campaign->plan = std::make_unique<Plan>(campaign->transient->plan());
        campaign->work =
            work_of_layers(*campaign->plan, campaign->layers.size(), campaign->transient->images_per_fault());
    }
    else
    {
        campaign->plan = std::make_unique<Plan>(campaign->layers, plan_options(context.job, images));
        campaign->work = work_of_layers(*campaign->plan, campaign->layers.size(), images);
    }
    campaign->stage_sha256 =
        campaign_digest(context.job, *campaign->plan, campaign->model_sha256, campaign->dataset_sha256);
    return campaign;
}

WeightChange change_of(const Campaign& campaign, FaultIndex index)
{
    const WeightFault fault = campaign.plan->fault(index);
    const InjectableLayer& layer = campaign.layers[static_cast<std::size_t>(fault.layer.value())];
    const float value = campaign.network.parameters[layer.weight].values[fault.parameter];
    return {fault.parameter, flip_bit(campaign.network.format, value, fault.bit), index.value()};
}

EvaluationOptions evaluation_options(const Context& context, EvaluationMode mode)
{
    const CampaignTable& table = context.job.campaign;
    EvaluationOptions options;
    options.mode = mode;
    options.tolerances = table.tolerances;
    options.memory_budget = static_cast<std::uint64_t>(table.memory_budget) << 20U;
    options.threads = context.threads;
    options.backend = backend_from(table.backend);
    if (options.backend != Backend::native) options.device = context.device;
    options.seed = context.job.job.seed;
    return options;
}

std::string campaign_digest(const Job& job, const Plan& plan, const std::string& model_sha256,
                            const std::string& dataset_sha256)
{
    Job relevant = job;
    relevant.campaign.confidence = 0.99;  // only t, which comes from it, is used
    if (job.campaign.evaluation != "screened")
    {
        const CampaignTable defaults;
        relevant.campaign.kappa = defaults.kappa;
        relevant.campaign.tau = defaults.tau;
        relevant.campaign.audit_share = defaults.audit_share;
        relevant.campaign.screen_bound = defaults.screen_bound;
    }
    Sha256 hash;
    hash.update("flipstorm campaign 2\n").update(canonical_tables(relevant, {"campaign"}));
    if (is_transient(job)) hash.update(transient_identity(job));
    hash.update(model_sha256).update(dataset_sha256);
    // A journal is only good for the chunks it was written for.
    hash.update(evaluation_layout());
    for (const Chunk& chunk : plan.chunks())
    {
        hash.update(fmt::format("{} {} {}\n", chunk.layer.value(), chunk.first.value(), chunk.count));
    }
    return hash.hex();
}

}  // namespace flipstorm
