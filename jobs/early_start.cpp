// What has to happen before any library of the program is initialised. LibTorch alone takes a good part of a
// second for that, in which SIGUSR1 would kill; and OpenBLAS asks for ever for a buffer that a limit of the
// address space has no room for. Part of the program only, not of its libraries.

#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <exception>
#include <string_view>

#include "engine/base/error.hpp"
#include "engine/base/library_memory.hpp"
#include "mpi/stop.hpp"

namespace
{

using flipstorm::ExitCode;

/// Nothing but system calls works yet.
[[noreturn]] void end_early(std::string_view message)
{
    static_cast<void>(::write(STDERR_FILENO, message.data(), message.size()) < 0);
    ::_exit(static_cast<int>(ExitCode::internal));
}

[[noreturn]] void end_of_initialisation()
{
    end_early(
        "flipstorm: a library cannot be initialised; is the memory of this process limited (ulimit -v)?\n");
}

/// Threads of OpenBLAS: the number in OMP_NUM_THREADS, else the cores that this process may use.
std::size_t blas_threads(char** environment)
{
    constexpr std::string_view kName = "OMP_NUM_THREADS=";
    cpu_set_t cores;
    CPU_ZERO(&cores);
    const bool known = ::sched_getaffinity(0, sizeof(cores), &cores) == 0;
    const std::size_t allowed = known ? static_cast<std::size_t>(CPU_COUNT(&cores)) : 1;
    for (char** entry = environment; entry != nullptr && *entry != nullptr; ++entry)
    {
        if (std::strncmp(*entry, kName.data(), kName.size()) != 0) continue;
        std::size_t threads = 0;
        for (const char* c = *entry + kName.size(); *c >= '0' && *c <= '9' && threads < 100'000; ++c)
            threads = 10 * threads + static_cast<std::size_t>(*c - '0');
        if (threads > 0 && threads < allowed) return threads;
    }
    return allowed;
}

void start_early(int /*argc*/, char** /*argv*/, char** environment)
{
    flipstorm::catch_signals_early();
    std::set_terminate(end_of_initialisation);
    struct rlimit limit = {};
    if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
    if (!flipstorm::has_openblas()) return;
    constexpr std::size_t kRest = std::size_t{16} << 20U;  // what the other libraries take
    if (!flipstorm::has_room_for(blas_threads(environment) * flipstorm::kBlasBuffer + kRest))
    {
        end_early(
            "flipstorm: out of memory before the start: the limit of the address space (ulimit -v) has no "
            "room for "
            "the libraries and a buffer of 128 MiB for each thread; raise it, or set OMP_NUM_THREADS "
            "lower\n");
    }
}

using EarlyFunction = void (*)(int, char**, char**);

// The dynamic linker calls what is in this section of a program ahead of the constructors of its libraries.
__attribute__((section(".preinit_array"), used)) const EarlyFunction early_start = start_early;

}  // namespace
