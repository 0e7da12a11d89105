#pragma once
// MPI from start to end of a process. Under a launcher (mpirun, srun with a PMI) MPI is initialised; without
// one it is not touched, and the communicator is the null one: the program runs as one rank.

#include <functional>
#include <string>
#include <string_view>

#include "mpi/communicator.hpp"

namespace flipstorm
{

/// How this process was started, as its environment tells.
struct Launch
{
    bool by_launcher = false;  ///< one of the ranks of an MPI launcher
    int ranks = 0;             ///< how many the launcher started; 0: not known
    std::string source;        ///< the variable that says so
};

/// Reads an environment variable: its value, or nullptr.
using Environment = std::function<const char*(const char* name)>;

/**
 * Was this process started by an MPI launcher, and with how many ranks?
 *
 * Variables looked at, in this order: OMPI_COMM_WORLD_SIZE (mpirun of Open MPI), PMI_SIZE (MPICH, Slurm's
 * pmi2, Flux), SLURM_STEP_NUM_TASKS within a step of srun, PMIX_RANK and PMI_RANK. The order matters: mpirun
 * starts its daemons on other nodes by srun, so ranks of mpirun see a Slurm step of another size. A batch
 * script and an interactive shell of Slurm are not steps in this sense. In a heterogeneous job Slurm tells
 * the tasks of one component only, so the number stays unknown.
 */
[[nodiscard]] Launch detect_launch(const Environment& environment);

/// \throws MpiError if the launcher started another number of ranks than MPI sees: a PMI that the MPI library
/// does not speak silently gives as many MPI worlds of one rank as there are tasks.
void check_launch(const Launch& launch, int mpi_size);

/// "Open MPI 4.1.4" from the long text of MPI_Get_library_version.
[[nodiscard]] std::string short_library_version(std::string_view text);

/// Name and version of the MPI library in use. Works without a session.
[[nodiscard]] std::string library_version();

/**
 * End this process, and with it all ranks if there are several, now: nothing is flushed, no destructor runs.
 * From any thread, while no other of this process is within MPI.
 */
[[noreturn]] void end_all_ranks(const Communicator& world, int exit_code) noexcept;

/// One per process, made first in main and destroyed last.
class MpiSession
{
  public:
    /**
     * Initialise MPI (MPI_THREAD_FUNNELED at least, MPI_THREAD_SERIALIZED, which training on GPUs needs,
     * where the library has it) if started by a launcher. MPI errors are returned, not fatal.
     *
     * \throws MpiError if MPI is not as the launcher meant it (check_launch) or too old. \collective
     */
    MpiSession(int& argc, char**& argv);

    /// One process that leaves MPI alone, launcher or not.
    MpiSession();
    MpiSession(const MpiSession&) = delete;
    MpiSession& operator=(const MpiSession&) = delete;

    /// Finalise MPI. \collective
    ///
    /// While an exception unwinds the stack, all ranks are aborted at once, unexplained: catch and print
    /// within the life of the session, then call abort().
    ~MpiSession();

    /// All ranks; the null communicator without a launcher.
    [[nodiscard]] const Communicator& world() const { return world_; }

    /// End all ranks now, for an error that the others do not know of. mpirun returns `exit_code`.
    [[noreturn]] void abort(int exit_code) const;

  private:
    Communicator world_;
    int unwinding_at_start_;
};

}  // namespace flipstorm
