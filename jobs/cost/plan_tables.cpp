#include "jobs/cost/plan_tables.hpp"

#include <fmt/format.h>

#include <array>

#include "engine/faults/iterative.hpp"

namespace flipstorm
{
namespace
{

constexpr std::size_t kMostRows = 64;

constexpr std::array<std::pair<Scheme, const char*>, 6> kSchemes = {{{Scheme::network_wise, "network_wise"},
                                                                     {Scheme::layer_wise, "layer_wise"},
                                                                     {Scheme::data_unaware, "data_unaware"},
                                                                     {Scheme::data_aware, "data_aware"},
                                                                     {Scheme::iterative, "iterative"},
                                                                     {Scheme::guided, "guided"}}};

std::string name_of(const std::vector<InjectableLayer>& layers, const Stratum& stratum)
{
    return stratum.layer < 0 ? "all" : layers[static_cast<std::size_t>(stratum.layer)].name;
}

std::string precision_note(const PlanOptions& options, const std::string& prior)
{
    return fmt::format("an error margin of {} at t = {:.4f}{}, without replacement",
                       options.precision.error_margin, options.precision.quantile, prior);
}

}  // namespace

ResultTable strata_table(const Job& job, const std::vector<InjectableLayer>& layers, const Plan& plan,
                         std::uint64_t images, bool all)
{
    const CampaignTable& campaign = job.campaign;
    const bool upset_bits = upset_model(campaign.fault_model, campaign.upset_bits).bits > 1;
    const bool by_layer = !all && plan.strata().size() > kMostRows;
    ResultTable table;
    table.title = fmt::format(
        "Plan of '{}': {}{}, {}{} in {}, on {} test images", job.job.name, campaign.scheme,
        campaign.exhaustive ? ", exhaustive" : "", campaign.fault_model,
        upset_bits ? fmt::format(" ({})", campaign.upset_bits) : "", campaign.target, format_count(images));
    table.columns = {"layer", by_layer ? "strata" : "bit", "population", "planned", "injected"};
    if (plan.iterative()) table.columns = {"layer", table.columns[1], "population", "at least", "at most"};
    table.text_columns = 2;
    const auto row_of = [&](const std::string& layer, const std::string& bit, const Stratum& sum) {
        table.rows.push_back(
            {layer, bit, format_count(sum.population), format_count(sum.planned), format_count(sum.drawn)});
    };
    Stratum total;
    Stratum of_layer;
    std::size_t strata = 0;
    for (std::size_t s = 0; s < plan.strata().size(); ++s)
    {
        Stratum stratum = plan.strata()[s];
        if (plan.iterative()) stratum.planned = plan.pilot(StratumId(static_cast<std::int32_t>(s)));
        for (Stratum* sum : {&total, &of_layer})
        {
            sum->population += stratum.population;
            sum->planned += stratum.planned;
            sum->drawn += stratum.drawn;
        }
        ++strata;
        const std::string name = name_of(layers, stratum);
        if (!by_layer)
        {
            row_of(name, stratum.bit < 0 ? "all" : std::to_string(stratum.bit), stratum);
            continue;
        }
        if (s + 1 < plan.strata().size() && plan.strata()[s + 1].layer == stratum.layer) continue;
        row_of(name, std::to_string(strata), of_layer);
        of_layer = {};
        strata = 0;
    }
    total.drawn = plan.most_faults();
    row_of("total", by_layer ? std::to_string(plan.strata().size()) : "", total);
    const PlanOptions shown{Scheme::layer_wise, {campaign.error_margin, campaign.t, 0.5}, 0, 0, 0};
    if (campaign.exhaustive)
        table.note = "Every fault of the layers.";
    else if (plan.budget() > 0)
        table.note = fmt::format(
            "Each stratum, of faults of words that hold the same at the bit, starts with a pilot (at least); "
            "the rest of about {} faults goes where the forest of those before is unsure.",
            format_count(plan.budget()));
    else if (plan.iterative())
        table.note = fmt::format(
            "Each stratum starts with a pilot (at least) and goes on until the Wilson interval of its "
            "critical share is within the margin for every tolerance; at most what p = 0.5 asks for. For "
            "{}.",
            precision_note(shown, ""));
    else
        table.note =
            fmt::format("Sample sizes for {}.",
                        precision_note(shown, campaign.scheme == "data_aware"
                                                  ? ", p of each bit guessed from the layer's weights"
                                                  : ", p = 0.5"));
    if (by_layer) table.note += " plan --strata prints each stratum.";
    return table;
}

std::vector<SchemeTotal> scheme_totals(const std::vector<InjectableLayer>& layers, PlanOptions options)
{
    options.exhaustive = false;
    std::vector<SchemeTotal> totals;
    for (const auto& [scheme, name] : kSchemes)
    {
        options.scheme = scheme;
        if (scheme == Scheme::guided &&
            (options.upset.model != FaultModel::bit_flip || options.bit_values.empty()))
            continue;
        SchemeTotal& total = totals.emplace_back();
        total.scheme = scheme;
        for (const Stratum& stratum : planned_strata(layers, options))
        {
            ++total.strata;
            total.population += stratum.population;
            total.most += stratum.planned;
            total.least += scheme == Scheme::iterative
                               ? smallest_sample(stratum.population, options.precision)
                               : stratum.planned;
        }
        if (scheme == Scheme::guided) total.least = total.most = guided_budget(layers, options);
    }
    return totals;
}

ResultTable totals_table(const std::vector<InjectableLayer>& layers, const PlanOptions& options, bool trained)
{
    ResultTable table;
    table.title = "Totals of all schemes";
    table.columns = {"scheme", "strata", "faults", "of all %"};
    const auto share = [](std::uint64_t faults, std::uint64_t population) {
        return format_percent(static_cast<double>(faults) / static_cast<double>(population), 3);
    };
    const std::vector<SchemeTotal> totals = scheme_totals(layers, options);
    const auto add = [&](const std::string& name, const SchemeTotal& total, std::uint64_t faults) {
        table.rows.push_back(
            {name, format_count(total.strata), format_count(faults), share(faults, total.population)});
    };
    for (std::size_t i = 0; i < totals.size(); ++i)
    {
        const SchemeTotal& total = totals[i];
        const std::string name = kSchemes.at(i).second;
        if (total.scheme == options.scheme && !options.exhaustive)
            table.marked = static_cast<std::ptrdiff_t>(table.rows.size());
        if (total.scheme == Scheme::iterative)
        {
            add(name + ", at least", total, total.least);
            add(name + ", at most", total, total.most);
        }
        else
        {
            add(name, total, total.most);
        }
    }
    if (options.exhaustive) table.marked = static_cast<std::ptrdiff_t>(table.rows.size());
    add("exhaustive", totals.front(), totals.front().population);
    table.note = fmt::format("For {}; before campaign.limit.", precision_note(options, ""));
    if (!trained) table.note += " The network is not trained yet: data_aware is for its initial weights.";
    return table;
}

}  // namespace flipstorm
