#include "jobs/cost/cost_print.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "analysis/result_table.hpp"
#include "engine/base/units_text.hpp"

namespace flipstorm
{
namespace
{

// Of the queue and the files; they hardly matter.
constexpr double kFetchSeconds = 2e-5;          // assumed: a message and its answer
constexpr double kSaveSeconds = 0.02;           // assumed: a file, synchronised
constexpr double kWriteSecondsPerFault = 5e-6;  // 0.3 s for the 59,811 of LeNet-5

double seconds_of(const QueuedChunk& chunk)
{
    return chunk.shared + chunk.own;
}

std::string ranks_text(const std::vector<RankGroup>& groups)
{
    std::string text;
    for (const RankGroup& group : groups)
    {
        text += (text.empty() ? "" : " + ") + format_count(group.count);
        if (group.speed != 1) text += fmt::format(" x {:g}", group.speed);
    }
    return text;
}

/// Chunks and seconds of a layer.
struct LayerSum
{
    std::uint64_t chunks = 0;
    std::uint64_t faults = 0;
    std::uint64_t fewest = 0;
    std::uint64_t most = 0;
    double seconds = 0;
    double shared = 0;
};

std::vector<LayerSum> sums_of(const Plan& plan, const std::vector<QueuedChunk>& queue, std::size_t layers)
{
    std::vector<LayerSum> sums(layers);
    for (const Chunk& chunk : plan.chunks())
    {
        LayerSum& sum = sums.at(static_cast<std::size_t>(chunk.layer.value()));
        sum.fewest = sum.chunks == 0 ? chunk.count : std::min(sum.fewest, chunk.count);
        sum.most = std::max(sum.most, chunk.count);
        sum.faults += chunk.count;
        ++sum.chunks;
    }
    for (const QueuedChunk& chunk : queue)
    {
        LayerSum& sum = sums.at(static_cast<std::size_t>(chunk.layer));
        sum.seconds += seconds_of(chunk);
        sum.shared += chunk.shared;
    }
    return sums;
}

/// Names of the classes of all layers, each once.
std::vector<std::string> class_names(const std::vector<BitClasses>& classes)
{
    std::vector<std::string> names;
    for (const BitClasses& of_layer : classes)
    {
        for (const std::string& name : of_layer.names)
        {
            if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
        }
    }
    return names;
}

ResultTable layers_table(const CostSetting& setting, const std::vector<LayerSum>& sums)
{
    const CostModel& model = setting.calibration->model;
    ResultTable table;
    table.title = "Cost by layer";
    table.columns = {"layer", "faults", "chunks", "faults each", "shared"};
    const std::vector<std::string> classes = class_names(model.classes);
    table.columns.insert(table.columns.end(), classes.begin(), classes.end());
    table.columns.emplace_back("all of it");
    for (std::size_t l = 0; l < sums.size(); ++l)
    {
        if (sums[l].faults == 0) continue;
        std::vector<std::string> row{
            setting.campaign->layers()[l].name, format_count(sums[l].faults), format_count(sums[l].chunks),
            sums[l].fewest == sums[l].most
                ? format_count(sums[l].most)
                : fmt::format("{} to {}", format_count(sums[l].fewest), format_count(sums[l].most)),
            time_text(model.layers[l].shared)};
        const std::vector<std::string>& own = model.classes[l].names;
        for (const std::string& name : classes)
        {
            const auto found = std::find(own.begin(), own.end(), name);
            const auto c = static_cast<std::size_t>(found - own.begin());
            row.push_back(found == own.end() ? "" : time_text(model.layers[l].faults[c]));
        }
        row.push_back(time_text(sums[l].seconds));
        table.rows.push_back(std::move(row));
    }
    table.note = fmt::format(
        "Seconds of one thread on all {} test images: shared, the golden and gradient passes of a chunk; "
        "then "
        "one fault, by the bits it strikes. All of it: on one rank of {} thread(s).",
        format_count(static_cast<std::uint64_t>(setting.campaign->images.size())), setting.threads);
    return table;
}

/// These ranks, a quarter, half, twice and four times as many, and one.
std::vector<std::vector<RankGroup>> sets_around(const std::vector<RankGroup>& ranks)
{
    std::vector<std::vector<RankGroup>> sets{{{1, 1}}};
    for (const double factor : {0.25, 0.5, 1.0, 2.0, 4.0})
    {
        std::vector<RankGroup> set = ranks;
        bool whole = true;
        for (RankGroup& group : set)
        {
            const double count = factor * static_cast<double>(group.count);
            whole = whole && count >= 1;
            group.count = static_cast<std::uint64_t>(count);
        }
        if (whole && (rank_count(set) > 1 || total_speed(set) != 1)) sets.push_back(std::move(set));
    }
    return sets;
}

/// Powers of two, up to where they help.
std::vector<std::vector<RankGroup>> powers_up_to(std::uint64_t most)
{
    std::vector<std::vector<RankGroup>> sets;
    for (std::uint64_t count = 1; count <= most; count *= 2)
        sets.push_back({{count, 1}});
    return sets;
}

ResultTable scaling_table(const CostSetting& setting, const std::vector<ScalingPoint>& points)
{
    ResultTable table;
    table.title = "Time by the number of ranks";
    table.columns = {"ranks", "time", "efficiency %", "idle %", "longest wait"};
    for (const ScalingPoint& point : points)
    {
        const double capacity = point.run.makespan * static_cast<double>(rank_count(point.ranks));
        table.rows.push_back({ranks_text(point.ranks), time_text(point.run.makespan),
                              fmt::format("{:.1f}", 100 * point.efficiency),
                              fmt::format("{:.1f}", 100 * point.run.idle / capacity),
                              time_text(point.run.longest_idle)});
    }
    table.note = fmt::format(
        "Ranks of {} thread(s) on {}, simulated: each takes the next chunk from the queue when it is free. "
        "With the start of each rank, saving and writing; without the layers whose audit asks for a second "
        "computation. Efficiency: time of one rank over ranks times time.{} Idle: at the end, waiting for "
        "the "
        "others.",
        setting.threads, setting.device,
        std::any_of(points.begin(), points.end(),
                    [](const ScalingPoint& p) {
                        return total_speed(p.ranks) != static_cast<double>(rank_count(p.ranks));
                    })
            ? " Ranks of speed s count s times."
            : "");
    return table;
}

std::string describe_source(const CostSetting& setting)
{
    const Calibration& calibration = *setting.calibration;
    const std::string model = setting.fresh ? " The model is not trained yet: these are the costs of fresh "
                                              "weights; a trained network's are others."
                                            : "";
    if (calibration.seconds <= 0)
    {
        return fmt::format(
            "Cost, roughly: multiply-accumulates at {:.0f} % of the {:.1f} GFLOP/s that a thread reaches "
            "here "
            "at most.{}\n",
            100 * calibration.share_of_peak, calibration.peak / 1e9, setting.fresh ? model : "");
    }
    const std::string filled =
        calibration.missing > 0
            ? fmt::format(
                  " For {} of {} kinds of faults there was no time, or no such fault: filled in from "
                  "the others.",
                  calibration.missing, calibration.cells)
            : "";
    return fmt::format(
        "Cost, from {} faults of the plan on {} of {} test images, measured in {:.1f} s on {}.{}{}\n",
        format_count(calibration.faults), format_count(calibration.images),
        format_count(static_cast<std::uint64_t>(setting.campaign->images.size())), calibration.seconds,
        setting.device, filled, model);
}

std::string describe_memory(const CostSetting& setting)
{
    const RankMemory& memory = setting.calibration->memory;
    const LayerMemory& layer = memory.layer;
    const auto mebibytes = [](std::uint64_t bytes) { return format_count((bytes + (1U << 19U)) >> 20U); };
    return fmt::format(
        "Memory per rank: {} MiB at most. {} are program, images and all copies of the parameters ({} each); "
        "the start takes {} beside them for a while. Of campaign.memory_budget = {}{} layer '{}' takes most: "
        "{} "
        "(golden values and gradients {}, while computing them {}, work space {}).\n",
        mebibytes(memory.peak()), mebibytes(memory.standing), mebibytes(memory.parameters),
        mebibytes(std::max(memory.start, memory.parameters)), mebibytes(setting.memory_budget),
        memory.on_host ? "" : ", on the GPU,",
        setting.campaign->layers()[largest_layer(setting.calibration->model.memory)].name,
        mebibytes(layer.total()), mebibytes(layer.prepared), mebibytes(layer.preparing),
        mebibytes(layer.work));
}

std::string describe_limits(const ScalingLimits& limits, std::size_t chunks)
{
    return fmt::format(
        "On equal ranks the efficiency is 95 % or more up to about {} rank(s) ({}); from {} ({}) on, twice "
        "as "
        "many save less than 5 % of the time. There are {} chunks.\n",
        format_count(limits.efficient), time_text(limits.makespan), format_count(limits.useful),
        time_text(limits.least_makespan), format_count(chunks));
}

}  // namespace

QueueOverheads overheads_of(const CostSetting& setting)
{
    return {setting.calibration->start, kFetchSeconds, kSaveSeconds,
            kWriteSecondsPerFault * static_cast<double>(setting.campaign->plan().size()),
            setting.calibration->golden};
}

std::string describe_cost(const CostSetting& setting)
{
    const Campaign& campaign = *setting.campaign;
    const Plan& plan = campaign.plan();
    const std::vector<QueuedChunk> queue = queue_of(plan, setting.calibration->model);
    const QueueOverheads overheads = overheads_of(setting);
    const std::vector<LayerSum> sums = sums_of(plan, queue, campaign.layers().size());
    const auto total = [&](double LayerSum::*part) {
        return std::accumulate(sums.begin(), sums.end(), 0.0,
                               [part](double sum, const LayerSum& layer) { return sum + layer.*part; });
    };
    const ScalingLimits limits = scaling_limits(queue, overheads);
    const std::vector<ScalingPoint> points =
        scaling_of(queue, overheads,
                   setting.ranks.empty() ? powers_up_to(2 * limits.useful) : sets_around(setting.ranks));
    const FileSizes sizes =
        file_sizes(plan, campaign.layers(), static_cast<std::uint64_t>(campaign.images.size()));

    std::string text = describe_source(setting);
    text += "\n" + render_text(layers_table(setting, sums));
    text += fmt::format(
        "\nOne rank: {}, {:.1f} % of it golden and gradient passes if none are kept; {} until the first "
        "chunk.\n\n",
        time_text(points.front().run.makespan), 100 * total(&LayerSum::shared) / total(&LayerSum::seconds),
        time_text(overheads.start + overheads.split));
    text += render_text(scaling_table(setting, points));
    text += "\n" + describe_limits(limits, queue.size());
    text += describe_memory(setting);
    text += fmt::format("Files: journal/ {}, campaign.h5 {}.\n", size_text(sizes.journal),
                        size_text(sizes.campaign));
    return text;
}

}  // namespace flipstorm
