#include "jobs/campaign/campaign.hpp"

#include "jobs/campaign/campaign_digest.hpp"
#include "jobs/campaign/kinds/kind.hpp"
#include "jobs/resolve/inputs.hpp"
#include "jobs/resolve/plan_options.hpp"

namespace flipstorm
{

std::unique_ptr<Campaign> plan_campaign(const Job& job, Network network)
{
    auto campaign = std::make_unique<Campaign>(Campaign{kind_of(job).network_of(job, std::move(network)),
                                                        load_test_images(job),
                                                        {},
                                                        {},
                                                        {},
                                                        nullptr,
                                                        screen_policy(job),
                                                        evaluation_mode(job.campaign.evaluation),
                                                        {}});
    campaign->faults =
        kind_of(job).plan(job, campaign->network, static_cast<std::uint64_t>(campaign->images.size()));
    campaign->work =
        work_of_layers(campaign->plan(), campaign->layers().size(), campaign->faults->images_per_fault());
    return campaign;
}

std::unique_ptr<Campaign> load_campaign(const Context& context)
{
    need_input(context.model_file(), "train");
    Network network = load_network_of(context.job, context.model_file());
    const std::string model_sha256 = digest(network);
    std::unique_ptr<Campaign> campaign = plan_campaign(context.job, std::move(network));
    check_images(campaign->images, campaign->network.num_classes,
                 "test set for " + context.model_file().string());
    campaign->model_sha256 = model_sha256;
    campaign->dataset_sha256 = digest(campaign->images);
    const int revision = revision_of_results(context.job, campaign->network.graph);
    const auto digest_at = [&](int at) {
        return campaign_digest(context.job, campaign->plan(), at, campaign->model_sha256,
                               campaign->dataset_sha256);
    };
    campaign->stage_sha256 = digest_at(revision);
    if (revision > 0) campaign->superseded_sha256 = digest_at(0);
    return campaign;
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
    options.parameters = struck_parameters(context.job);
    return options;
}

}  // namespace flipstorm
