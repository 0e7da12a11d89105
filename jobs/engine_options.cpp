#include "jobs/engine_options.hpp"

#include "jobs/command_line.hpp"

namespace flipstorm
{

void add_bench_options(CLI::App& bench, Arguments& arguments)
{
    BenchOptions& options = arguments.bench;
    bench.add_option("--faults", options.faults, "at most so many faults per layer and mode")
        ->type_name("N")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40U))
        ->capture_default_str();
    bench.add_option("--seconds", options.seconds, "about so long per mode")
        ->type_name("S")
        ->check(CLI::Range(0.01, 1e6))
        ->capture_default_str();
    bench.add_option("--modes", options.modes, "modes to time, separated by commas")
        ->type_name("MODE,...")
        ->delimiter(',')
        ->check(CLI::IsMember({"reference", "exact", "screened", "training"}))
        ->default_str("reference,exact,screened");
    bench.add_option("--backend", arguments.backend, "auto, native or libtorch, instead of campaign.backend")
        ->type_name("NAME")
        ->check(CLI::IsMember({"auto", "native", "libtorch"}));
    bench.add_option("--json", options.json, "write all numbers to this file, too")->type_name("FILE");
    bench.footer(
        "How fast is a campaign of this job here, and can its outcomes be trusted? bench takes a\n"
        "random sample of the job's faults, the same number in every layer, and evaluates it in three ways:\n"
        "  reference  the whole network for every fault: slow, and beyond doubt\n"
        "  exact      only what a fault changes; outcomes as reference, but for rounding\n"
        "  screened   only what it changes by more than a first-order estimate allows for\n"
        "Slow modes take fewer faults, always some of those that the fast ones take; outcomes are compared\n"
        "on the faults in common. Transient faults are evaluated in the first two ways. --modes training,\n"
        "alone, times training steps with and without the faults of train.fault_aware instead. The model\n"
        "must be there: flipstorm train JOB.toml makes it. Nothing in the out folder is changed. One rank\n"
        "only: start it without mpirun.");
}

void add_plan_options(CLI::App& plan, Arguments& arguments)
{
    plan.add_flag("--strata", arguments.all_strata, "print each stratum, however many there are");
    plan.add_option("--ranks", arguments.cost.ranks,
                    "predict the time on so many ranks like this one; 960,64x20 stands for 64 more that are "
                    "20 times as fast")
        ->type_name("N[xSPEED],...");
    plan.add_option("--calibrate", arguments.cost.calibrate,
                    "measure the cost of some faults for about so long; 0: estimate it from their arithmetic")
        ->type_name("SECONDS")
        ->check(CLI::Range(0.0, 1e6))
        ->capture_default_str();
}

void add_import_line(CLI::App& importer, Arguments& arguments)
{
    importer.add_option("MODEL.pt", arguments.model_files.from, "TorchScript file")->required();
    importer
        .add_option(
            "JOB.toml", arguments.file,
            "job file; its [data] names the data set and the mean and std the network was trained with")
        ->required();
    importer.add_option("--to", arguments.model_files.to, "file to write")
        ->type_name("MODEL.h5")
        ->required()
        ->check(folder_check());
    add_override_option(importer, arguments);
    add_variant_option(importer, arguments);
    importer.add_flag("--fresh", arguments.fresh, "overwrite a file that was made from another import");
    importer.add_flag("--quiet", arguments.quiet, "only warnings");
    importer.footer(
        "In Python, save the trained network as TorchScript, by script or by trace:\n"
        "    torch.jit.script(model.eval()).save(\"MODEL.pt\")\n"
        "    torch.jit.trace(model.eval(), torch.zeros(2, 3, 32, 32)).save(\"MODEL.pt\")\n"
        "It must take one batch of images [N, C, H, W] and return logits [N, classes], and be made of 2-D\n"
        "convolutions, linear layers, batch norm, ReLU, ReLU6, sigmoid, SiLU, max and average pools, add,\n"
        "multiply, zero padding, slices, concatenation of channels, flatten, and dropout. Nothing is "
        "folded;\n"
        "parameters keep their state-dict names. Its logits are compared with TorchScript's before the file\n"
        "is written. Then:\n"
        "    flipstorm inject JOB.toml --set model.file=MODEL.h5");
}

void add_convert_line(CLI::App& converter, Arguments& arguments)
{
    converter.add_option("MODEL.h5", arguments.model_files.from, "model file of fp32")->required();
    converter
        .add_option("JOB.toml", arguments.file,
                    "job file; its [model] names the number formats, its [data] the images")
        ->required();
    converter.add_option("--to", arguments.model_files.to, "file to write")
        ->type_name("OUT.h5")
        ->required()
        ->check(folder_check());
    add_override_option(converter, arguments);
    add_variant_option(converter, arguments);
    converter.add_flag("--fresh", arguments.fresh, "overwrite a file that was made by another conversion");
    converter.add_flag("--quiet", arguments.quiet, "only warnings");
    converter.footer(
        "Weights and biases are rounded to the nearest value of their format; nothing is trained. In fixed\n"
        "point and int8 the values between layers become whole numbers, too, whose ranges are measured on\n"
        "training images. For instance:\n"
        "    flipstorm convert model.h5 JOB.toml --set model.format=int8 --to int8.h5\n"
        "    flipstorm convert model.h5 JOB.toml --set model.format=fxp8 --set model.formats.conv1=fxp16 \\\n"
        "        --to mixed.h5\n"
        "    flipstorm inject JOB.toml --set model.file=int8.h5");
}

}  // namespace flipstorm
