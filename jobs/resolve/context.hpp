#pragma once
// What every stage is given: the job, the ranks, the processor, and where files go.

#include <ctime>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/compute/device.hpp"
#include "hdf5_schema/provenance.hpp"
#include "jobs/job_file/job.hpp"
#include "mpi/communicator.hpp"
#include "mpi/stop.hpp"

namespace flipstorm
{

class OutLock;
class Processor;

/// How a stage ended.
enum class StageEnd
{
    complete,
    stopped,  ///< asked to stop; run the same command again
};

/// What `bench` measures.
struct BenchOptions
{
    std::uint64_t faults = 1024;  ///< per layer and mode, at most
    double seconds = 30;          ///< per mode, about, beside the passes that all faults of a layer share
    std::vector<std::string> modes = {"reference", "exact", "screened"};
    std::string json;  ///< file to write; empty: none
};

/// How `plan` estimates what a campaign costs.
struct CostOptions
{
    double calibrate = 20;  ///< seconds of measurement, about; 0: none
    std::string ranks;      ///< see parse_ranks; empty: those that there are
    bool possible = true;   ///< false: the job's device is not here
};

/// What `import` and `convert` read and write.
struct ModelFiles
{
    std::string from;  ///< TorchScript file; model file
    std::string to;    ///< model file
};

/// The surroundings of a stage.
struct Context
{
    Job job;
    std::string command_line;
    Communicator world;
    const Processor* processor = nullptr;  ///< null: nothing computes networks here
    Device device;
    int threads = 1;
    bool fresh = false;  ///< discard what an earlier run left
    bool quiet = false;
    bool all_strata = false;              ///< `plan` prints each stratum, however many there are
    std::optional<std::time_t> deadline;  ///< seconds since 1970
    StopConditions* stop = nullptr;
    OutLock* lock = nullptr;  ///< of the out folder, on rank 0 of a stage that writes there
    BenchOptions bench;
    CostOptions cost;
    ModelFiles model_files;
    std::uint64_t validation_faults = 0;  ///< that `forest` injects to judge its map; 0: none
    std::string export_to;  ///< --export of `forest` and `harden`: an ONNX model, a folder; empty: none

    /// The out folder.
    [[nodiscard]] std::filesystem::path out() const { return job.job.out; }
    /// A file of the out folder.
    [[nodiscard]] std::filesystem::path file(const char* name) const { return out() / name; }
    /// The model to inject: model.file, or model.h5 of the out folder if there is none or it is fine-tuned.
    /// \throws FileError as fine_tunes
    [[nodiscard]] std::filesystem::path model_file() const;
    /// The campaign to analyse: forest.campaign, or campaign.h5 of the out folder.
    [[nodiscard]] std::filesystem::path campaign_file() const;
    /// The forest to harden with: harden.forest, or forest.h5 of the out folder.
    [[nodiscard]] std::filesystem::path forest_file() const;
};

/// Provenance of a file written now.
Provenance make_provenance(const Context& context, const std::string& stage_sha256,
                           const std::string& model_sha256, const std::string& dataset_sha256);

/**
 * What to do about a stage's output file.
 *
 * \return true if the file is there with this digest: nothing to do, and the log says so
 * \throws JobError if a dear file (`keep`) is there from another job, unless --fresh; FileError if it cannot
 * be read. A cheap one, or any under --fresh, is to be made anew.
 */
bool output_is_current(const Context& context, const std::filesystem::path& file,
                       const std::string& stage_sha256, bool keep);

/// \throws FileError, naming the stage that makes the file, if an input of a stage is not there.
void need_input(const std::filesystem::path& file, const char* stage);

/**
 * Do something on rank 0 while the other ranks wait without burning their cores.
 *
 * An Error on rank 0 is thrown on all ranks, as an AgreedError. \param wait  how the ranks wait for rank 0,
 * which calls it last; empty: patiently. \return what rank 0 returned. \collective
 */
StageEnd on_root(const Context& context, const std::function<StageEnd()>& work,
                 const std::function<void()>& wait = {});

/// Do something on every rank; if any fails, all throw an AgreedError with the first rank's message.
/// \collective
void on_all(const Communicator& world, const std::function<void()>& work);

}  // namespace flipstorm
