// `plan` and --dry-run: what a campaign would do, before it does it.

#include <fmt/format.h>

#include <numeric>

#include "analysis/tables.hpp"
#include "engine/evaluate/evaluator.hpp"
#include "jobs/inputs.hpp"
#include "jobs/plan_of_job.hpp"
#include "jobs/screening.hpp"
#include "jobs/stages.hpp"
#include "jobs/transient_campaign.hpp"

namespace flipstorm
{

PlanOptions plan_options(const Job& job, std::uint64_t images)
{
    PlanOptions options;
    options.scheme = scheme_from(job.campaign.scheme);
    options.precision = {job.campaign.error_margin, job.campaign.t, 0.5};
    options.limit = static_cast<std::uint64_t>(job.campaign.limit);
    options.seed = job.job.seed;
    options.images = images;
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
            break;
    }
    return options;
}

namespace
{

/// How the layers are screened, as a paragraph; empty without a screen.
std::string describe_screen(const ScreenPolicy& policy, const std::vector<InjectableLayer>& layers,
                            const std::vector<LayerWork>& work)
{
    if (!policy.screened) return {};
    std::string audited;
    std::string exact;
    for (std::size_t l = 0; l < layers.size(); ++l)
    {
        if (work[l].faults == 0) continue;
        const double share = first_audit_share(policy, work[l].pairs);
        if (share == 1)
            exact += (exact.empty() ? "" : ", ") + layers[l].name;
        else
            audited +=
                fmt::format("{}{} {} %", audited.empty() ? "" : ", ", layers[l].name, format_percent(share));
    }
    std::string text = fmt::format("Screened with kappa = {:g} and tau = {:g}.", policy.kappa, policy.tau);
    if (!audited.empty()) text += fmt::format(" Audited of the screened pairs: {}.", audited);
    if (!exact.empty())
    {
        text += fmt::format(" Too few pairs to prove campaign.screen_bound = {:g}, so evaluated exactly: {}.",
                            policy.bound, exact);
    }
    return text + "\n";
}

}  // namespace

std::string describe_plan(const Context& context)
{
    const Job& job = context.job;
    std::string text;
    const auto network = [&] {
        if (std::filesystem::exists(context.model_file())) return load_network(context.model_file());
        return fresh_network(job, load_dataset(job));
    }();
    const auto images = static_cast<std::uint64_t>(load_test_images(job).size());
    const std::vector<InjectableLayer> layers = injectable_layers(network);
    if (is_transient(job)) return describe_transient_plan(job, network, images);
    const Plan plan(layers, plan_options(job, images));

    ResultTable table;
    table.title = fmt::format("Plan of '{}': {}, {} on {} test images", job.job.name, job.campaign.scheme,
                              job.campaign.target, format_count(images));
    table.columns = {"layer", "bit", "population", "planned", "injected"};
    table.text_columns = 2;
    std::uint64_t population = 0;
    std::uint64_t planned = 0;
    for (const Stratum& stratum : plan.strata())
    {
        population += stratum.population;
        planned += stratum.planned;
        table.rows.push_back(
            {stratum.layer < 0 ? "all" : layers[static_cast<std::size_t>(stratum.layer)].name,
             stratum.bit < 0 ? "all" : std::to_string(stratum.bit), format_count(stratum.population),
             format_count(stratum.planned), format_count(stratum.drawn)});
    }
    table.rows.push_back(
        {"total", "", format_count(population), format_count(planned), format_count(plan.size())});
    table.note =
        fmt::format("Sample sizes for an error margin of {} at t = {:.4f}, p = 0.5, without replacement.",
                    job.campaign.error_margin, job.campaign.t);
    text += render_text(table);

    const double macs = std::accumulate(plan.chunks().begin(), plan.chunks().end(), 0.0,
                                        [](double sum, const Chunk& chunk) { return sum + chunk.macs; });
    std::int64_t activations = 0;
    std::int64_t network_macs = 0;
    for (std::size_t i = 0; i < network.graph.nodes().size(); ++i)
    {
        activations += elements(network.graph.nodes()[i].shape);
        network_macs += network.graph.macs(NodeId(static_cast<std::int32_t>(i)));
    }
    constexpr double kFaultBytes = 80;  // of a row in campaign.h5 before compression
    text += fmt::format(
        "\n{} chunks. At most {} inferences, {:.3g} MAC ({:.1f} % of re-running the network for each "
        "fault).\n"
        "Memory per rank for golden activations: up to {:.0f} MiB (budget {} MiB). campaign.h5: about {:.1f} "
        "MB.\n",
        format_count(plan.chunks().size()), format_count(plan.size() * images), macs,
        100.0 * macs /
            (static_cast<double>(network_macs) * static_cast<double>(images) *
             static_cast<double>(plan.size())),
        static_cast<double>(activations) * static_cast<double>(images) * sizeof(float) / (1 << 20),
        job.campaign.memory_budget, static_cast<double>(plan.size()) * kFaultBytes / 1e6 / 4);
    return text + describe_screen(screen_policy(job), layers, work_of_layers(plan, layers.size(), images));
}

}  // namespace flipstorm
