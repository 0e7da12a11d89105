#include "jobs/python.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "analysis/figures_script.hpp"
#include "engine/base/log.hpp"
#include "engine/base/temporary_file.hpp"

extern char** environ;

namespace flipstorm
{
namespace
{

/// Exit status of a program run to its end; −1 if it could not be started.
int run_program(const std::vector<std::string>& arguments, bool silent)
{
    std::vector<char*> argv;
    for (const std::string& argument : arguments)
        argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (silent)
    {
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    }
    pid_t child = 0;
    const int failed = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) return -1;
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
    {
        if (errno != EINTR) return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/**
 * What every script begins with. Python is started isolated (-I), so that nothing in the folder where the
 * user happens to be is taken for a module; this gives back the places that the user has named: PYTHONPATH,
 * where module systems put packages, but for relative entries, and the user's own site-packages. Matplotlib
 * reads a `matplotlibrc` of the current folder, hence another one.
 */
constexpr const char* kPrelude = R"PYTHON(
import os, site, sys
sys.path[0:0] = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(place)]
if sys.prefix == sys.base_prefix and os.path.isdir(site.getusersitepackages()):
    site.addsitedir(site.getusersitepackages())
os.chdir("/")
)PYTHON";

/// The command that runs a script in an isolated Python.
std::vector<std::string> isolated(const std::string& python, const std::string& script)
{
    return {python, "-I", "-c", kPrelude + script};
}

/// A Python that has h5py and matplotlib: $FLIPSTORM_PYTHON, Debian's, or the first in PATH. Empty: none.
std::string find_python()
{
    const char* given = std::getenv("FLIPSTORM_PYTHON");
    for (const std::string& python : {std::string(given != nullptr ? given : ""),
                                      std::string("/usr/bin/python3"), std::string("python3")})
    {
        if (!python.empty() && run_program(isolated(python, "import h5py, matplotlib"), true) == 0)
            return python;
    }
    return {};
}

}  // namespace

std::vector<std::string> draw_figures(const std::filesystem::path& out, const std::vector<std::string>& names,
                                      const std::vector<std::string>& options)
{
    const auto figure = [&out](const std::string& name) { return out / "figures" / (name + ".png"); };
    // What cannot be drawn now must not be that of an earlier run.
    for (const std::string& name : names)
        std::filesystem::remove(figure(name));
    std::error_code error;
    const auto now = std::filesystem::last_write_time(out, error);
    if (!error) remove_dead_temporaries(out / "figures", now);
    const std::string python = find_python();
    if (python.empty())
    {
        log_warning(
            "no figures: no Python with h5py and matplotlib (Debian: apt install python3-h5py "
            "python3-matplotlib; "
            "or name one in FLIPSTORM_PYTHON)");
    }
    else
    {
        std::vector<std::string> command = isolated(python, figures_script());
        command.push_back(std::filesystem::absolute(out).string());
        command.insert(command.end(), options.begin(), options.end());
        const int status = run_program(command, false);
        if (status != 0) log_warning("the figures could not be drawn ({} ended with {})", python, status);
    }
    std::vector<std::string> drawn;
    for (const std::string& name : names)
    {
        if (std::filesystem::exists(figure(name))) drawn.push_back(name);
    }
    return drawn;
}

}  // namespace flipstorm
