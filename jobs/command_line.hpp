#pragma once
// The command line: its words, their checks and help texts, and what it prints itself.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "jobs/program.hpp"
#include "jobs/status/status_print.hpp"

namespace flipstorm
{

/// What the command line says.
struct Arguments
{
    std::string command;
    std::string file;  ///< job file, or the file to inspect
    std::vector<std::string> overrides;
    std::string out;
    std::string variant;  ///< the only one to run; empty: all
    std::optional<std::int64_t> deadline;
    bool fresh = false;
    bool dry_run = false;
    bool print_config = false;
    bool quiet = false;
    bool all_strata = false;
    BenchOptions bench;
    CostOptions cost;
    ModelFiles model_files;
    std::string export_to;
    std::uint64_t validation_faults = 0;
    std::string backend;  ///< of bench; empty: the job's
    StatusView status;
    bool status_json = false;
    bool seal = false;       ///< of inspect
    std::string fault_list;  ///< the same: file to write a campaign's faults to; empty: none
};

/// Make `app` parse the command line of a program into `arguments`, which must outlive it.
void add_commands(CLI::App& app, const Program& program, Arguments& arguments);

/// Options that several commands have.
void add_override_option(CLI::App& command, Arguments& arguments);
void add_variant_option(CLI::App& command, Arguments& arguments);

/// What `forest` has alone.
void add_forest_options(CLI::App& forest, Arguments& arguments);

/// What `harden` has alone.
void add_harden_options(CLI::App& harden, Arguments& arguments);

/// Refuses what cannot be meant as a folder or file to write (out_folder_problem).
[[nodiscard]] CLI::Validator folder_check();

/// \throws AgreedError for a command that there is not; CLI11 would only say that one is missing.
void check_command(const CLI::App& app, int argc, char** argv);

/// Print what --help or --version, which end the parsing by this "error", ask for. \return the exit code
int print_help(const CLI::App& app, const CLI::ParseError& error);

}  // namespace flipstorm
