#include "hdf5_schema/trial_read.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <initializer_list>

#include "engine/base/error.hpp"
#include "engine/base/log.hpp"
#include "hdf5_schema/h5.hpp"
#include "hdf5_schema/h5_bounds.hpp"

namespace flipstorm
{
namespace
{

/// Values that our readers read: all but references and those of variable length, of which a file cannot
/// bound the size.
bool is_plain(hid_t type)
{
    const H5T_class_t kind = H5Tget_class(type);
    return kind == H5T_INTEGER || kind == H5T_FLOAT || (kind == H5T_STRING && H5Tis_variable_str(type) == 0);
}

void read_attributes(hid_t object, std::uint64_t file_bytes)
{
    const auto each = [](hid_t owner, const char* name, const H5A_info_t* /*info*/, void* data) -> herr_t {
        const H5Handle attribute(H5Aopen(owner, name, H5P_DEFAULT), H5Aclose);
        const H5Handle type(H5Aget_type(attribute.get()), H5Tclose);
        if (!is_plain(type.get())) return 0;
        try
        {
            const std::size_t values =
                h5_attribute_values(attribute.get(), *static_cast<const std::uint64_t*>(data), name);
            std::string bytes(values * H5Tget_size(type.get()), '\0');
            if (values > 0) H5Aread(attribute.get(), type.get(), bytes.data());
        }
        catch (const std::exception&)
        {
            return 0;  // no exception may pass through HDF5; whoever reads the file for good meets it again
        }
        return 0;
    };
    H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, each, &file_bytes);
}

void read_values(hid_t dataset, std::uint64_t file_bytes)
{
    const H5Handle type(H5Dget_type(dataset), H5Tclose);
    if (!is_plain(type.get())) return;
    try
    {
        std::string bytes(h5_stored_values(dataset, file_bytes, "dataset") * H5Tget_size(type.get()), '\0');
        if (!bytes.empty()) H5Dread(dataset, type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data());
    }
    catch (const std::exception&)
    {
        return;  // as above
    }
}

/// Both orders in which our readers go through a group.
void read_links(hid_t group)
{
    const auto each = [](hid_t /*group*/, const char* /*name*/, const H5L_info_t* /*info*/,
                         void* /*data*/) -> herr_t { return 0; };
    for (const H5_index_t order : {H5_INDEX_NAME, H5_INDEX_CRT_ORDER})
        H5Literate(group, order, H5_ITER_INC, nullptr, each, nullptr);
}

void read_everything(const std::filesystem::path& file)
{
    const std::uint64_t file_bytes = std::filesystem::file_size(file);
    const H5Handle opened(H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
    const auto each = [](hid_t root, const char* name, const H5O_info_t* info, void* data) -> herr_t {
        const std::uint64_t bytes = *static_cast<const std::uint64_t*>(data);
        const H5Handle object(H5Oopen(root, name, H5P_DEFAULT), H5Oclose);
        read_attributes(object.get(), bytes);
        if (info->type == H5O_TYPE_DATASET) read_values(object.get(), bytes);
        if (info->type == H5O_TYPE_GROUP) read_links(object.get());
        return 0;
    };
    std::uint64_t bytes = file_bytes;
    H5Ovisit2(opened.get(), H5_INDEX_NAME, H5_ITER_INC, each, &bytes, H5O_INFO_BASIC);
}

/// What the child does; never returns.
[[noreturn]] void child(const std::function<void()>& work, unsigned seconds, int report, pid_t parent)
{
    // Signals that are meant for the parent must not look like a crash; those of a crash must not print a
    // trace.
    for (const int signal : {SIGUSR1, SIGUSR2, SIGTERM})
        std::signal(signal, SIG_IGN);
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM})
        std::signal(signal, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    const rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    const int silence = ::open("/dev/null", O_RDWR);
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        ::dup2(silence, stream);
    alarm(seconds);
    try
    {
        work();
    }
    catch (...)  // it survived
    {}
    const char done = 1;
    _exit(::write(report, &done, 1) == 1 ? 0 : 1);
}

/// How a child ended that did not report.
std::string ending(pid_t pid, int status, unsigned seconds)
{
    if (pid <= 0 || !WIFSIGNALED(status)) return "the process that read it ended early";
    if (WTERMSIG(status) == SIGALRM) return fmt::format("reading it did not end within {} s", seconds);
    return fmt::format("HDF5 fails on it ({})", ::strsignal(WTERMSIG(status)));
}

}  // namespace

void try_in_child(const std::filesystem::path& file, const std::function<void()>& work)
{
    constexpr std::uint64_t kBytesPerSecond = 20'000'000;
    h5_prepare();  // in this process: HDF5 sets up MPI's part of it on its first call
    std::error_code unknown;
    const std::uintmax_t bytes = std::filesystem::file_size(file, unknown);
    const auto seconds = static_cast<unsigned>(60 + (unknown ? 0 : bytes / kBytesPerSecond));
    int report[2];
    if (::pipe2(report, O_CLOEXEC) != 0)
    {
        log_warning("'{}' is read without a trial: no pipe: {}", file.string(), std::strerror(errno));
        return;
    }
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid == 0) child(work, seconds, report[1], parent);
    const int error = errno;
    ::close(report[1]);
    char done = 0;
    ssize_t got = -1;
    while (pid > 0 && (got = ::read(report[0], &done, 1)) < 0 && errno == EINTR)
        continue;
    ::close(report[0]);
    if (pid < 0)
    {
        log_warning("'{}' is read without a trial: no child process: {}", file.string(),
                    std::strerror(error));
        return;
    }
    int status = 0;
    pid_t ended = 0;
    while ((ended = ::waitpid(pid, &status, 0)) < 0 && errno == EINTR)
        continue;
    FS_CHECK(FileError, got == 1,
             "cannot read '{}': {}; it is damaged. Restore it from a copy, or make it anew", file.string(),
             ending(ended, status, seconds));
}

void try_reading(const std::filesystem::path& file)
{
    try_in_child(file, [&file] { read_everything(file); });
}

}  // namespace flipstorm
