// `plan` and --dry-run: what a campaign would do, before it does it.

#include <fmt/format.h>

#include <numeric>

#include "analysis/tables.hpp"
#include "jobs/course.hpp"
#include "jobs/inputs.hpp"
#include "jobs/plan_of_job.hpp"
#include "jobs/plan_tables.hpp"
#include "jobs/screening.hpp"
#include "jobs/stages.hpp"

namespace flipstorm
{

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
    PlanOptions options = plan_options(job, network, layers, images);
    const Plan plan(layers, options);
    options.priors = layer_priors(network, layers);
    const bool trained = std::filesystem::exists(context.model_file());
    text += render_text(strata_table(job, layers, plan, images, context.all_strata)) + "\n" +
            render_text(totals_table(layers, options, trained));

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
        "\n{}{} chunks. At most {} inferences, {:.3g} MAC ({:.1f} % of re-running the network for each "
        "fault).\n"
        "Memory per rank for golden activations: up to {:.0f} MiB (budget {} MiB). campaign.h5: about {:.1f} "
        "MB.\n",
        plan.iterative() ? "Up to " : "", format_count(plan.chunks().size()),
        format_count(plan.size() * images), macs,
        100.0 * macs /
            (static_cast<double>(network_macs) * static_cast<double>(images) *
             static_cast<double>(plan.size())),
        static_cast<double>(activations) * static_cast<double>(images) * sizeof(float) / (1 << 20),
        job.campaign.memory_budget, static_cast<double>(plan.size()) * kFaultBytes / 1e6 / 4);
    // As the campaign starts: what an iterative one is sure to evaluate decides its audits.
    const ScreenPolicy policy = screen_policy(job);
    const Course course(plan, layers.size(), images, policy, options.precision, 0);
    std::vector<LayerWork> work;
    for (std::size_t l = 0; l < layers.size(); ++l)
        work.push_back(course.work(l));
    return text + describe_screen(policy, layers, work);
}

}  // namespace flipstorm
