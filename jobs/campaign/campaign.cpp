#include "jobs/campaign/campaign.hpp"

#include <cstring>

#include "jobs/resolve/inputs.hpp"
#include "jobs/resolve/plan_of_job.hpp"
#include "jobs/resolve/stage_digest.hpp"

namespace flipstorm
{

std::unique_ptr<Campaign> plan_campaign(const Job& job, Network network)
{
    auto campaign = std::make_unique<Campaign>(Campaign{std::move(network),
                                                        load_test_images(job),
                                                        {},
                                                        {},
                                                        {},
                                                        {},
                                                        nullptr,
                                                        screen_policy(job),
                                                        evaluation_mode(job.campaign.evaluation),
                                                        {}});
    JobPlan found = plan_of_job(job, campaign->network, static_cast<std::uint64_t>(campaign->images.size()));
    campaign->layers = std::move(found.layers);
    campaign->plan = std::move(found.plan);
    campaign->transient = std::move(found.transient);
    campaign->work = work_of_layers(*campaign->plan, campaign->layers.size(), found.images_per_fault);
    return campaign;
}

std::unique_ptr<Campaign> load_campaign(const Context& context)
{
    need_input(context.model_file(), "train");
    std::unique_ptr<Campaign> campaign = plan_campaign(context.job, load_network(context.model_file()));
    check_images(campaign->images, campaign->network.num_classes,
                 "test set for " + context.model_file().string());
    campaign->model_sha256 = digest(campaign->network);
    campaign->dataset_sha256 = digest(campaign->images);
    const int revision = revision_of_results(context.job, campaign->network.graph);
    const auto digest_at = [&](int at) {
        return campaign_digest(context.job, *campaign->plan, at, campaign->model_sha256,
                               campaign->dataset_sha256);
    };
    campaign->stage_sha256 = digest_at(revision);
    if (revision > 0) campaign->superseded_sha256 = digest_at(0);
    return campaign;
}

WeightChange change_of(const Campaign& campaign, FaultIndex index)
{
    const FaultyWeight weight = faulty_weight(campaign.network, campaign.layers, *campaign.plan, index);
    return {weight.fault.parameter, weight.after, index.value()};
}

std::optional<std::vector<Outcome>> evaluate_changes(const Campaign& campaign, Evaluator& evaluator,
                                                     LayerId layer, const std::vector<WeightChange>& changes,
                                                     const Screen& screen,
                                                     const std::function<bool()>& should_stop)
{
    const std::size_t weight = campaign.layers.at(static_cast<std::size_t>(layer.value())).weight;
    const std::vector<float>& golden = campaign.network.parameters[weight].values;
    std::vector<WeightChange> real;
    std::vector<std::size_t> place;
    for (std::size_t i = 0; i < changes.size(); ++i)
    {
        const float before = golden.at(changes[i].parameter);
        const bool same = std::memcmp(&before, &changes[i].value, sizeof before) == 0;
        if (same && campaign.mode != EvaluationMode::reference) continue;
        real.push_back(changes[i]);
        place.push_back(i);
    }
    Outcome masked;
    masked.tally.evaluated = static_cast<std::uint32_t>(evaluator.golden().images());
    masked.tally.correct = static_cast<std::uint32_t>(evaluator.golden().correct);
    std::vector<Outcome> outcomes(changes.size(), masked);
    if (real.empty()) return outcomes;
    const auto evaluated = evaluator.evaluate(layer, real, screen, should_stop);
    if (!evaluated) return std::nullopt;
    for (std::size_t i = 0; i < place.size(); ++i)
        outcomes[place[i]] = (*evaluated)[i];
    return outcomes;
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

}  // namespace flipstorm
