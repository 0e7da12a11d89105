#include "jobs/resolve/context.hpp"

#include "engine/base/log.hpp"
#include "engine/base/program_name.hpp"
#include "engine/base/sha256.hpp"
#include "engine/base/timing.hpp"
#include "engine/base/version.hpp"
#include "hdf5_schema/file_summary.hpp"
#include "hdf5_schema/h5.hpp"
#include "jobs/job_file/job_print.hpp"
#include "jobs/resolve/format_choice.hpp"
#include "jobs/resolve/processor.hpp"
#include "mpi/agreed_error.hpp"
#include "mpi/session.hpp"

namespace flipstorm
{
namespace
{

/// One rank's failure as bytes: exit code, then message; empty for success.
std::string run_and_report(const std::function<void()>& work)
{
    try
    {
        work();
        return {};
    }
    catch (const Error& error)
    {
        return fmt::format("{} {}", static_cast<int>(error.exit_code()), error.what());
    }
    catch (const std::filesystem::filesystem_error& error)
    {
        return fmt::format("{} {}", static_cast<int>(ExitCode::io), error.what());
    }
}

void throw_agreed(const std::string& failure)
{
    if (failure.empty()) return;
    const std::size_t blank = failure.find(' ');
    throw AgreedError(failure.substr(blank + 1), static_cast<ExitCode>(std::stoi(failure.substr(0, blank))));
}

}  // namespace

std::filesystem::path Context::model_file() const
{
    return job.model.file.empty() || fine_tunes(job) ? file("model.h5")
                                                     : std::filesystem::path(job.model.file);
}

std::filesystem::path Context::campaign_file() const
{
    return job.forest.campaign.empty() ? file("campaign.h5") : std::filesystem::path(job.forest.campaign);
}

std::filesystem::path Context::forest_file() const
{
    return job.harden.forest.empty() ? file("forest.h5") : std::filesystem::path(job.harden.forest);
}

Provenance make_provenance(const Context& context, const std::string& stage_sha256,
                           const std::string& model_sha256, const std::string& dataset_sha256)
{
    Provenance p;
    p.software_version = software_version();
    p.git_sha1 = git_sha1();
    p.date = utc_timestamp(epoch_seconds());
    p.command_line = context.command_line;
    p.job = canonical_job(context.job);
    p.job_sha256 = sha256_hex(p.job);
    p.stage_sha256 = stage_sha256;
    p.model_sha256 = model_sha256;
    p.dataset_sha256 = dataset_sha256;
    p.seed = context.job.job.seed;
    p.libraries = fmt::format("{}, {}", hdf5_version(), library_version());
    if (context.processor != nullptr)
        p.libraries = fmt::format("{}, {}", context.processor->version(), p.libraries);
    return p;
}

bool output_is_current(const Context& context, const std::filesystem::path& file,
                       const std::string& stage_sha256, bool keep)
{
    if (context.fresh || !std::filesystem::exists(file)) return false;
    const std::string found = stage_digest_of(file);
    if (found == stage_sha256)
    {
        log_info("{} is there and up to date", file.string());
        return true;
    }
    FS_CHECK(
        JobError, !keep,
        "'{}' was made by another job or from other inputs (stage_sha256 {:.12}…, this job has {:.12}…); use "
        "another job.out (--out DIR), or --fresh to discard it",
        file.string(), found, stage_sha256);
    const std::string version = earlier_version_of(file);
    log_info("{} is out of date{}: made anew", file.string(),
             version.empty() ? "" : fmt::format(" (version {}, of an earlier flipstorm)", version));
    return false;
}

void need_input(const std::filesystem::path& file, const char* stage)
{
    const std::string_view name = stage;
    const bool in_both = name == "forest" || name == "harden";
    FS_CHECK(FileError, std::filesystem::exists(file), "cannot read '{}': No such file; '{} {}' makes it",
             file.string(), in_both ? program_name() : "flipstorm", stage);
}

StageEnd on_root(const Context& context, const std::function<StageEnd()>& work,
                 const std::function<void()>& wait)
{
    StageEnd end = StageEnd::complete;
    std::string failure;
    if (context.world.is_root()) failure = run_and_report([&] { end = work(); });
    if (wait)
        wait();
    else
        context.world.patient_barrier();
    context.world.broadcast(failure);
    throw_agreed(failure);
    return context.world.broadcast(end == StageEnd::stopped ? 1U : 0U) != 0 ? StageEnd::stopped
                                                                            : StageEnd::complete;
}

void on_all(const Communicator& world, const std::function<void()>& work)
{
    const std::vector<std::string> failures = world.all_gather(run_and_report(work));
    for (const std::string& failure : failures)
        throw_agreed(failure);
}

}  // namespace flipstorm
