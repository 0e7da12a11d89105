#include "analysis/variant_tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "analysis/estimates.hpp"
#include "analysis/metrics.hpp"

namespace flipstorm
{
namespace
{

const VariantResult& variant_of(const ComparisonRecord& comparison, std::int32_t variant)
{
    return comparison.variants.at(static_cast<std::size_t>(variant));
}

MeasuredShare measured(const ShareInterval& share)
{
    return {share.share, share.low, share.high};
}

/// "1.266 ± 0.134", percent.
std::string with_half_width(const MeasuredShare& share)
{
    return fmt::format("{} ± {}", format_percent(share.value, 3),
                       format_percent((share.high - share.low) / 2, 3));
}

/// "fashion-mnist; fault-free accuracy fp32 90.80 %, fxp8 90.38 %"
std::string data_and_accuracy(const ComparisonRecord& comparison, const std::vector<std::int32_t>& variants)
{
    std::set<std::string> data;
    std::string accuracy;
    for (const std::int32_t v : variants)
    {
        const VariantResult& variant = variant_of(comparison, v);
        data.insert(variant.data);
        accuracy += fmt::format("{}{} {} %", accuracy.empty() ? "" : ", ", variant.name,
                                format_percent(variant.clean_accuracy));
    }
    return fmt::format("{}; fault-free accuracy {}", fmt::join(data, ", "), accuracy);
}

/// Variants with results, in their order.
template<class Row>
std::vector<std::int32_t> variants_of(const std::vector<Row>& rows)
{
    std::set<std::int32_t> variants;
    for (const Row& row : rows)
        variants.insert(row.variant);
    return {variants.begin(), variants.end()};
}

template<class Row>
std::vector<double> tolerances_of(const std::vector<Row>& rows)
{
    std::set<double> tolerances;
    for (const Row& row : rows)
        tolerances.insert(row.tolerance);
    return {tolerances.begin(), tolerances.end()};
}

}  // namespace

void add_tolerances(ComparisonRecord& comparison, std::int32_t variant, const CampaignRecord& campaign)
{
    for (const double tolerance : campaign.header.tolerances)
    {
        const ShareEstimate all = estimate_critical_share(campaign, tolerance).network;
        ToleranceResult result;
        result.variant = variant;
        result.tolerance = tolerance;
        result.faults = all.faults;
        result.critical = all.hits;
        // As if they were drawn from one population without end: strata of other sizes have other shares.
        result.injected =
            measured(estimate_share({{std::numeric_limits<std::uint64_t>::max(), all.faults, all.hits}}));
        result.all = measured(all);
        comparison.tolerances.push_back(result);
    }
}

void add_forest(ComparisonRecord& comparison, std::int32_t variant, const ForestRecord& forest)
{
    for (const ToleranceRecord& t : forest.tolerances)
    {
        comparison.forests.push_back({variant, forest.kind, t.tolerance,
                                      mean_of_known(t.folds, &ScoreRecord::auc),
                                      mean_of_known(t.grouped_folds, &ScoreRecord::auc), t.test().auc,
                                      t.confusion.acceptable_acceptable, t.confusion.acceptable_critical,
                                      t.confusion.critical_acceptable, t.confusion.critical_critical});
    }
}

void add_overhead(ComparisonRecord& comparison, std::int32_t variant, const std::string& kind,
                  const ProtectionRecord& protection)
{
    const OverheadRow& row = protection.overhead;
    comparison.overheads.push_back({variant, kind, protection.word_bits, protection.tolerance,
                                    row.all_parameters, row.critical_parameters, row.signature, row.gain});
}

ResultTable critical_shares_table(const ComparisonRecord& comparison)
{
    if (comparison.tolerances.empty()) return {};
    const std::vector<std::int32_t> variants = variants_of(comparison.tolerances);
    ResultTable table;
    table.title = fmt::format("Table I: critical faults, %, on {}", data_and_accuracy(comparison, variants));
    table.text_columns = 0;
    table.columns = {"tolerated drop %"};
    for (const std::int32_t variant : variants)
    {
        table.columns.push_back(variant_of(comparison, variant).name + " injected");
        table.columns.push_back("all");
    }
    for (const double tolerance : tolerances_of(comparison.tolerances))
    {
        std::vector<std::string>& row = table.rows.emplace_back(1, format_percent(tolerance));
        for (const std::int32_t variant : variants)
        {
            const auto found = std::find_if(
                comparison.tolerances.begin(), comparison.tolerances.end(),
                [&](const ToleranceResult& r) { return r.variant == variant && r.tolerance == tolerance; });
            const bool there = found != comparison.tolerances.end();
            row.push_back(there ? with_half_width(found->injected) : "-");
            row.push_back(there ? with_half_width(found->all) : "-");
        }
    }
    table.note =
        "Injected: share of the injected faults, as the paper's; all: share of all faults of the network, "
        "strata "
        "reweighted by population. ±: half the 95 % interval.";
    return table;
}

ResultTable forests_table(const ComparisonRecord& comparison)
{
    if (comparison.forests.empty()) return {};
    ResultTable table;
    table.title = "Table II: forests";
    table.text_columns = 2;
    table.columns = {"variant",        "forest",         "tolerated drop %", "AUC folds",
                     "AUC grouped",    "AUC held out",   "acc. → acc. %",    "acc. → crit. %",
                     "crit. → acc. %", "crit. → crit. %"};
    for (const std::int32_t variant : variants_of(comparison.forests))
    {
        std::vector<ForestResult> rows;
        std::copy_if(comparison.forests.begin(), comparison.forests.end(), std::back_inserter(rows),
                     [&](const ForestResult& row) { return row.variant == variant; });
        const std::set<std::size_t> shown{0, rows.size() / 2, rows.size() - 1};
        for (const std::size_t i : shown)
        {
            const ForestResult& row = rows[i];
            table.rows.push_back(
                {variant_of(comparison, variant).name, row.kind, format_percent(row.tolerance),
                 format_number(row.auc_folds, 4), format_number(row.auc_grouped, 4),
                 format_number(row.auc_test, 4), format_number(row.acceptable_acceptable, 2),
                 format_number(row.acceptable_critical, 2), format_number(row.critical_acceptable, 2),
                 format_number(row.critical_critical, 2)});
        }
    }
    table.note =
        "The least, the middle and the largest tolerated drop; all of them in each variant's own report. The "
        "last "
        "four columns are shares of the held-out faults by true class → predicted class. '-': too few faults "
        "of one "
        "class.";
    return table;
}

ResultTable overheads_table(const ComparisonRecord& comparison)
{
    if (comparison.overheads.empty()) return {};
    ResultTable table;
    table.title = "Table III: memory overhead of single-error correction, % of the weights";
    table.text_columns = 2;
    table.columns = {"variant",  "forest",    "tolerated drop %",     "word bits", "all",
                     "critical", "signature", "critical + signature", "gain %"};
    double sum = 0;
    const OverheadResult* best = &comparison.overheads.front();
    for (const OverheadResult& row : comparison.overheads)
    {
        table.rows.push_back(
            {variant_of(comparison, row.variant).name, row.kind, format_percent(row.tolerance),
             std::to_string(row.word_bits), format_number(row.all_parameters, 3),
             format_number(row.critical_parameters, 3), format_number(row.signature, 3),
             format_number(row.critical_parameters + row.signature, 3), format_number(row.gain, 2)});
        sum += row.gain;
        if (row.gain > best->gain) best = &row;
    }
    table.note = fmt::format(
        "A Hamming code on all parameters, on those that the forest takes for critical, and one flag per "
        "parameter. "
        "Gain = 1 - (critical + signature) / all: at most {} % ({}), {} % on average.",
        format_number(best->gain, 2), variant_of(comparison, best->variant).name,
        format_number(sum / static_cast<double>(comparison.overheads.size()), 2));
    return table;
}

std::vector<ResultTable> variant_tables(const ComparisonRecord& comparison)
{
    std::vector<ResultTable> tables = {critical_shares_table(comparison), forests_table(comparison),
                                       overheads_table(comparison)};
    tables.erase(std::remove_if(tables.begin(), tables.end(),
                                [](const ResultTable& table) { return table.rows.empty(); }),
                 tables.end());
    return tables;
}

}  // namespace flipstorm
