#include "jobs/bench/bench_transient.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>

#include "analysis/json_text.hpp"
#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/log.hpp"
#include "engine/base/standard_output.hpp"
#include "engine/base/timing.hpp"
#include "engine/base/units_text.hpp"
#include "jobs/bench/bench.hpp"

namespace flipstorm
{
namespace
{

/// The first `count` faults of the first chunk of a layer: those of neighbouring chunks strike images in the
/// same way.
std::vector<TransientStrike> strikes_of(const TransientPlan& plan, LayerId layer, std::uint64_t count)
{
    const std::vector<Chunk>& chunks = plan.plan().chunks();
    const auto chunk = std::find_if(chunks.begin(), chunks.end(),
                                    [&](const Chunk& candidate) { return candidate.layer == layer; });
    std::vector<TransientStrike> strikes;
    if (chunk == chunks.end()) return strikes;
    for (std::uint64_t i = 0; i < std::min(count, chunk->count); ++i)
        strikes.push_back(plan.strike(FaultIndex(chunk->first.value() + i)));
    return strikes;
}

std::uint64_t largest_chunk(const TransientPlan& plan)
{
    std::uint64_t largest = 0;
    for (const Chunk& chunk : plan.plan().chunks())
        largest = std::max(largest, chunk.count);
    return largest;
}

/// A mode with as many faults per layer as its time allows; nothing if the user stops it.
std::optional<TransientModeBench> measure(const Context& context, const Campaign& campaign,
                                          const TransientPlan& plan, EvaluationMode mode)
{
    TransientModeBench bench;
    bench.mode = mode;
    const Stopwatch setup;
    TransientEvaluator evaluator(campaign.network, campaign.images, evaluation_options(context, mode));
    bench.setup_seconds = setup.seconds();
    const std::uint64_t most = std::min(context.bench.faults, largest_chunk(plan));
    constexpr std::uint64_t kFirst = 32;
    const auto should_stop = [&] { return context.stop->check().has_value(); };
    for (std::uint64_t count = std::min(kFirst, most);;)
    {
        const WorkCount before = evaluator.work();
        bench.layers.assign(campaign.layers().size(), {});
        for (const InjectableLayer& layer : campaign.layers())
        {
            TransientLayerBench& result = bench.layers[static_cast<std::size_t>(layer.id.value())];
            const std::vector<TransientStrike> strikes = strikes_of(plan, layer.id, count);
            const Stopwatch watch;
            auto outcomes = evaluator.evaluate(layer.id, strikes, should_stop);
            if (!outcomes) return std::nullopt;
            result.seconds = watch.seconds();
            result.outcomes = std::move(*outcomes);
        }
        const WorkCount after = evaluator.work();
        bench.work.pairs = after.pairs - before.pairs;
        bench.work.masked = after.masked - before.masked;
        bench.work.finished = after.finished - before.finished;
        const std::uint64_t next = next_count(count, bench.seconds(), context.bench.seconds, most);
        log_info("{}: {} fault(s) per layer, {:.2f} s{}", to_string(mode), count, bench.seconds(),
                 next > count ? "; more fit the time" : "");
        if (next == count) return bench;
        count = next;
    }
}

/// What became of the images of a mode.
struct ImageCount
{
    std::uint64_t images = 0;
    std::uint64_t masked = 0;
    std::uint64_t tolerable = 0;
    std::uint64_t critical = 0;
    std::uint64_t nonfinite = 0;
};

ImageCount count_images(const TransientModeBench& mode)
{
    ImageCount count;
    for (const TransientLayerBench& layer : mode.layers)
    {
        for (const TransientOutcome& outcome : layer.outcomes)
        {
            count.images += outcome.tally.evaluated;
            count.masked += outcome.masked;
            count.tolerable += outcome.tolerable();
            count.critical += outcome.tally.mismatches - outcome.tally.nonfinite;
            count.nonfinite += outcome.tally.nonfinite;
        }
    }
    return count;
}

ResultTable table_of(const Context& context, const Campaign& campaign, std::uint64_t images_per_fault,
                     const std::vector<std::uint64_t>& faults, const std::vector<TransientModeBench>& modes)
{
    ResultTable table;
    table.title =
        fmt::format("Speed: {}, faults in {}, {} images, {}, {} thread(s)", campaign.network.arch,
                    context.job.campaign.target, campaign.images.size(),
                    to_string(evaluation_options(context, EvaluationMode::exact).device), context.threads);
    table.columns = {"mode",
                     "faults per layer",
                     "time",
                     "faults/s",
                     "x reference",
                     "campaign",
                     "masked %",
                     "tolerable %",
                     "critical %",
                     "not finite %",
                     "followed to the logits %"};
    const std::uint64_t all = std::accumulate(faults.begin(), faults.end(), std::uint64_t{0});
    const auto reference = std::find_if(modes.begin(), modes.end(), [](const TransientModeBench& mode) {
        return mode.mode == EvaluationMode::reference;
    });
    for (const TransientModeBench& mode : modes)
    {
        const double seconds = mode.seconds_for(faults);
        const ImageCount count = count_images(mode);
        std::uint64_t per_layer = 0;
        for (const TransientLayerBench& layer : mode.layers)
            per_layer = std::max<std::uint64_t>(per_layer, layer.outcomes.size());
        const auto percent = [&](std::uint64_t part) {
            return format_percent(static_cast<double>(part) / static_cast<double>(count.images));
        };
        table.rows.push_back(
            {to_string(mode.mode), format_count(per_layer), time_text(mode.seconds()),
             fmt::format("{:.4g}", static_cast<double>(all) / seconds),
             reference == modes.end() ? "-" : fmt::format("{:.3g}", reference->seconds_for(faults) / seconds),
             time_text(seconds), percent(count.masked), percent(count.tolerable), percent(count.critical),
             percent(count.nonfinite), percent(mode.work.finished)});
    }
    table.note = fmt::format(
        "The first faults of each layer's first chunk. faults/s: of the campaign, {} faults on {} image(s) "
        "each, on "
        "one rank like this one; its time is without the golden pass that comes first.",
        format_count(all), images_per_fault);
    return table;
}

Json mode_json(const TransientModeBench& mode, const std::vector<std::uint64_t>& faults)
{
    const ImageCount count = count_images(mode);
    std::vector<double> seconds;
    std::vector<std::uint64_t> measured;
    for (const TransientLayerBench& layer : mode.layers)
    {
        seconds.push_back(layer.seconds);
        measured.push_back(layer.outcomes.size());
    }
    return {{"mode", to_string(mode.mode)},
            {"setup_seconds", mode.setup_seconds},
            {"faults", measured},
            {"seconds", seconds},
            {"campaign_seconds", mode.seconds_for(faults)},
            {"images", count.images},
            {"masked", count.masked},
            {"tolerable", count.tolerable},
            {"critical", count.critical},
            {"nonfinite", count.nonfinite},
            {"finished", mode.work.finished}};
}

std::string json_of(const std::vector<std::uint64_t>& faults, const std::vector<TransientModeBench>& modes)
{
    Json objects = Json::array();
    for (const TransientModeBench& mode : modes)
        objects.push_back(mode_json(mode, faults));
    Json agreements = Json::array();
    for (std::size_t a = 0; a < modes.size(); ++a)
    {
        for (std::size_t b = 0; b < a; ++b)
        {
            const TransientAgreement agreement = compare(modes[a], modes[b]);
            agreements.push_back({{"mode", to_string(modes[a].mode)},
                                  {"against", to_string(modes[b].mode)},
                                  {"faults", agreement.faults},
                                  {"images", agreement.images},
                                  {"equal", agreement.equal},
                                  {"masked_apart", agreement.masked_apart}});
        }
    }
    return json_text({{"plan_faults", faults}, {"modes", objects}, {"agreement", agreements}});
}

}  // namespace

double TransientModeBench::seconds() const
{
    double sum = 0;
    for (const TransientLayerBench& layer : layers)
        sum += layer.seconds;
    return sum;
}

double TransientModeBench::seconds_for(const std::vector<std::uint64_t>& faults) const
{
    double sum = 0;
    for (std::size_t l = 0; l < layers.size(); ++l)
    {
        if (layers[l].outcomes.empty()) continue;
        sum += layers[l].seconds / static_cast<double>(layers[l].outcomes.size()) *
               static_cast<double>(faults[l]);
    }
    return sum;
}

TransientAgreement compare(const TransientModeBench& a, const TransientModeBench& b)
{
    TransientAgreement agreement;
    for (std::size_t l = 0; l < a.layers.size(); ++l)
    {
        const std::vector<TransientOutcome>& first = a.layers[l].outcomes;
        const std::vector<TransientOutcome>& second = b.layers[l].outcomes;
        for (std::size_t k = 0; k < std::min(first.size(), second.size()); ++k)
        {
            ++agreement.faults;
            agreement.images += first[k].tally.evaluated;
            agreement.equal += first[k].tally == second[k].tally ? 1U : 0U;
            agreement.masked_apart +=
                std::max(first[k].masked, second[k].masked) - std::min(first[k].masked, second[k].masked);
        }
    }
    return agreement;
}

StageEnd run_transient_bench(const Context& context, const Campaign& campaign, const TransientPlan& plan,
                             const std::vector<EvaluationMode>& modes)
{
    std::vector<std::uint64_t> faults;
    for (const LayerWork& work : campaign.work)
        faults.push_back(work.faults);
    std::vector<TransientModeBench> measured;
    for (const EvaluationMode mode : modes)
    {
        if (mode == EvaluationMode::screened) continue;
        std::optional<TransientModeBench> bench = measure(context, campaign, plan, mode);
        if (!bench) return StageEnd::stopped;
        measured.push_back(std::move(*bench));
    }
    FS_CHECK(JobError, !measured.empty(),
             "--modes screened: transient faults are not screened; reference and exact are their modes");
    print_result("{}\n", render_text(table_of(context, campaign, plan.images_per_fault(), faults, measured)));
    if (measured.size() == 2)
    {
        const TransientAgreement agreement = compare(measured[1], measured[0]);
        print_result(
            "Agreement: of {} faults in both modes {} have the same predictions; {} of {} images are masked "
            "in one "
            "mode and tolerable in the other.\n",
            format_count(agreement.faults), format_count(agreement.equal),
            format_count(agreement.masked_apart), format_count(agreement.images));
    }
    flush_output();
    if (!context.bench.json.empty()) write_file_durably(context.bench.json, json_of(faults, measured));
    return StageEnd::complete;
}

}  // namespace flipstorm
