#include "analysis/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "analysis/estimates.hpp"
#include "analysis/transient_estimates.hpp"
#include "analysis/transient_report.hpp"
#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// "± 0.31": half the width of an interval, in points.
std::string half_width(const MeasuredShare& share)
{
    return format_number(50 * (share.high - share.low), 2);
}

/// Adds a column unless all its cells are "-".
void add_column(ResultTable& table, const std::string& head, const std::vector<std::string>& cells)
{
    if (std::all_of(cells.begin(), cells.end(), [](const std::string& cell) { return cell == "-"; })) return;
    table.columns.push_back(head);
    for (std::size_t row = 0; row < cells.size(); ++row)
        table.rows[row].push_back(cells[row]);
}

std::vector<std::string> cells_of(const std::vector<VariantResult>& variants,
                                  const std::function<std::string(const VariantResult&)>& cell)
{
    std::vector<std::string> cells;
    for (const VariantResult& variant : variants)
        cells.push_back(cell(variant));
    return cells;
}

/// Fault models in the order in which they first appear.
std::vector<std::string> fault_models_of(const ComparisonRecord& comparison)
{
    std::vector<std::string> names;
    for (const FaultModelResult& result : comparison.fault_models)
    {
        if (std::find(names.begin(), names.end(), result.fault_model) == names.end())
            names.push_back(result.fault_model);
    }
    return names;
}

/// A table with a row for each variant that has only its name so far.
ResultTable table_of_names(const ComparisonRecord& comparison, const std::string& title)
{
    ResultTable table;
    table.title = title;
    table.columns = {"variant"};
    for (const VariantResult& variant : comparison.variants)
        table.rows.push_back({variant.name});
    return table;
}

/// "÷ 3.7" or "× 1.2" of a figure to that of the first variant; "-" where it means nothing.
std::string factor(double value, double first)
{
    if (!(value > 0) || !(first > 0)) return value == 0 && first > 0 ? "0" : "-";
    return value <= first ? fmt::format("÷ {:.2f}", first / value) : fmt::format("× {:.2f}", value / first);
}

std::string points(double difference)
{
    return std::isnan(difference) ? "-" : fmt::format("{:+.2f}", 100 * difference);
}

}  // namespace

void add_weights(VariantResult& result, const std::vector<float>& weights)
{
    result.weights = weights.size();
    if (weights.empty()) return;
    double sum = 0;
    double magnitudes = 0;
    for (const float weight : weights)
    {
        sum += static_cast<double>(weight);
        magnitudes += std::abs(static_cast<double>(weight));
    }
    result.mean_weight = sum / static_cast<double>(weights.size());
    result.mean_magnitude = magnitudes / static_cast<double>(weights.size());
}

WeightHistogram weight_histogram(const std::vector<std::vector<float>>& weights, std::size_t bins)
{
    FS_REQUIRE(bins % 2 == 1, "{} bins: an odd number is needed", bins);
    double range = 0;
    for (const std::vector<float>& variant : weights)
    {
        if (variant.empty()) continue;
        std::vector<float> magnitudes(variant.size());
        std::transform(variant.begin(), variant.end(), magnitudes.begin(),
                       [](float weight) { return std::abs(weight); });
        const auto rank =
            static_cast<std::ptrdiff_t>(std::ceil(0.999 * static_cast<double>(magnitudes.size()))) - 1;
        std::nth_element(magnitudes.begin(), magnitudes.begin() + rank, magnitudes.end());
        range = std::max(range, static_cast<double>(magnitudes[static_cast<std::size_t>(rank)]));
    }
    if (range == 0) range = 1;
    WeightHistogram histogram;
    const double count = static_cast<double>(bins);
    for (std::size_t edge = 0; edge <= bins; ++edge)
        histogram.edges.push_back(range * (2 * static_cast<double>(edge) - count) / count);
    for (const std::vector<float>& variant : weights)
    {
        std::vector<std::uint64_t>& counts = histogram.counts.emplace_back(bins, 0);
        for (const float weight : variant)
        {
            const double place = (static_cast<double>(weight) + range) / (2 * range) * count;
            ++counts[static_cast<std::size_t>(std::clamp(place, 0.0, count - 1))];
        }
    }
    return histogram;
}

