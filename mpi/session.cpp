#include "mpi/session.hpp"

#include <unistd.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <optional>

#include "engine/base/error.hpp"
#include "mpi/mpi_check.hpp"

namespace flipstorm
{
namespace
{

std::optional<std::uint32_t> number(const char* text)
{
    if (text == nullptr) return std::nullopt;
    std::uint32_t value = 0;
    const char* const end = text + std::strlen(text);
    const auto [rest, error] = std::from_chars(text, end, value);
    if (error != std::errc{} || rest != end) return std::nullopt;
    return value;
}

/// Slurm numbers its own steps (batch, extern, interactive, …) from the top.
bool in_srun_step(const Environment& environment)
{
    constexpr std::uint32_t kFirstSpecialStep = 0xfffffff0U;
    const auto step = number(environment("SLURM_STEP_ID"));
    return step && *step < kFirstSpecialStep;
}

}  // namespace

Launch detect_launch(const Environment& environment)
{
    for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"})
    {
        if (const auto ranks = number(environment(name))) return {true, static_cast<int>(*ranks), name};
    }
    Launch launch;
    for (const char* name : {"PMIX_RANK", "PMI_RANK"})
    {
        if (!launch.by_launcher && environment(name) != nullptr) launch = {true, 0, name};
    }
    const char* const step_tasks = "SLURM_STEP_NUM_TASKS";
    const auto tasks = number(environment(step_tasks));
    if (tasks && in_srun_step(environment) && (launch.by_launcher || *tasks > 1))
    {
        const bool heterogeneous = environment("SLURM_HET_SIZE") != nullptr;
        launch = {true, heterogeneous ? 0 : static_cast<int>(*tasks), step_tasks};
    }
    return launch;
}

void check_launch(const Launch& launch, int mpi_size)
{
    FS_CHECK(MpiError, launch.ranks == 0 || launch.ranks == mpi_size,
             "started as one of {} ranks ({}), but {} sees {}: the launcher and the MPI library do not "
             "understand each other. Under Slurm use 'srun --mpi=pmix' ('srun --mpi=list' shows what there "
             "is), or "
             "the mpirun of the same MPI library",
             launch.ranks, launch.source, library_version(), mpi_size);
}

std::string short_library_version(std::string_view text)
{
    text = text.substr(0, text.find_first_of(",\n"));
    std::string result;
    for (std::size_t i = 0; i < text.size();)
    {
        const std::size_t begin = text.find_first_not_of(" \t", i);
        if (begin == std::string_view::npos) break;
        const std::size_t end = std::min(text.find_first_of(" \t", begin), text.size());
        std::string_view word = text.substr(begin, end - begin);
        i = end;
        if (word == "Version:") continue;
        const bool v_number =
            word.size() > 1 && word[0] == 'v' && std::isdigit(static_cast<unsigned char>(word[1])) != 0;
        if (v_number) word.remove_prefix(1);
        if (!result.empty()) result += ' ';
        result += word;
    }
    return result;
}

std::string library_version()
{
    std::array<char, MPI_MAX_LIBRARY_VERSION_STRING + 1> text{};
    int length = 0;
    FS_MPI(MPI_Get_library_version(text.data(), &length));
    return short_library_version({text.data(), static_cast<std::size_t>(length)});
}

void end_all_ranks(const Communicator& world, int exit_code) noexcept
{
    if (world.size() > 1) MPI_Abort(MPI_COMM_WORLD, exit_code);
    ::_exit(exit_code);
}

MpiSession::MpiSession() : unwinding_at_start_(std::uncaught_exceptions()) {}

MpiSession::MpiSession(int& argc, char**& argv) : unwinding_at_start_(std::uncaught_exceptions())
{
    const Launch launch = detect_launch([](const char* name) { return std::getenv(name); });
    if (!launch.by_launcher) return;

    int provided = MPI_THREAD_SINGLE;
    FS_MPI(MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &provided));
    try
    {
        FS_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
        FS_MPI(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
        FS_CHECK(MpiError, provided >= MPI_THREAD_FUNNELED,
                 "{} gives thread level {}, but MPI_THREAD_FUNNELED is needed", library_version(), provided);
        int size = 0;
        FS_MPI(MPI_Comm_size(MPI_COMM_WORLD, &size));
        check_launch(launch, size);
        MPI_Comm own = MPI_COMM_NULL;
        FS_MPI(MPI_Comm_dup(MPI_COMM_WORLD, &own));
        world_ = Communicator::adopt(own);
    }
    catch (...)
    {
        MPI_Finalize();
        throw;
    }
}

MpiSession::~MpiSession()
{
    if (world_.is_null()) return;
    if (std::uncaught_exceptions() > unwinding_at_start_) abort(static_cast<int>(ExitCode::internal));
    world_ = Communicator();
    MPI_Finalize();
}

void MpiSession::abort(int exit_code) const
{
    std::fflush(nullptr);
    if (!world_.is_null()) MPI_Abort(MPI_COMM_WORLD, exit_code);
    std::exit(exit_code);
}

}  // namespace flipstorm
