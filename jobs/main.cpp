// The program flipstorm: all commands, with LibTorch.

#include "jobs/bench/bench_stage.hpp"
#include "jobs/engine_options.hpp"
#include "jobs/program.hpp"
#include "jobs/resolve/libtorch_processor.hpp"
#include "jobs/stages/process_start.hpp"
#include "jobs/stages/stages.hpp"

namespace flipstorm
{
namespace
{

std::vector<JobCommand> all_commands()
{
    std::vector<JobCommand> commands = {
        {"run",
         "train (if there is no model yet), inject, forest, harden, verify (if harden.verify says so), "
         "report",
         run_all, true, true},
        {"train", "train the network: OUT/model.h5", run_train},
        {"plan", "print strata, sample sizes, cost, and the time on any number of ranks", print_plan, true,
         false, false, true, add_plan_options},
        {"inject", "inject the sampled faults: OUT/campaign.h5", run_inject},
    };
    for (JobCommand command : analysis_commands())
    {
        if (command.run == run_forest) command.run = run_forest_and_validate;
        commands.push_back(command);
    }
    commands.push_back({"verify", "prove the protection: campaigns into the protected memory, in OUT/verify",
                        run_verify, true, false, true, false, nullptr, nullptr, verification_context});
    commands.push_back({"bench",
                        "time the evaluation modes on the job's own faults, and compare their outcomes",
                        run_bench, false, false, false, false, add_bench_options});
    commands.push_back({"import", "make a model file of a PyTorch network (TorchScript)", run_import, false,
                        false, false, false, nullptr, add_import_line});
    commands.push_back({"convert", "store an fp32 network in other number formats", run_convert, false, false,
                        false, false, nullptr, add_convert_line});
    return commands;
}

}  // namespace
}  // namespace flipstorm

int main(int argc, char** argv)
{
    const flipstorm::LibtorchProcessor libtorch{};
    const flipstorm::Program program{
        "flipstorm",
        "flipstorm: which bits of a neural network must not flip? Fault injection, prediction, protection.",
        flipstorm::all_commands(), &libtorch, flipstorm::print_plan};
    return flipstorm::finish_output(flipstorm::run_program(program, argc, argv));
}