void add_campaign_header(VariantResult& result, const CampaignHeader& header, std::uint64_t faults)
{
    result.target = header.target;
    result.faults = faults;
    result.images = header.images;
    result.clean_accuracy = static_cast<double>(header.golden_correct) / static_cast<double>(header.images);
}

void add_weight_campaign(VariantResult& result, const CampaignRecord& campaign, double tolerance)
{
    const ShareEstimate share = estimate_critical_share(campaign, tolerance).network;
    result.tolerance = tolerance;
    result.critical_bits = {share.share, share.low, share.high};
}

void add_transient_campaign(VariantResult& result, const TransientCampaignRecord& campaign,
                            std::int32_t variant, std::vector<FaultModelResult>& fault_models)
{
    const Vulnerability all = network_vulnerability(campaign);
    result.regret = {all.regret, all.regret_low, all.regret_high};
    result.critical_sdc = {all.avf.share, all.avf.low, all.avf.high};
    result.noisy_accuracy = result.clean_accuracy - all.regret;
    const std::vector<std::uint8_t>& geometry = campaign.faults.geometry;
    for (int g = 0; g < 256 && !geometry.empty(); ++g)
    {
        const Vulnerability v = vulnerability(campaign, [&](std::size_t i) { return geometry.at(i) == g; });
        if (v.faults == 0) continue;
        fault_models.push_back({variant,
                                geometry_name(static_cast<std::uint8_t>(g)),
                                v.faults,
                                {v.regret, v.regret_low, v.regret_high},
                                {v.avf.share, v.avf.low, v.avf.high}});
    }
}

void add_protection(VariantResult& result, const ProtectionRecord& protection)
{
    result.full_overhead = protection.overhead.all_parameters;
    if (protection.chosen < 0) return;
    const ProtectionOption& chosen = protection.options.at(static_cast<std::size_t>(protection.chosen));
    result.scheme = chosen.scheme;
    result.protection_overhead = chosen.total_overhead;
    result.residual = chosen.measured_residual;
}

