#pragma once
// Pieces of the command line: checks of its words, and what it prints itself.

#include <CLI/CLI.hpp>

namespace flipstorm
{

/// Refuses what cannot be meant as a folder or file to write (out_folder_problem).
[[nodiscard]] CLI::Validator folder_check();

/// Print what --help or --version, which end the parsing by this "error", ask for. \return the exit code
int print_help(const CLI::App& app, const CLI::ParseError& error);

}  // namespace flipstorm
