#include "jobs/command_line.hpp"

#include <fmt/format.h>

#include <sstream>
#include <string>

#include "engine/base/standard_output.hpp"
#include "jobs/job_file/job_variants.hpp"

namespace flipstorm
{

CLI::Validator folder_check()
{
    const auto problem = [](const std::string& name) {
        const std::string text = out_folder_problem(name);
        return text.empty() ? text : fmt::format("'{}' {}", name, text);
    };
    return {problem, ""};
}

int print_help(const CLI::App& app, const CLI::ParseError& error)
{
    std::ostringstream text;
    const int code = app.exit(error, text, text);
    print_result("{}", text.str());
    return code;
}

}  // namespace flipstorm
