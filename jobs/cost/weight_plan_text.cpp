#include "jobs/cost/weight_plan_text.hpp"

#include <fmt/format.h>

#include "analysis/result_table.hpp"
#include "engine/evaluate/evaluator.hpp"
#include "engine/memory/bit_class.hpp"
#include "jobs/campaign/course.hpp"
#include "jobs/campaign/kinds/weights.hpp"
#include "jobs/campaign/screening.hpp"
#include "jobs/cost/calibration.hpp"
#include "jobs/cost/cost_print.hpp"
#include "jobs/cost/plan_tables.hpp"
#include "jobs/resolve/plan_options.hpp"

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

std::string describe_weight_plan(const Context& context, const Campaign& campaign, bool trained,
                                 const StopRequest& stop)
{
    const Job& job = context.job;
    const std::vector<InjectableLayer>& layers = campaign.layers();
    const Plan& plan = campaign.plan();
    const auto images = static_cast<std::uint64_t>(campaign.images.size());
    PlanOptions options = plan_options(job, layers, images);
    options.priors = layer_priors(campaign.network, layers);
    options.excluded = excluded_faults(job, campaign.network, layers);
    options.bit_values = bit_values(campaign.network, layers);

    std::string text = render_text(strata_table(job, layers, plan, images, context.all_strata)) + "\n" +
                       render_text(totals_table(layers, options, trained)) + "\n";
    text += fmt::format("{}{} chunks; at most {} inferences.\n", plan.iterative() ? "Up to " : "",
                        format_count(plan.chunks().size()), format_count(plan.most_faults() * images));
    // As the campaign starts: what an iterative one is sure to evaluate decides its audits.
    const Course course(plan, layers.size(), images, campaign.policy, {options.precision});
    std::vector<LayerWork> work;
    for (std::size_t l = 0; l < layers.size(); ++l)
        work.push_back(course.work(l));
    text += describe_screen(campaign.policy, layers, work) + "\n";
    if (!context.cost.possible)
    {
        return text +
               "No estimate of the cost: the job asks for a GPU (device.kind = \"cuda\"), and here is none. "
               "Run plan where the campaign will run.\n";
    }
    stop_if_asked(stop);
    const Calibration calibration = calibrate(context, campaign, context.cost.calibrate);
    CostSetting setting;
    setting.campaign = &campaign;
    setting.calibration = &calibration;
    setting.device = to_string(evaluation_options(context, evaluation_mode(job.campaign.evaluation)).device);
    setting.threads = context.threads;
    setting.fresh = !trained;
    setting.memory_budget = static_cast<std::uint64_t>(job.campaign.memory_budget) << 20U;
    if (!context.cost.ranks.empty())
        setting.ranks = parse_ranks(context.cost.ranks);
    else if (context.world.size() > 1)
        setting.ranks = {{static_cast<std::uint64_t>(context.world.size()), 1}};
    stop_if_asked(stop);
    return text + describe_cost(setting);
}

}  // namespace flipstorm
