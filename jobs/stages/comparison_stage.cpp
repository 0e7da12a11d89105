// Stage `report` of a job with variants: model, campaign and protection of each → OUT/comparison.h5 and page.

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "analysis/comparison.hpp"
#include "analysis/python.hpp"
#include "analysis/variant_tables.hpp"
#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/log.hpp"
#include "engine/base/sha256.hpp"
#include "engine/base/standard_output.hpp"
#include "engine/compute/torch/inference_time.hpp"
#include "hdf5_schema/file_summary.hpp"
#include "hdf5_schema/transient_campaign_file.hpp"
#include "jobs/campaign/kinds/kind.hpp"
#include "jobs/job_file/job_print.hpp"
#include "jobs/resolve/inputs.hpp"
#include "jobs/resolve/processor.hpp"
#include "jobs/resolve/stoppable.hpp"
#include "jobs/stages/variants.hpp"

namespace flipstorm
{
namespace
{

constexpr const char* kProtection = "protection.h5";
const std::vector<std::string> kFigures = {"regret", "protection", "weights"};

/// How many of the figures there is something to draw for.
std::size_t drawable_figures(const ComparisonRecord& comparison)
{
    const auto has = [&comparison](auto figure) {
        return std::any_of(comparison.variants.begin(), comparison.variants.end(),
                           [&figure](const VariantResult& variant) { return !std::isnan(figure(variant)); });
    };
    return (has([](const VariantResult& v) { return v.regret.value; }) ? 1U : 0U) +
           (has([](const VariantResult& v) { return v.protection_overhead; }) ? 1U : 0U) +
           (has([](const VariantResult& v) { return v.mean_magnitude; }) ? 1U : 0U);
}

std::string changes_text(const JobFile& file, std::size_t variant)
{
    std::string text;
    for (const std::string& change : variant_changes(file, file.variants.at(variant)))
        text += (text.empty() ? "" : "; ") + change;
    return text;
}

/// Digest of all that the comparison is made from.
std::string comparison_digest(const JobFile& file, const std::vector<VariantContext>& variants, bool timed)
{
    std::string text = "flipstorm comparison 2\n";
    if (!timed) text += "inference not timed\n";
    for (std::size_t i = 0; i < variants.size(); ++i)
    {
        const Context& context = variants[i].context;
        text += variants[i].name + "\n" + changes_text(file, i) + "\n";
        for (const std::filesystem::path& input : {context.model_file(), context.campaign_file(),
                                                   context.forest_file(), context.file(kProtection)})
        {
            text += std::filesystem::exists(input) ? stage_digest_of(input) + "\n" : "none\n";
        }
    }
    return sha256_hex(text);
}

std::vector<float> weights_of(const Network& network)
{
    std::vector<float> weights;
    for (const InjectableLayer& layer : injectable_layers(network))
    {
        const std::vector<float>& values = network.parameters[layer.weight].values();
        weights.insert(weights.end(), values.begin(), values.end());
    }
    return weights;
}

/// What the campaign, the forest and the protection of a variant say. \param seen  campaigns of the variants
/// before
void add_results(ComparisonRecord& comparison, std::size_t row, const Context& context,
                 std::set<std::filesystem::path>& seen)
{
    const auto variant = static_cast<std::int32_t>(row);
    const std::filesystem::path file = context.campaign_file();
    if (std::filesystem::exists(file))
    {
        const std::size_t known = comparison.tolerances.size();
        kind_named(campaign_target(file)).compare(comparison, row, file, context.job.harden.tolerance);
        // Variants that learn from another's campaign do not show it again.
        if (!seen.insert(std::filesystem::canonical(file)).second) comparison.tolerances.resize(known);
    }
    std::string kind = "-";
    if (std::filesystem::exists(context.forest_file()))
    {
        const ForestRecord forest = read_forest(context.forest_file());
        add_forest(comparison, variant, forest);
        kind = forest.kind;
    }
    if (!std::filesystem::exists(context.file(kProtection))) return;
    const ProtectionRecord protection = read_protection(context.file(kProtection));
    add_protection(comparison.variants.at(row), protection);
    add_overhead(comparison, variant, kind, protection);
}

/// A data set in a heading: its folder's name, where the kind says nothing, or its kind.
std::string data_heading(const Job& job)
{
    if (job.data.kind != "idx") return job.data.kind;
    std::filesystem::path folder(job.data.path);
    if (!folder.has_filename()) folder = folder.parent_path();
    return folder.filename().string();
}

/// Test images by the [data] table that names them; variants mostly share them.
class TestImages
{
  public:
    const ImageSet& of(const Job& job)
    {
        const std::string key = fmt::format("{}{}\n{}\n{}", canonical_tables(job, {"data"}), job.data.path,
                                            job.data.label_offset, job.data.labels);
        const auto found = images_.find(key);
        return found != images_.end() ? found->second
                                      : images_.emplace(key, load_test_images(job)).first->second;
    }

