#include "jobs/cost/calibration.hpp"

#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <string>

#include "engine/base/error.hpp"
#include "engine/base/peak_flops.hpp"
#include "engine/compute/device.hpp"
#include "engine/evaluate/image_batches.hpp"
#include "jobs/cost/cost_measurement.hpp"
#include "jobs/resolve/plan_options.hpp"

namespace flipstorm
{
namespace
{

/// How fast a mode is where it was measured (tests/RESULTS.md), as a share of the processor's peak.
double usual_share(EvaluationMode mode)
{
    switch (mode)
    {
        case EvaluationMode::reference:
            return 0.5;
        case EvaluationMode::exact:
            return 0.15;
        case EvaluationMode::screened:
            return 0.06;
    }
    throw Error("an evaluation mode without a usual speed");
}

std::uint64_t resident_bytes()
{
    std::ifstream status("/proc/self/status");
    std::string word;
    while (status >> word)
    {
        std::uint64_t kibibytes = 0;
        if (word == "VmRSS:" && status >> kibibytes) return kibibytes << 10U;
    }
    return 0;
}

/// Memory of a rank. An evaluator is there, of so few images that the process holds what it keeps in any
/// campaign (however many copies of the parameters that are) and nothing else.
RankMemory memory_of_rank(const Context& context, const Campaign& campaign,
                          const std::vector<LayerMemory>& layers)
{
    const EvaluationOptions options =
        evaluation_options(context, evaluation_mode(context.job.campaign.evaluation));
    RankMemory memory;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
    memory.standing = resident_bytes();
    for (const Parameter& parameter : campaign.network.parameters)
        memory.parameters += parameter.values().size() * sizeof(float);
    memory.start = start_bytes(campaign.network.graph, options.mode,
                               static_cast<std::uint64_t>(campaign.images.size()), options.threads);
    memory.layer = layers.at(largest_layer(layers));
    memory.on_host = !options.device.cuda;
    return memory;
}

/// Count the cells that the plan has, and those of them that were not measured.
void count_cells(Calibration& result, const Campaign& campaign, const std::vector<LayerCost>& costs)
{
    std::vector<std::vector<char>> planned(campaign.layers().size());
    for (std::size_t l = 0; l < planned.size(); ++l)
        planned[l].assign(result.model.classes[l].size(), 0);
    for (const Plan::Draw& draw : campaign.plan().draws())
    {
        const std::int32_t bit = campaign.plan().strata()[static_cast<std::size_t>(draw.stratum.value())].bit;
        const auto l = static_cast<std::size_t>(draw.layer.value());
        std::vector<char>& layer = planned[l];
        if (bit < 0)
            std::fill(layer.begin(), layer.end(), 1);
        else
            layer[result.model.classes[l].of_bit.at(static_cast<std::size_t>(bit))] = 1;
    }
    for (std::size_t l = 0; l < planned.size(); ++l)
    {
        for (std::size_t c = 0; c < planned[l].size(); ++c)
        {
            if (planned[l][c] == 0) continue;
            ++result.cells;
            result.missing += std::isnan(costs[l].faults[c]) ? 1U : 0U;
        }
    }
}

}  // namespace

Calibration calibrate(const Context& context, const Campaign& campaign, double seconds)
{
    Calibration result;
    CostModel& model = result.model;
    for (const InjectableLayer& layer : campaign.layers())
        model.classes.push_back(bit_classes(layer.format));
    set_compute_threads(1);
    const auto images = static_cast<std::uint64_t>(campaign.images.size());
    CostMeasurement measurement(context, campaign, model.classes, seconds);
    constexpr double kPeakSeconds = 0.2;
    result.peak = measure_peak(1, kPeakSeconds).flops;
    if (!context.device.cuda && context.threads > 1)
    {
        const double together = measure_peak(context.threads, kPeakSeconds).flops;
        model.threads = {context.threads, std::max(1.0, together / result.peak)};
    }
    {
        const std::unique_ptr<Evaluator> small = measurement.smallest();
        for (const InjectableLayer& layer : campaign.layers())
            model.memory.push_back(small->memory(layer.id, images, context.threads));
        result.memory = memory_of_rank(context, campaign, model.memory);
    }
    if (seconds > 0)
    {
        measurement.run(result);
        model.layers = measurement.costs();
        count_cells(result, campaign, model.layers);
        fill_gaps(model.layers, campaign.layers(), model.classes);
        result.start /= model.threads.of(static_cast<std::uint64_t>(context.threads));
        result.golden /= model.threads.of(static_cast<std::uint64_t>(context.threads));
    }
    else
    {
        const EvaluationMode mode = evaluation_mode(context.job.campaign.evaluation);
        result.share_of_peak = usual_share(mode);
        const double macs = result.share_of_peak * result.peak / 2;
        model.layers = costs_by_macs(campaign.layers(), model.classes,
                                     plan_options(context.job, campaign.layers(), images), macs);
        double network_macs = 0;
        for (std::size_t i = 0; i < campaign.network.graph.nodes().size(); ++i)
            network_macs +=
                static_cast<double>(campaign.network.graph.macs(NodeId(static_cast<std::int32_t>(i))));
        const double forward = usual_share(EvaluationMode::reference) * result.peak / 2;
        result.golden = network_macs * static_cast<double>(images) / forward /
                        model.threads.of(static_cast<std::uint64_t>(context.threads));
    }
    return result;
}

}  // namespace flipstorm
