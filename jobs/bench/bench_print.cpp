#include "jobs/bench/bench_print.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "analysis/json_text.hpp"
#include "engine/base/units_text.hpp"
#include "engine/base/version.hpp"

namespace flipstorm
{
namespace
{

const ModeBench* find_mode(const std::vector<ModeBench>& modes, EvaluationMode mode)
{
    const auto found =
        std::find_if(modes.begin(), modes.end(), [mode](const ModeBench& m) { return m.mode == mode; });
    return found == modes.end() ? nullptr : &*found;
}

/// Floating-point operations per second; a multiply-accumulate is two.
double flops_of(const ModeBench& mode)
{
    return 2 * (mode.work().macs + mode.work().pass_macs) / mode.seconds();
}

double share(std::uint64_t part, std::uint64_t whole)
{
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

double ratio(const BenchSetting& setting, const ModeBench& mode, const std::vector<ModeBench>& modes)
{
    const ModeBench* reference = find_mode(modes, EvaluationMode::reference);
    return reference == nullptr ? std::numeric_limits<double>::quiet_NaN()
                                : faults_per_second(mode, setting.plan_faults) /
                                      faults_per_second(*reference, setting.plan_faults);
}

/// Three digits, without an exponent where that can be read.
std::string rate_text(double value)
{
    if (std::isnan(value)) return "-";
    return value >= 100 ? format_count(static_cast<std::uint64_t>(std::llround(value)))
                        : fmt::format("{:.3g}", value);
}

std::string mebibytes(std::uint64_t bytes)
{
    return bytes == 0 ? "-" : format_count((bytes + (1U << 19U)) >> 20U);
}

/// "15", "50 to 71", "1 (3 of 22 layers)"
std::string faults_text(const BenchSetting& setting, const ModeBench& mode)
{
    std::uint64_t fewest = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t most = 0;
    std::size_t measured = 0;
    std::size_t planned = 0;
    for (std::size_t l = 0; l < mode.layers.size(); ++l)
    {
        const std::uint64_t faults = mode.layers[l].faults();
        if (setting.plan_faults[l] > 0) ++planned;
        if (faults == 0) continue;
        ++measured;
        fewest = std::min(fewest, faults);
        most = std::max(most, faults);
    }
    std::string text = fewest == most ? format_count(most)
                                      : fmt::format("{} to {}", format_count(fewest), format_count(most));
    return measured == planned ? text : text + fmt::format(" ({} of {} layers)", measured, planned);
}

ResultTable speed_table(const BenchSetting& setting, const std::vector<ModeBench>& modes)
{
    ResultTable table;
    table.title = fmt::format("Speed: {}, {} images, {}, {} thread(s)", setting.model,
                              format_count(setting.images), setting.device, setting.threads);
    table.columns = {"mode",          "faults per layer", "time",           "of it shared",
                     "faults/s",      "x reference",      "whole campaign", "GFLOP/s",
                     "of the peak %", "working MiB",      "resident MiB"};
    for (const ModeBench& mode : modes)
    {
        table.rows.push_back(
            {to_string(mode.mode), faults_text(setting, mode), time_text(mode.seconds()),
             time_text(mode.shared_seconds()), rate_text(faults_per_second(mode, setting.plan_faults)),
             rate_text(ratio(setting, mode, modes)), time_text(seconds_for(mode, setting.plan_faults)),
             rate_text(flops_of(mode) / 1e9),
             fmt::format("{:.1f}", 100 * flops_of(mode) / setting.peak.flops), mebibytes(mode.peak_bytes),
             mebibytes(mode.resident_bytes)});
    }
    table.note = fmt::format(
        "Faults of the job's own sample, as many in each layer. Time: of the measurement; shared: golden and "
        "gradient passes, which all faults of a layer use. faults/s: of a mix of as many faults from each "
        "layer, with the shared passes that the campaign's chunks of the layer take, so modes compare "
        "although each had its own number of faults. Whole campaign: the job's {} faults on one rank "
        "like this one. The peak is {:.1f} GFLOP/s, measured with {} on these threads; a multiply-accumulate "
        "counts as two operations, and what a mode skips does not count. Working: golden values, gradients "
        "and work space; campaign.memory_budget is {} MiB.",
        format_count(
            std::accumulate(setting.plan_faults.begin(), setting.plan_faults.end(), std::uint64_t{0})),
        setting.peak.flops / 1e9, setting.peak.instruction, setting.memory_budget >> 20U);
    return table;
}

ResultTable pairs_table(const BenchSetting& setting, const std::vector<ModeBench>& modes)
{
    ResultTable table;
    table.title = "What became of the (fault, image) pairs, %";
    table.columns = {"mode",           "pairs",         "stopped", "masked",    "proven",      "screened",
                     "screened later", "to the logits", "audited", "disagreed", "MAC per pair"};
    for (const ModeBench& mode : modes)
    {
        const WorkCount work = mode.work();
        const auto percent = [&](std::uint64_t part) { return format_percent(share(part, work.pairs), 3); };
        table.rows.push_back(
            {to_string(mode.mode), format_count(work.pairs), percent(work.stopped), percent(work.masked),
             percent(work.proven), percent(work.screened), percent(work.rescreened), percent(work.finished),
             percent(mode.screen().audited), format_count(mode.screen().disagreements),
             rate_text(work.macs / static_cast<double>(std::max<std::uint64_t>(1, work.pairs)))});
    }
    table.note =
        "Stopped: never looked at, the fault was beyond every tolerance before. Masked: the change came out "
        "as exactly zero. Proven: too small, by a bound, to change the prediction. Screened: to be taken as "
        "unchanged at the faulty layer, or later. To the logits: "
        "computed to the end. Audited: screened pairs that were computed all the same, counted twice here; "
        "disagreed: wrong ones among them, pairs. The layers before the faulty one are computed again in "
        "reference only.";
    if (!setting.too_small.empty())
    {
        table.note += fmt::format(
            " The campaign itself evaluates {} exactly, because they have too few pairs to prove "
            "campaign.screen_bound; here they are screened for comparison.",
            fmt::join(setting.too_small, ", "));
    }
    return table;
}

ResultTable layers_table(const BenchSetting& setting, const std::vector<ModeBench>& modes)
{
    ResultTable table;
    table.title = "By layer";
    table.columns = {"layer", "chunk"};
    for (const ModeBench& mode : modes)
    {
        const std::string name = to_string(mode.mode);
        table.columns.push_back(name + "/s");
        if (mode.mode == EvaluationMode::reference) continue;
        table.columns.insert(table.columns.end(), {"x reference", "shared", "to the logits %"});
    }
    const ModeBench* reference = find_mode(modes, EvaluationMode::reference);
    for (std::size_t l = 0; l < setting.layers.size(); ++l)
    {
        if (setting.plan_faults[l] == 0) continue;
        std::vector<std::string> row{setting.layers[l], format_count(setting.chunk_faults[l])};
        for (const ModeBench& mode : modes)
        {
            const LayerBench& layer = mode.layers[l];
            const double rate = 1 / seconds_per_fault(layer, setting.plan_faults[l]);
            row.push_back(rate_text(rate));
            if (mode.mode == EvaluationMode::reference) continue;
            row.push_back(rate_text(reference == nullptr
                                        ? std::numeric_limits<double>::quiet_NaN()
                                        : rate / faults_per_second(*reference, setting.plan_faults)));
            row.push_back(time_text(layer.shared_seconds));
            row.push_back(format_percent(share(layer.work.finished, layer.work.pairs)));
        }
        table.rows.push_back(std::move(row));
    }
    table.note =
        "Faults per second, with the shared passes of the campaign's chunks of the layer: the first one's, "
        "and "
        "again of what the memory does not hold. Chunk: faults that the campaign evaluates together, and so "
        "does this benchmark. Shared: the first passes.";
    return table;
}

ResultTable agreement_table(const std::vector<Agreement>& agreements)
{
    ResultTable table;
    table.title = "Agreement on the same faults";
    table.columns = {"mode",   "against",     "faults", "equal",  "within the bound",
                     "differ", "by rounding", "images", "labels", "labels that differ"};
    table.text_columns = 2;
    for (const Agreement& a : agreements)
    {
        table.rows.push_back(
            {to_string(a.mode), to_string(a.against), format_count(a.faults), format_count(a.equal),
             format_count(a.bounded), format_count(a.differing.size()), format_count(a.near_ties),
             format_count(a.moved_images), format_count(a.labels), format_count(a.labels_differ)});
    }
    table.note =
        "Equal: the same images evaluated, correct, changed and not finite, the same drop. Within the bound: "
        "one of the modes stopped early, and the other's drop is at least the bound. By rounding: differing "
        "faults that enough images explain whose two largest logits are within 1e-4 of each other, or so "
        "large that the order of a sum decides whether it overflows. Images: by how many the changed ones "
        "differ. Labels: critical or acceptable, for each fault and tolerance.";
    return table;
}

Json work_json(const WorkCount& work)
{
    return {{"pairs", work.pairs},       {"stopped", work.stopped},   {"masked", work.masked},
            {"proven", work.proven},     {"screened", work.screened}, {"rescreened", work.rescreened},
            {"finished", work.finished}, {"macs", work.macs},         {"pass_macs", work.pass_macs}};
}

Json mode_json(const BenchSetting& setting, const ModeBench& mode, const std::vector<ModeBench>& modes)
{
    Json layers = Json::array();
    for (std::size_t l = 0; l < mode.layers.size(); ++l)
    {
        const LayerBench& layer = mode.layers[l];
        const ScreenTotals screen = layer.screen();
        Json fields{{"layer", setting.layers[l]},
                    {"faults", layer.faults()},
                    {"seconds", layer.seconds},
                    {"shared_seconds", layer.shared_seconds},
                    {"repeated_seconds", layer.repeated_seconds},
                    {"chunk", layer.chunk},
                    {"audited", screen.audited},
                    {"disagreements", screen.disagreements}};
        fields.update(work_json(layer.work));
        layers.push_back(std::move(fields));
    }
    Json fields{{"mode", to_string(mode.mode)},
                {"faults", mode.faults()},
                {"setup_seconds", mode.setup_seconds},
                {"seconds", mode.seconds()},
                {"shared_seconds", mode.shared_seconds()},
                {"faults_per_second", faults_per_second(mode, setting.plan_faults)},
                {"ratio_to_reference", ratio(setting, mode, modes)},
                {"campaign_seconds", seconds_for(mode, setting.plan_faults)},
                {"flops", flops_of(mode)},
                {"audited", mode.screen().audited},
                {"disagreements", mode.screen().disagreements},
                {"share_of_peak", flops_of(mode) / setting.peak.flops},
                {"peak_bytes", mode.peak_bytes},
                {"resident_bytes", mode.resident_bytes}};
    fields.update(work_json(mode.work()));
    fields["layers"] = std::move(layers);
    return fields;
}

Json journal_json(const std::optional<JournalCost>& cost)
{
    if (!cost) return nullptr;
    return {{"mode", to_string(cost->mode)},      {"faults", cost->faults},   {"bytes", cost->bytes},
            {"work_seconds", cost->work_seconds}, {"seconds", cost->seconds}, {"share", cost->share()}};
}

Json agreement_json(const Agreement& agreement)
{
    return {{"mode", to_string(agreement.mode)}, {"against", to_string(agreement.against)},
            {"faults", agreement.faults},        {"equal", agreement.equal},
            {"within_bound", agreement.bounded}, {"differ", agreement.differing.size()},
            {"near_ties", agreement.near_ties},  {"moved_images", agreement.moved_images},
            {"labels", agreement.labels},        {"labels_differ", agreement.labels_differ}};
}

}  // namespace

std::vector<ResultTable> bench_tables(const BenchSetting& setting, const std::vector<ModeBench>& modes,
                                      const std::vector<Agreement>& agreements)
{
    std::vector<ResultTable> tables{speed_table(setting, modes), pairs_table(setting, modes),
                                    layers_table(setting, modes)};
    if (!agreements.empty()) tables.push_back(agreement_table(agreements));
    return tables;
}

std::string bench_json(const BenchSetting& setting, const std::vector<ModeBench>& modes,
                       const std::vector<Agreement>& agreements)
{
    Json mode_objects = Json::array();
    for (const ModeBench& mode : modes)
        mode_objects.push_back(mode_json(setting, mode, modes));
    Json agreement_objects = Json::array();
    for (const Agreement& agreement : agreements)
        agreement_objects.push_back(agreement_json(agreement));
    return json_text({{"software_version", software_version()},
                      {"git_sha1", git_sha1()},
                      {"job", setting.job},
                      {"model", setting.model},
                      {"device", setting.device},
                      {"backend", setting.backend},
                      {"threads", setting.threads},
                      {"images", setting.images},
                      {"memory_budget", setting.memory_budget},
                      {"peak_flops", setting.peak.flops},
                      {"peak_instruction", setting.peak.instruction},
                      {"layers", setting.layers},
                      {"plan_faults", setting.plan_faults},
                      {"chunk_faults", setting.chunk_faults},
                      {"too_small", setting.too_small},
                      {"modes", mode_objects},
                      {"journal", journal_json(setting.journal)},
                      {"agreement", agreement_objects}});
}

}  // namespace flipstorm
