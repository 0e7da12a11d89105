#include "analysis/python.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "analysis/python_scripts.hpp"
#include "engine/base/error.hpp"
#include "engine/base/log.hpp"
#include "engine/base/temporary_file.hpp"

extern char** environ;

namespace flipstorm
{
namespace
{

/// How a child is started: in a process group of its own, so that it can be ended with all that it starts,
/// and with the signals that flipstorm ignores as a program expects them.
class SpawnSettings
{
  public:
    explicit SpawnSettings(bool silent)
    {
        posix_spawn_file_actions_init(&actions_);
        if (silent)
        {
            posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
            posix_spawn_file_actions_addopen(&actions_, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        }
        posix_spawnattr_init(&attributes_);
        sigset_t defaults;
        sigemptyset(&defaults);
        sigaddset(&defaults, SIGPIPE);
        sigaddset(&defaults, SIGXFSZ);
        posix_spawnattr_setsigdefault(&attributes_, &defaults);
        posix_spawnattr_setpgroup(&attributes_, 0);
        posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    }
    SpawnSettings(const SpawnSettings&) = delete;
    SpawnSettings& operator=(const SpawnSettings&) = delete;
    ~SpawnSettings()
    {
        posix_spawnattr_destroy(&attributes_);
        posix_spawn_file_actions_destroy(&actions_);
    }

    [[nodiscard]] const posix_spawn_file_actions_t* actions() const { return &actions_; }
    [[nodiscard]] const posix_spawnattr_t* attributes() const { return &attributes_; }

  private:
    posix_spawn_file_actions_t actions_;
    posix_spawnattr_t attributes_;
};

}  // namespace

int run_child(const std::vector<std::string>& arguments, bool silent, const StopRequest& stop)
{
    std::vector<char*> argv;
    for (const std::string& argument : arguments)
        argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    stop_if_asked(stop);
    const SpawnSettings settings(silent);
    pid_t child = 0;
    if (posix_spawnp(&child, argv[0], settings.actions(), settings.attributes(), argv.data(), environ) != 0)
        return -1;
    constexpr std::chrono::milliseconds kPause{10};
    int status = 0;
    while (true)
    {
        const pid_t ended = waitpid(child, &status, stop ? WNOHANG : 0);
        if (ended == child) return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        if (ended < 0 && errno != EINTR) return -1;
        if (stop && stop())
        {
            ::kill(-child, SIGKILL);
            while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            {}
            throw Stopped();
        }
        if (ended == 0) std::this_thread::sleep_for(kPause);
    }
}

namespace
{
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

/// A Python that has these modules: $FLIPSTORM_PYTHON, Debian's, or the first in PATH. Empty: none.
std::string find_python(const std::string& modules, const StopRequest& stop)
{
    const char* given = std::getenv("FLIPSTORM_PYTHON");
    for (const std::string& python : {std::string(given != nullptr ? given : ""),
                                      std::string("/usr/bin/python3"), std::string("python3")})
    {
        if (!python.empty() && run_child(isolated(python, "import " + modules), true, stop) == 0)
            return python;
    }
    return {};
}

}  // namespace

std::vector<std::string> draw_figures(const std::filesystem::path& out, const std::vector<std::string>& names,
                                      const std::vector<std::string>& options, const StopRequest& stop)
{
    const auto figure = [&out](const std::string& name) { return out / "figures" / (name + ".png"); };
    // What cannot be drawn now must not be that of an earlier run.
    for (const std::string& name : names)
        std::filesystem::remove(figure(name));
    std::error_code error;
    const auto now = std::filesystem::last_write_time(out, error);
    if (!error) remove_dead_temporaries(out / "figures", now);
    const std::string python = find_python("h5py, matplotlib", stop);
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
        int status = 0;
        try
        {
            status = run_child(command, false, stop);
        }
        catch (const Stopped&)
        {
            for (const std::string& name : names)
                std::filesystem::remove(figure(name));  // the last one is not complete
            throw;
        }
        if (status != 0) log_warning("the figures could not be drawn ({} ended with {})", python, status);
    }
    std::vector<std::string> drawn;
    for (const std::string& name : names)
    {
        if (std::filesystem::exists(figure(name))) drawn.push_back(name);
    }
    return drawn;
}

void export_forest(const std::filesystem::path& forest, const std::filesystem::path& model,
                   const StopRequest& stop)
{
    const std::string python = find_python("h5py, onnx", stop);
    FS_CHECK(FileError, !python.empty(),
             "cannot write '{}': no Python with h5py and onnx (Debian: apt install python3-h5py "
             "python3-onnx; or name one "
             "in FLIPSTORM_PYTHON)",
             model.string());
    const std::filesystem::path folder = std::filesystem::absolute(model).parent_path();
    std::error_code error;
    const auto now = std::filesystem::last_write_time(folder, error);
    if (!error) remove_dead_temporaries(folder, now);
    std::vector<std::string> command = isolated(python, forest_onnx_script());
    command.push_back(std::filesystem::absolute(forest).string());
    command.push_back(std::filesystem::absolute(model).string());
    const int status = run_child(command, false, stop);
    constexpr int kNoForest = 65;
    FS_CHECK(DataError, status != kNoForest, "'{}' was not written: '{}' has no forest for its map",
             model.string(), forest.string());
    FS_CHECK(FileError, status == 0, "'{}' was not written ({} ended with {})", model.string(), python,
             status);
}

}  // namespace flipstorm
