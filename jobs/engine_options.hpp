#pragma once
// The words of the commands that compute networks.

namespace CLI
{
class App;
}

namespace flipstorm
{

struct Arguments;

/// Options of `bench` and of `plan`, beside those of all commands that work on a job.
void add_bench_options(CLI::App& bench, Arguments& arguments);
void add_plan_options(CLI::App& plan, Arguments& arguments);

/// The lines of `import` and `convert`.
void add_import_line(CLI::App& importer, Arguments& arguments);
void add_convert_line(CLI::App& converter, Arguments& arguments);

}  // namespace flipstorm
