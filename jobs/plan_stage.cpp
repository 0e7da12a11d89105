// `plan` and --dry-run: what a campaign would do, before it does it.

#include <fmt/format.h>

#include <memory>

#include "analysis/tables.hpp"
#include "engine/evaluate/evaluator.hpp"
#include "engine/faults/bit_class.hpp"
#include "jobs/calibration.hpp"
#include "jobs/campaign.hpp"
#include "jobs/cost_print.hpp"
#include "jobs/inputs.hpp"
#include "jobs/plan_of_job.hpp"
#include "jobs/screening.hpp"
#include "jobs/stages.hpp"

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
    const BitClasses classes = bit_classes(number_format(job.model.format));
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
    const bool fresh = !std::filesystem::exists(context.model_file());
    const std::unique_ptr<Campaign> campaign = plan_campaign(
        job, fresh ? fresh_network(job, load_dataset(job)) : load_network(context.model_file()));
    const std::vector<InjectableLayer>& layers = campaign->layers;
    const Plan& plan = *campaign->plan;
    const auto images = static_cast<std::uint64_t>(campaign->images.size());

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
    text += render_text(table) + "\n";
    text += fmt::format("{} chunks; at most {} inferences.\n", format_count(plan.chunks().size()),
                        format_count(plan.size() * images));
    text += describe_screen(campaign->policy, layers, campaign->work) + "\n";
    if (!context.cost.possible)
    {
        return text +
               "No estimate of the cost: the job asks for a GPU (device.kind = \"cuda\"), and here is none. "
               "Run plan where the campaign will run.\n";
    }
    const Calibration calibration = calibrate(context, *campaign, context.cost.calibrate);
    CostSetting setting;
    setting.campaign = campaign.get();
    setting.calibration = &calibration;
    setting.device = to_string(evaluation_options(context, evaluation_mode(job.campaign.evaluation)).device);
    setting.threads = context.threads;
    setting.fresh = fresh;
    setting.memory_budget = static_cast<std::uint64_t>(job.campaign.memory_budget) << 20U;
    if (!context.cost.ranks.empty())
        setting.ranks = parse_ranks(context.cost.ranks);
    else if (context.world.size() > 1)
        setting.ranks = {{static_cast<std::uint64_t>(context.world.size()), 1}};
    return text + describe_cost(setting);
}

}  // namespace flipstorm
