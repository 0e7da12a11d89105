#include "mpi/session.hpp"

#include <gtest/gtest.h>

#include <map>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

Launch launch_in(const std::map<std::string, std::string>& variables)
{
    return detect_launch([&](const char* name) -> const char* {
        const auto found = variables.find(name);
        return found == variables.end() ? nullptr : found->second.c_str();
    });
}

void expect_launch(const Launch& launch, int ranks, const std::string& source)
{
    EXPECT_TRUE(launch.by_launcher);
    EXPECT_EQ(launch.ranks, ranks);
    EXPECT_EQ(launch.source, source);
}

TEST(DetectLaunch, NothingMeansNoLauncher)
{
    EXPECT_FALSE(launch_in({}).by_launcher);
    EXPECT_FALSE(launch_in({{"OMPI_COMM_WORLD_SIZE", "many"}}).by_launcher);
}

TEST(DetectLaunch, EachLauncherIsSeen)
{
    expect_launch(launch_in({{"OMPI_COMM_WORLD_SIZE", "4"}, {"PMIX_RANK", "0"}}), 4, "OMPI_COMM_WORLD_SIZE");
    expect_launch(launch_in({{"PMI_RANK", "1"}, {"PMI_SIZE", "2"}}), 2, "PMI_SIZE");
    expect_launch(launch_in({{"PMIX_RANK", "1"}}), 0, "PMIX_RANK");
    expect_launch(launch_in({{"PMI_RANK", "1"}}), 0, "PMI_RANK");
}

TEST(DetectLaunch, StepOfSrun)
{
    const std::map<std::string, std::string> step{
        {"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "0"}, {"SLURM_STEP_NUM_TASKS", "4"}};
    expect_launch(launch_in(step), 4, "SLURM_STEP_NUM_TASKS");

    auto with_pmix = step;
    with_pmix["PMIX_RANK"] = "2";
    expect_launch(launch_in(with_pmix), 4, "SLURM_STEP_NUM_TASKS");

    auto one_task = step;
    one_task["SLURM_STEP_NUM_TASKS"] = "1";
    EXPECT_FALSE(launch_in(one_task).by_launcher);
    one_task["PMIX_RANK"] = "0";
    expect_launch(launch_in(one_task), 1, "SLURM_STEP_NUM_TASKS");

    auto heterogeneous = step;
    heterogeneous["SLURM_HET_SIZE"] = "2";
    expect_launch(launch_in(heterogeneous), 0, "SLURM_STEP_NUM_TASKS");
}

TEST(DetectLaunch, BatchScriptAndInteractiveShellAreNotSteps)
{
    EXPECT_FALSE(
        launch_in({{"SLURM_JOB_ID", "7"}, {"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}}).by_launcher);
    EXPECT_FALSE(launch_in({{"SLURM_STEP_ID", "4294967291"}, {"SLURM_STEP_NUM_TASKS", "4"}}).by_launcher);
}

TEST(DetectLaunch, DaemonsOfMpirunDoNotCount)
{
    // mpirun on four nodes: Slurm sees a step of three daemons, MPI eight ranks.
    expect_launch(
        launch_in({{"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "3"}, {"OMPI_COMM_WORLD_SIZE", "8"}}), 8,
        "OMPI_COMM_WORLD_SIZE");
}

TEST(CheckLaunch, RefusesAnotherNumberOfRanks)
{
    EXPECT_NO_THROW(check_launch({true, 4, "PMI_SIZE"}, 4));
    EXPECT_NO_THROW(check_launch({true, 0, "PMIX_RANK"}, 4));
    try
    {
        check_launch({true, 4, "SLURM_STEP_NUM_TASKS"}, 1);
        FAIL() << "nothing thrown";
    }
    catch (const MpiError& error)
    {
        const std::string message = error.what();
        EXPECT_NE(message.find("one of 4 ranks (SLURM_STEP_NUM_TASKS)"), std::string::npos) << message;
        EXPECT_NE(message.find("srun --mpi=pmix"), std::string::npos) << message;
    }
}

TEST(LibraryVersion, IsShort)
{
    EXPECT_EQ(short_library_version("Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4"),
              "Open MPI 4.1.4");
    EXPECT_EQ(short_library_version("MPICH Version:      4.0.2\nMPICH Release date: x"), "MPICH 4.0.2");
    EXPECT_EQ(short_library_version("MPICH Version:\t3.4a2\n"), "MPICH 3.4a2");
    EXPECT_EQ(short_library_version(""), "");
    EXPECT_FALSE(library_version().empty());
}

}  // namespace
}  // namespace flipstorm
