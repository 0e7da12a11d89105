#include "jobs/cost/transient_plan_text.hpp"

#include <fmt/format.h>

#include <numeric>

#include "analysis/result_table.hpp"

namespace flipstorm
{

std::string describe_transient_plan(const Job& job, const Campaign& campaign, const TransientPlan& transient,
                                    const std::string& rules)
{
    const Plan& plan = transient.plan();
    const std::vector<InjectableLayer>& layers = campaign.layers();
    const Network& network = campaign.network;
    const auto images = static_cast<std::uint64_t>(campaign.images.size());
    ResultTable table;
    table.title =
        fmt::format("Plan of '{}': {}, {}, {} of {} test images per fault", job.job.name, job.campaign.scheme,
                    job.campaign.target, format_count(transient.images_per_fault()), format_count(images));
    table.columns = {"layer", "probability %", "planned", "injected"};
    const double population =
        std::accumulate(plan.strata().begin(), plan.strata().end(), 0.0,
                        [](double sum, const Stratum& s) { return sum + static_cast<double>(s.population); });
    std::uint64_t planned = 0;
    for (const Stratum& stratum : plan.strata())
    {
        planned += stratum.planned;
        table.rows.push_back(
            {stratum.layer < 0 ? "all" : layers[static_cast<std::size_t>(stratum.layer)].name,
             format_percent(static_cast<double>(stratum.population) / population),
             format_count(stratum.planned), format_count(stratum.drawn)});
    }
    table.rows.push_back({"total", format_percent(1), format_count(planned), format_count(plan.size())});
    table.note = job.transient.injections > 0
                     ? fmt::format("About {} faults strike each test image.", job.transient.injections)
                     : fmt::format(
                           "Sample sizes for an error margin of {} at t = {:.4f}, p = 0.5, of an "
                           "unbounded population.",
                           job.campaign.error_margin, job.campaign.t);
    std::int64_t macs = 0;
    for (std::int32_t i = 0; i <= network.graph.output().value(); ++i)
        macs += network.graph.macs(NodeId(i));
    const std::uint64_t inferences = plan.size() * transient.images_per_fault();
    return render_text(table) + fmt::format(
                                    "\n{} {} chunks, {} inferences under a fault ({:.1f} per image). At most "
                                    "{:.3g} MAC: each is run "
                                    "with and without the fault.\n",
                                    rules, format_count(plan.chunks().size()), format_count(inferences),
                                    static_cast<double>(inferences) / static_cast<double>(images),
                                    2 * static_cast<double>(macs) * static_cast<double>(inferences));
}

}  // namespace flipstorm
