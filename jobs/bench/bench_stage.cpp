#include "jobs/bench/bench_stage.hpp"

#include <algorithm>

#include "engine/compute/torch/inference.hpp"
#include "engine/evaluate/evaluator.hpp"
#include "jobs/bench/bench_training.hpp"
#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/kinds/injection.hpp"
#include "jobs/resolve/stoppable.hpp"
#include "mpi/agreed_error.hpp"

namespace flipstorm
{
namespace
{

/// Modes in the order of their names, slowest first. \throws JobError for an unknown one.
std::vector<EvaluationMode> modes_of(const std::vector<std::string>& names)
{
    std::vector<EvaluationMode> modes;
    for (const std::string& name : names)
    {
        const EvaluationMode mode = evaluation_mode(name);
        if (std::find(modes.begin(), modes.end(), mode) == modes.end()) modes.push_back(mode);
    }
    std::sort(modes.begin(), modes.end());
    return modes;
}

/// The benchmark that the job and the options ask for.
StageEnd measure(const Context& context, const StopRequest& stop)
{
    const BenchOptions& options = context.bench;
    const auto is_training = [](const std::string& mode) { return mode == "training"; };
    if (std::any_of(options.modes.begin(), options.modes.end(), is_training))
    {
        FS_CHECK(JobError, options.modes.size() == 1,
                 "--modes training times the job's training, not its faults: it stands alone");
        return run_training_bench(context);
    }
    const std::vector<EvaluationMode> kinds = modes_of(options.modes);
    const std::unique_ptr<Campaign> campaign = load_campaign(context);
    stop_if_asked(stop);
    set_compute_threads(1);  // the evaluators run groups of faults on their threads, as in a campaign
    return bench_faults(context, *campaign, kinds, stop);
}

}  // namespace

StageEnd run_bench(const Context& context)
{
    FS_CHECK(AgreedError, context.world.size() == 1,
             "bench measures one rank; start it without mpirun or srun, or on one rank", ExitCode::usage);
    StopConsequence consequence{"a benchmark keeps nothing", {}};
    if (!context.bench.json.empty()) consequence.files.emplace_back(context.bench.json);
    return on_root_until_stopped(context, consequence,
                                 [&](const StopRequest& stop) { return measure(context, stop); });
}

}  // namespace flipstorm
