#include "hdf5_schema/comparison_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "hdf5_schema/h5_reader.hpp"
#include "hdf5_schema/h5_writer.hpp"

namespace flipstorm
{
namespace
{

/// Names a member of a row as a column: writes it, or reads it, depending on what `visit` does.
template<class Visit, class Row>
void visit_measured(const std::string& path, const Visit& visit, MeasuredShare Row::*member)
{
    visit(
        path, [member](auto& row) -> auto& { return (row.*member).value; });
    visit(
        path + "_low", [member](auto& row) -> auto& { return (row.*member).low; });
    visit(
        path + "_high", [member](auto& row) -> auto& { return (row.*member).high; });
}

/// All columns of /variants: path and access to the member.
template<class Visit>
void visit_variants(const Visit& visit)
{
    using Row = VariantResult;
    const auto member = [&visit](const std::string& name, auto pointer) {
        visit(
            "/variants/" + name, [pointer](auto& row) -> auto& { return row.*pointer; });
    };
    member("name", &Row::name);
    member("changes", &Row::changes);
    member("arch", &Row::arch);
    member("format", &Row::format);
    member("weights", &Row::weights);
    member("test_accuracy", &Row::test_accuracy);
    member("mean_weight", &Row::mean_weight);
    member("mean_magnitude", &Row::mean_magnitude);
    member("seconds_per_image", &Row::seconds_per_image);
    member("target", &Row::target);
    member("faults", &Row::faults);
    member("images", &Row::images);
    member("clean_accuracy", &Row::clean_accuracy);
    member("noisy_accuracy", &Row::noisy_accuracy);
    visit_measured("/variants/regret", visit, &Row::regret);
    visit_measured("/variants/critical_sdc", visit, &Row::critical_sdc);
    member("tolerance", &Row::tolerance);
    visit_measured("/variants/critical_bits", visit, &Row::critical_bits);
    member("scheme", &Row::scheme);
    member("protection_overhead", &Row::protection_overhead);
    member("full_overhead", &Row::full_overhead);
    member("residual", &Row::residual);
}

/// All columns of /fault_models.
template<class Visit>
void visit_fault_models(const Visit& visit)
{
    using Row = FaultModelResult;
    visit(
        "/fault_models/variant", [](auto& row) -> auto& { return row.variant; });
    visit(
        "/fault_models/name", [](auto& row) -> auto& { return row.fault_model; });
    visit(
        "/fault_models/faults", [](auto& row) -> auto& { return row.faults; });
    visit_measured("/fault_models/regret", visit, &Row::regret);
    visit_measured("/fault_models/critical_sdc", visit, &Row::critical_sdc);
}

/// All columns of /tolerances.
template<class Visit>
void visit_tolerances(const Visit& visit)
{
    using Row = ToleranceResult;
    visit(
        "/tolerances/variant", [](auto& row) -> auto& { return row.variant; });
    visit(
        "/tolerances/tolerance", [](auto& row) -> auto& { return row.tolerance; });
    visit(
        "/tolerances/faults", [](auto& row) -> auto& { return row.faults; });
    visit(
        "/tolerances/critical", [](auto& row) -> auto& { return row.critical; });
    visit_measured("/tolerances/injected", visit, &Row::injected);
    visit_measured("/tolerances/all", visit, &Row::all);
}

/// All columns of /forests.
template<class Visit>
void visit_forests(const Visit& visit)
{
    using Row = ForestResult;
    const auto member = [&visit](const std::string& name, auto pointer) {
        visit(
            "/forests/" + name, [pointer](auto& row) -> auto& { return row.*pointer; });
    };
    member("variant", &Row::variant);
    member("kind", &Row::kind);
    member("tolerance", &Row::tolerance);
    member("auc_folds", &Row::auc_folds);
    member("auc_grouped", &Row::auc_grouped);
    member("auc_test", &Row::auc_test);
    member("acceptable_acceptable", &Row::acceptable_acceptable);
    member("acceptable_critical", &Row::acceptable_critical);
    member("critical_acceptable", &Row::critical_acceptable);
    member("critical_critical", &Row::critical_critical);
}

/// All columns of /overheads.
template<class Visit>
void visit_overheads(const Visit& visit)
{
    using Row = OverheadResult;
    const auto member = [&visit](const std::string& name, auto pointer) {
        visit(
            "/overheads/" + name, [pointer](auto& row) -> auto& { return row.*pointer; });
    };
    member("variant", &Row::variant);
    member("kind", &Row::kind);
    member("word_bits", &Row::word_bits);
    member("tolerance", &Row::tolerance);
    member("all_parameters", &Row::all_parameters);
    member("critical_parameters", &Row::critical_parameters);
    member("signature", &Row::signature);
    member("gain", &Row::gain);
}

/// Writes a column of rows.
template<class Row>
auto column_writer(H5Writer& out, const std::vector<Row>& rows)
{
    return [&out, &rows](const std::string& path, auto access) {
        using Value = std::decay_t<decltype(access(std::declval<const Row&>()))>;
        std::vector<Value> values;
        for (const Row& row : rows)
            values.push_back(access(row));
        out.dataset(path, values);
    };
}

/// Reads a column into rows, which are there already.
template<class Row>
auto column_reader(const H5Reader& in, std::vector<Row>& rows)
{
    return [&in, &rows](const std::string& path, auto access) {
        using Value = std::decay_t<decltype(access(std::declval<Row&>()))>;
        std::vector<Value> values;
        if constexpr (std::is_same_v<Value, std::string>)
            values = in.texts(path);
        else
            values = in.template dataset<Value>(path);
        in.expect(values.size() == rows.size(),
                  fmt::format("'{}' has {} rows, {} are expected", path, values.size(), rows.size()));
        for (std::size_t i = 0; i < rows.size(); ++i)
            access(rows[i]) = values[i];
    };
}

/// \throws FileError unless each row belongs to a variant.
template<class Row>
void check_variants(const H5Reader& in, const std::string& group, const std::vector<Row>& rows,
                    std::size_t variants)
{
    for (const Row& row : rows)
    {
        in.expect(row.variant >= 0 && static_cast<std::size_t>(row.variant) < variants,
                  fmt::format("'/{}/variant' has {}, which is no row of '/variants'", group, row.variant));
    }
}

/// \throws FileError unless a figure is a number within its interval, or NaN where it was not measured.
void check_measured(const H5Reader& in, const std::string& what, const MeasuredShare& measured)
{
    constexpr double kRounding = 1e-9;
    const bool none = std::isnan(measured.value);
    in.expect(
        none ||
            (std::isfinite(measured.value) && std::abs(measured.value) <= 1 + kRounding &&
             !(measured.low > measured.value + kRounding) && !(measured.high < measured.value - kRounding)),
        fmt::format("{} is {} [{}, {}], which cannot be", what, measured.value, measured.low, measured.high));
}

/// \throws FileError unless the values of the tables can be.
void check_values(const H5Reader& in, const ComparisonRecord& comparison)
{
    for (const VariantResult& row : comparison.variants)
    {
        const std::string of = fmt::format("of the variant '{}'", row.name);
        for (const double share :
             {row.test_accuracy, row.clean_accuracy, row.noisy_accuracy, row.tolerance, row.residual})
        {
            in.expect(
                std::isnan(share) || (share >= 0 && share <= 1),
                fmt::format("an accuracy, tolerance or residual {} is {}; 0 … 1 is possible", of, share));
        }
        check_measured(in, "the regret " + of, row.regret);
        check_measured(in, "the share of critical SDCs " + of, row.critical_sdc);
        check_measured(in, "the share of critical bits " + of, row.critical_bits);
    }
    for (const FaultModelResult& row : comparison.fault_models)
    {
        check_measured(in, fmt::format("the regret under '{}'", row.fault_model), row.regret);
        check_measured(in, fmt::format("the share of critical SDCs under '{}'", row.fault_model),
                       row.critical_sdc);
    }
    for (const ToleranceResult& row : comparison.tolerances)
    {
        in.expect(
            row.tolerance >= 0 && row.tolerance <= 1 && row.critical <= row.faults,
            fmt::format(
                "'/tolerances' has {} critical of {} faults for a tolerated drop of {}, which cannot be",
                row.critical, row.faults, row.tolerance));
        check_measured(in, "a critical share of '/tolerances'", row.injected);
        check_measured(in, "a critical share of '/tolerances'", row.all);
    }
    for (const ForestResult& row : comparison.forests)
    {
        for (const double auc : {row.auc_folds, row.auc_grouped, row.auc_test})
            in.expect(std::isnan(auc) || (auc >= 0 && auc <= 1),
                      fmt::format("an AUC of '/forests' is {}; 0 … 1 is possible", auc));
    }
    for (const OverheadResult& row : comparison.overheads)
    {
        in.expect(std::isfinite(row.all_parameters) && std::isfinite(row.critical_parameters) &&
                      std::isfinite(row.signature) && std::isfinite(row.gain),
                  "an overhead of '/overheads' is not finite");
    }
    const std::vector<double>& edges = comparison.weights.edges;
    in.expect(std::all_of(edges.begin(), edges.end(), [](double edge) { return std::isfinite(edge); }) &&
                  std::is_sorted(edges.begin(), edges.end()),
              "'/weights/edges' do not rise, or are not finite");
}

}  // namespace

void write_comparison(const std::filesystem::path& file, const ComparisonRecord& comparison)
{
    H5Writer out(file, comparison_spec(), comparison.provenance);
    out.attribute("/", "device", comparison.device);
    out.attribute("/", "threads", comparison.threads);
    out.attribute("/", "batch", comparison.batch);
    visit_variants(column_writer(out, comparison.variants));
    visit_fault_models(column_writer(out, comparison.fault_models));
    std::vector<std::string> data;
    for (const VariantResult& variant : comparison.variants)
        data.push_back(variant.data);
    out.dataset("/variants/data", data);
    visit_tolerances(column_writer(out, comparison.tolerances));
    visit_forests(column_writer(out, comparison.forests));
    visit_overheads(column_writer(out, comparison.overheads));
    std::vector<std::uint64_t> counts;
    for (const std::vector<std::uint64_t>& variant : comparison.weights.counts)
        counts.insert(counts.end(), variant.begin(), variant.end());
    out.dataset("/weights/edges", comparison.weights.edges);
    out.dataset("/weights/counts", counts,
                {comparison.weights.counts.size(), comparison.weights.edges.size() - 1});
    out.publish();
}

ComparisonRecord read_comparison(const std::filesystem::path& file)
{
    const H5Reader in(file, comparison_spec());
    ComparisonRecord comparison;
    comparison.provenance = in.provenance();
    comparison.device = in.text_attribute("/", "device");
    comparison.threads = in.attribute<std::int32_t>("/", "threads");
    comparison.batch = in.attribute<std::int32_t>("/", "batch");
    comparison.variants.resize(in.texts("/variants/name").size());
    visit_variants(column_reader(in, comparison.variants));
    comparison.fault_models.resize(in.texts("/fault_models/name").size());
    visit_fault_models(column_reader(in, comparison.fault_models));
    const std::size_t variants = comparison.variants.size();
    check_variants(in, "fault_models", comparison.fault_models, variants);
    if (in.has("/tolerances"))  // since version 1.2
    {
        const std::vector<std::string> data = in.texts("/variants/data");
        in.expect(data.size() == variants, "'/variants/data' has not one row for each variant");
        for (std::size_t v = 0; v < variants; ++v)
            comparison.variants[v].data = data[v];
        comparison.tolerances.resize(in.dims("/tolerances/variant").at(0));
        visit_tolerances(column_reader(in, comparison.tolerances));
        check_variants(in, "tolerances", comparison.tolerances, variants);
        comparison.forests.resize(in.dims("/forests/variant").at(0));
        visit_forests(column_reader(in, comparison.forests));
        check_variants(in, "forests", comparison.forests, variants);
        comparison.overheads.resize(in.dims("/overheads/variant").at(0));
        visit_overheads(column_reader(in, comparison.overheads));
        check_variants(in, "overheads", comparison.overheads, variants);
    }
    comparison.weights.edges = in.dataset<double>("/weights/edges");
    const std::vector<hsize_t> dims = in.dims("/weights/counts");
    in.expect(dims[0] == variants && !comparison.weights.edges.empty() &&
                  comparison.weights.edges.size() - 1 == dims[1],
              "'/weights/counts' is not [variants, bins] with one edge more than bins");
    const auto counts = in.dataset<std::uint64_t>("/weights/counts");
    for (std::size_t v = 0; v < variants; ++v)
    {
        const auto first = counts.begin() + static_cast<std::ptrdiff_t>(v * dims[1]);
        comparison.weights.counts.emplace_back(first, first + static_cast<std::ptrdiff_t>(dims[1]));
    }
    check_values(in, comparison);
    return comparison;
}

}  // namespace flipstorm
