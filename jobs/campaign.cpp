#include "jobs/campaign.hpp"

#include <cstring>

#include "engine/base/sha256.hpp"
#include "engine/faults/fault_model.hpp"
#include "jobs/inputs.hpp"
#include "jobs/job_print.hpp"
#include "jobs/plan_of_job.hpp"
#include "jobs/transient_campaign.hpp"

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
    campaign->layers = injectable_layers(campaign->network);
    const auto images = static_cast<std::uint64_t>(campaign->images.size());
    std::uint64_t images_per_fault = images;
    if (is_transient(job))
    {
        campaign->transient = std::make_unique<TransientPlan>(transient_plan(job, campaign->network, images));
        campaign->plan = std::make_unique<Plan>(campaign->transient->plan());
        images_per_fault = campaign->transient->images_per_fault();
    }
    else
    {
        campaign->plan = std::make_unique<Plan>(
            campaign->layers, plan_options(job, campaign->network, campaign->layers, images));
    }
    campaign->work = work_of_layers(*campaign->plan, campaign->layers.size(), images_per_fault);
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
    campaign->stage_sha256 =
        campaign_digest(context.job, *campaign->plan, campaign->model_sha256, campaign->dataset_sha256);
    return campaign;
}

WeightChange change_of(const Campaign& campaign, FaultIndex index)
{
    const WeightFault fault = campaign.plan->fault(index);
    const InjectableLayer& layer = campaign.layers[static_cast<std::size_t>(fault.layer.value())];
    const float value = campaign.network.parameters[layer.weight].values[fault.parameter];
    return {fault.parameter, faulty_value(campaign.network.format, value, fault.word), index.value()};
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

std::string campaign_digest(const Job& job, const Plan& plan, const std::string& model_sha256,
                            const std::string& dataset_sha256)
{
    Job relevant = job;
    relevant.campaign.confidence = 0.99;  // only t, which comes from it, is used
    const CampaignTable defaults;
    if (upset_model(job.campaign.fault_model, job.campaign.upset_bits).single_bit())
        relevant.campaign.upset_bits = defaults.upset_bits;
    if (job.campaign.scheme != "iterative") relevant.campaign.pilot = defaults.pilot;
    if (job.campaign.evaluation != "screened")
    {
        relevant.campaign.kappa = defaults.kappa;
        relevant.campaign.tau = defaults.tau;
        relevant.campaign.audit_share = defaults.audit_share;
        relevant.campaign.screen_bound = defaults.screen_bound;
    }
    Sha256 hash;
    hash.update("flipstorm campaign 3\n").update(canonical_tables(relevant, {"campaign"}));
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
