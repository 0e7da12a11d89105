#include "jobs/resolve/plan_options.hpp"

#include "engine/evaluate/evaluator.hpp"
#include "engine/faults/data_aware.hpp"
#include "engine/memory/bit_class.hpp"

namespace flipstorm
{
namespace
{

/// About which share of the pairs of each bit a screen leaves to be followed.
std::vector<double> followed_by_bit(NumberFormat format)
{
    const BitClasses classes = bit_classes(format);
    std::vector<double> shares;
    for (const std::size_t bits : classes.of_bit)
        shares.push_back(classes.followed[bits]);
    return shares;
}

}  // namespace

PlanOptions plan_options(const Job& job, const std::vector<InjectableLayer>& layers, std::uint64_t images)
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
            for (const InjectableLayer& layer : layers)
                options.followed_by_bit.push_back(followed_by_bit(layer.format));
            break;
    }
    return options;
}

std::vector<TensorKind> struck_parameters(const Job& job)
{
    std::vector<TensorKind> kinds;
    for (const std::string& name : job.campaign.parameters)
        kinds.push_back(tensor_kind(name));
    return kinds;
}

std::vector<std::vector<double>> layer_priors(const Network& network,
                                              const std::vector<InjectableLayer>& layers)
{
    std::vector<std::vector<double>> priors;
    for (const InjectableLayer& layer : layers)
    {
        priors.push_back(critical_priors(bit_statistics(struck_tensor(network, layer))));
    }
    return priors;
}

}  // namespace flipstorm