ResultTable comparison_table(const ComparisonRecord& comparison)
{
    const std::vector<VariantResult>& variants = comparison.variants;
    ResultTable table = table_of_names(comparison, "The variants compared");
    const auto add = [&](const std::string& head,
                         const std::function<std::string(const VariantResult&)>& cell) {
        add_column(table, head, cells_of(variants, cell));
    };
    add("test accuracy %", [](const auto& v) { return format_percent(v.test_accuracy); });
    const bool other_images = std::any_of(variants.begin(), variants.end(), [](const VariantResult& v) {
        return std::abs(v.clean_accuracy - v.test_accuracy) > 1e-9;
    });
    if (other_images) add("clean %", [](const auto& v) { return format_percent(v.clean_accuracy); });
    add("noisy %", [](const auto& v) { return format_percent(v.noisy_accuracy); });
    add("regret", [](const auto& v) { return format_percent(v.regret.value); });
    add("±", [](const auto& v) { return half_width(v.regret); });
    add("critical SDC %", [](const auto& v) { return format_percent(v.critical_sdc.value); });
    add("± ", [](const auto& v) { return half_width(v.critical_sdc); });
    for (const std::string& model : fault_models_of(comparison))
    {
        std::vector<std::string> cells(variants.size(), "-");
        for (const FaultModelResult& result : comparison.fault_models)
        {
            if (result.fault_model != model) continue;
            cells[static_cast<std::size_t>(result.variant)] = format_percent(result.critical_sdc.value);
        }
        add_column(table, model + " %", cells);
    }
    const auto shared_tolerance = [&] {
        for (const VariantResult& variant : variants)
        {
            if (!std::isnan(variant.tolerance)) return format_percent(variant.tolerance);
        }
        return std::string("-");
    }();
    const bool one_tolerance = std::all_of(variants.begin(), variants.end(), [&](const VariantResult& v) {
        return std::isnan(v.tolerance) || format_percent(v.tolerance) == shared_tolerance;
    });
    if (!one_tolerance) add("tolerance %", [](const auto& v) { return format_percent(v.tolerance); });
    add("critical bits %", [](const auto& v) { return format_percent(v.critical_bits.value, 3); });
    add("±  ",
        [](const auto& v) { return format_number(50 * (v.critical_bits.high - v.critical_bits.low), 3); });
    add("protection", [](const auto& v) { return v.scheme.empty() ? std::string("-") : v.scheme; });
    add("memory overhead %", [](const auto& v) { return format_number(v.protection_overhead, 3); });
    add("SEC on all %", [](const auto& v) { return format_number(v.full_overhead, 3); });
    add("left critical %", [](const auto& v) { return format_percent(v.residual, 4); });
    add("mean |w|", [](const auto& v) { return format_number(v.mean_magnitude, 5); });
    add("ms/image", [](const auto& v) { return format_number(1000 * v.seconds_per_image, 3); });
    const auto has = [&table](const std::string& column) {
        return std::find(table.columns.begin(), table.columns.end(), column) != table.columns.end();
    };
    table.note = "±: half the 95 % interval. Test accuracy: the whole test set.";
    if (other_images) table.note += " Clean: the campaign's images.";
    if (has("regret"))
    {
        table.note +=
            " Regret: points lost under faults. Critical SDC: (fault, image) pairs with another top-1 or a "
            "logit that is not finite; then by fault model.";
    }
    if (has("critical bits %"))
    {
        table.note += fmt::format(" Critical bits: share of the weight bits, tolerated drop {}.",
                                  one_tolerance ? shared_tolerance + " %" : "as given");
    }
    if (has("protection"))
        table.note += " Memory overhead: of the protection chosen; left critical: single upsets under it.";
    if (has("ms/image"))
    {
        table.note += fmt::format(
            " ms/image: fault-free inference, batches of {} on {} with {} thread(s), the best of several.",
            comparison.batch, comparison.device, comparison.threads);
    }
    return table;
}

ResultTable relative_table(const ComparisonRecord& comparison)
{
    if (comparison.variants.size() < 2) return {};
    const std::vector<VariantResult>& variants = comparison.variants;
    const VariantResult& first = variants.front();
    ResultTable table = table_of_names(comparison, fmt::format("Against {}", first.name));
    const auto add = [&](const std::string& head,
                         const std::function<std::string(const VariantResult&)>& cell) {
        add_column(table, head, cells_of(variants, cell));
    };
    add("test accuracy", [&](const auto& v) { return points(v.test_accuracy - first.test_accuracy); });
    add("regret", [&](const auto& v) { return points(v.regret.value - first.regret.value); });
    add("critical SDC",
        [&](const auto& v) { return factor(v.critical_sdc.value, first.critical_sdc.value); });
    for (const std::string& model : fault_models_of(comparison))
    {
        std::vector<double> shares(variants.size(), VariantResult::kNone);
        for (const FaultModelResult& result : comparison.fault_models)
        {
            if (result.fault_model == model)
                shares[static_cast<std::size_t>(result.variant)] = result.critical_sdc.value;
        }
        std::vector<std::string> cells;
        for (const double share : shares)
            cells.push_back(factor(share, shares.front()));
        add_column(table, model, cells);
    }
    add("critical bits",
        [&](const auto& v) { return factor(v.critical_bits.value, first.critical_bits.value); });
    add("memory overhead",
        [&](const auto& v) { return factor(v.protection_overhead, first.protection_overhead); });
    add("mean |w|", [&](const auto& v) { return factor(v.mean_magnitude, first.mean_magnitude); });
    add("time", [&](const auto& v) { return factor(v.seconds_per_image, first.seconds_per_image); });
    table.note =
        "Accuracy and regret: difference in points. Others: the factor by which the figure is smaller (÷) or "
        "larger (×).";
    return table;
}

}  // namespace flipstorm