  private:
    std::map<std::string, ImageSet> images_;
};

/// Everything that is compared; times inference where something computes networks.
ComparisonRecord compare(const Context& common, const JobFile& file,
                         const std::vector<VariantContext>& variants, const StopRequest& stop)
{
    ComparisonRecord comparison;
    std::vector<Network> networks;
    networks.reserve(variants.size());
    std::vector<std::vector<float>> weights(variants.size());
    TestImages images;
    std::vector<TimedNetwork> timed;
    std::vector<std::size_t> timed_variants;
    std::set<std::filesystem::path> campaigns;
    for (std::size_t i = 0; i < variants.size(); ++i)
    {
        stop_if_asked(stop);
        const Context& context = variants[i].context;
        comparison.variants.push_back({});
        comparison.variants.back().name = variants[i].name;
        comparison.variants.back().changes = changes_text(file, i);
        comparison.variants.back().data = data_heading(context.job);
        add_results(comparison, i, context, campaigns);
        if (!std::filesystem::exists(context.model_file())) continue;
        networks.push_back(load_network(context.model_file()));
        VariantResult& result = comparison.variants.back();
        result.arch = networks.back().arch;
        result.format = to_string(networks.back().format);
        result.test_accuracy = read_model(context.model_file()).test_accuracy;
        weights[i] = weights_of(networks.back());
        add_weights(result, weights[i]);
        if (context.processor == nullptr) continue;
        timed.push_back({&networks.back(), &images.of(context.job), context.device});
        timed_variants.push_back(i);
    }
    comparison.weights = weight_histogram(weights);
    if (common.processor == nullptr) return comparison;
    stop_if_asked(stop);
    const InferenceTimes times = common.processor->time_inference(timed, common.device, common.threads);
    for (std::size_t i = 0; i < times.seconds.size(); ++i)
        comparison.variants[timed_variants[i]].seconds_per_image = times.seconds[i];
    comparison.device = times.device;
    comparison.threads = times.threads;
    comparison.batch = times.batch;
    return comparison;
}

StageEnd compare_on_root(const Context& context, const JobFile& file,
                         const std::vector<VariantContext>& variants, const StopRequest& stop)
{
    const std::filesystem::path data = context.file("comparison.h5");
    const bool timing = context.processor != nullptr;
    const std::string timed = comparison_digest(file, variants, true);
    // Without timing, one whose inference was timed is as good.
    const bool is_timed =
        timing || (!context.fresh && std::filesystem::exists(data) && stage_digest_of(data) == timed);
    const std::string stage_sha256 = is_timed ? timed : comparison_digest(file, variants, false);
    ComparisonRecord comparison;
    if (output_is_current(context, data, stage_sha256, false))
    {
        comparison = read_comparison(data);
    }
    else
    {
        log_info("comparing {} variants{}", variants.size(), timing ? "; timing their inference" : "");
        make_folder(context.out());
        comparison = compare(context, file, variants, stop);
        stop_if_asked(stop);
        comparison.provenance = make_provenance(context, stage_sha256, "", "");
        write_comparison(data, comparison);
    }
    const std::filesystem::path page = context.file("report.html");
    const std::string stamp = fmt::format("<!-- flipstorm comparison 2 {} -->", sha256_hex(stage_sha256));
    if (context.fresh || !std::filesystem::exists(page) || read_file(page).find(stamp) == std::string::npos)
    {
        const std::vector<std::string> figures =
            draw_figures(context.out(), kFigures, {"--comparison"}, stop);
        // Without all figures it is not final: the next run tries again.
        const bool whole = figures.size() == drawable_figures(comparison);
        write_file_durably(
            page, render_comparison(comparison, context.job.job.name, figures) + (whole ? stamp + "\n" : ""));
    }
    print_result("{}\n", render_text(comparison_table(comparison)));
    if (variants.size() > 1) print_result("{}\n", render_text(relative_table(comparison)));
    for (const ResultTable& table : variant_tables(comparison))
        print_result("{}\n", render_text(table));
    print_result("Comparison: {}\n", page.string());
    flush_output();
    return StageEnd::complete;
}

}  // namespace

StageEnd run_comparison(const Context& context, const JobFile& file,
                        const std::vector<VariantContext>& variants)
{
    return on_root_until_stopped(
        context, {}, [&](const StopRequest& stop) { return compare_on_root(context, file, variants, stop); });
}

}  // namespace flipstorm
