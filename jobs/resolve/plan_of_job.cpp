#include "jobs/resolve/plan_of_job.hpp"

#include "engine/evaluate/evaluator.hpp"
#include "engine/faults/bit_class.hpp"
#include "engine/faults/data_aware.hpp"
#include "engine/faults/fault_model.hpp"
#include "jobs/campaign/transient_campaign.hpp"

namespace flipstorm
{

JobPlan plan_of_job(const Job& job, const Network& network, std::uint64_t images)
{
    JobPlan found{injectable_layers(network), nullptr, nullptr, images};
    if (is_transient(job))
    {
        found.transient = std::make_unique<TransientPlan>(transient_plan(job, network, images));
        found.plan = std::make_unique<Plan>(found.transient->plan());
        found.images_per_fault = found.transient->images_per_fault();
        return found;
    }
    PlanOptions options = plan_options(job, network.format, images);
    if (options.scheme == Scheme::data_aware) options.priors = layer_priors(network, found.layers);
    found.plan = std::make_unique<Plan>(found.layers, options);
    return found;
}

FaultyWeight faulty_weight(const Network& network, const std::vector<InjectableLayer>& layers,
                           const Plan& plan, FaultIndex index)
{
    const WeightFault fault = plan.fault(index);
    const InjectableLayer& layer = layers[static_cast<std::size_t>(fault.layer.value())];
    const float before = network.parameters[layer.weight].values[fault.parameter];
    return {fault, before, faulty_value(network.format, before, fault.word)};
}

PlanOptions plan_options(const Job& job, NumberFormat format, std::uint64_t images)
{
    PlanOptions options;
    options.scheme = scheme_from(job.campaign.scheme);
    options.precision = {job.campaign.error_margin, job.campaign.t, 0.5};
    options.limit = static_cast<std::uint64_t>(job.campaign.limit);
    options.seed = job.job.seed;
    options.images = images;
    options.upset = upset_model(job.campaign.fault_model, job.campaign.upset_bits);
    options.layers = job.campaign.layers;
    options.exhaustive = job.campaign.exhaustive;
    options.pilot = static_cast<std::uint64_t>(job.campaign.pilot);
    const BitClasses classes = bit_classes(format);
    switch (evaluation_mode(job.campaign.evaluation))
    {
        case EvaluationMode::reference:
            break;
        case EvaluationMode::exact:
            options.shared_passes = 1;
            break;
        case EvaluationMode::screened:
            // A golden pass and the backward passes of the nearest rivals; few pairs in a hundred go on.
            options.shared_passes = 3;
            options.followed_share = 1.0 / 32;
            for (const std::size_t bits : classes.of_bit)
                options.followed_by_bit.push_back(classes.followed[bits]);
            break;
    }
    return options;
}

std::vector<std::vector<double>> layer_priors(const Network& network,
                                              const std::vector<InjectableLayer>& layers)
{
    std::vector<std::vector<double>> priors;
    for (const InjectableLayer& layer : layers)
    {
        priors.push_back(
            critical_priors(bit_statistics(network.format, network.parameters[layer.weight].values)));
    }
    return priors;
}

}  // namespace flipstorm
