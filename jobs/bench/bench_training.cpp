#include "jobs/bench/bench_training.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "analysis/json_text.hpp"
#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/log.hpp"
#include "engine/base/standard_output.hpp"
#include "engine/base/timing.hpp"
#include "engine/train/trainer.hpp"
#include "jobs/resolve/inputs.hpp"
#include "jobs/resolve/train_options.hpp"

namespace flipstorm
{
namespace
{

double time_step(Trainer& trainer, std::int64_t number, bool with_fault)
{
    trainer.meet_faults(with_fault);
    const Stopwatch watch;
    trainer.step(number % trainer.steps(), false);
    return watch.seconds();
}

}  // namespace

double quantile(std::vector<double> values, double share)
{
    FS_REQUIRE(!values.empty(), "no values to take a quantile of");
    std::sort(values.begin(), values.end());
    const double place = share * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return values[below] + (place - std::floor(place)) * (values[above] - values[below]);
}

std::vector<double> injection_costs(const TrainingBench& bench)
{
    const double step = quantile(bench.plain, 0.5);
    std::vector<double> costs;
    for (std::size_t i = 0; i < bench.plain.size(); ++i)
        costs.push_back((bench.faulty[i] - bench.plain[i]) / step);
    return costs;
}

std::string training_bench_text(const TrainingBench& bench)
{
    const auto quartiles = [](const std::vector<double>& values, double scale) {
        return std::array<double, 3>{scale * quantile(values, 0.5), scale * quantile(values, 0.25),
                                     scale * quantile(values, 0.75)};
    };
    const auto [plain, plain_low, plain_high] = quartiles(bench.plain, 1e3);
    const auto [faulty, faulty_low, faulty_high] = quartiles(bench.faulty, 1e3);
    const auto [cost, cost_low, cost_high] = quartiles(injection_costs(bench), 100);
    return fmt::format(
        "{} pairs of training steps: median (quartiles)\n"
        "  without faults  {:8.1f} ms ({:.1f}, {:.1f})\n"
        "  with faults     {:8.1f} ms ({:.1f}, {:.1f})\n"
        "  injection       {:8.2f} % of a step ({:.2f}, {:.2f}), pair by pair\n",
        bench.plain.size(), plain, plain_low, plain_high, faulty, faulty_low, faulty_high, cost, cost_low,
        cost_high);
}

StageEnd run_training_bench(const Context& context)
{
    const Dataset dataset = load_dataset(context.job);
    const Network network = first_network(context.job, dataset);
    TrainOptions options = train_options(context.job);
    options.device = context.device;
    FS_CHECK(JobError, options.fault_aware.rule != FaultRule::none,
             "train.fault_aware.rule is \"none\": there is no injection to time; set it to \"paper\" or "
             "\"diehardnet\"");
    set_compute_threads(context.threads);
    TrainingRanks alone;
    Trainer trainer(network, dataset.train, options, alone);
    log_info("benchmark of training: {}, batches of {}, {}, {} thread(s)", network.arch, options.batch,
             to_string(context.device), context.threads);

    constexpr std::size_t kFewest = 3;
    TrainingBench bench;
    time_step(trainer, 0, false);  // warm up
    time_step(trainer, 0, true);
    const Stopwatch watch;
    for (std::int64_t number = 1; watch.seconds() < context.bench.seconds || bench.plain.size() < kFewest;
         ++number)
    {
        if (context.stop->check()) return StageEnd::stopped;
        // They take turns at going first.
        const bool plain_first = number % 2 == 0;
        if (plain_first) bench.plain.push_back(time_step(trainer, number, false));
        bench.faulty.push_back(time_step(trainer, number, true));
        if (!plain_first) bench.plain.push_back(time_step(trainer, number, false));
    }
    print_result("{}", training_bench_text(bench));
    flush_output();
    if (!context.bench.json.empty())
    {
        write_file_durably(context.bench.json,
                           json_text({{"plain_seconds", bench.plain}, {"faulty_seconds", bench.faulty}}));
    }
    return StageEnd::complete;
}

}  // namespace flipstorm
