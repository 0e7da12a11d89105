// Command `verify`: campaigns into the protected memory, in OUT/verify.

#include <filesystem>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/log.hpp"
#include "hdf5_schema/protected_file.hpp"
#include "jobs/resolve/inputs.hpp"
#include "jobs/stages/locked_stage.hpp"
#include "jobs/stages/memory_trials.hpp"
#include "jobs/stages/stages.hpp"
#include "mpi/journal.hpp"

namespace flipstorm
{

namespace
{

namespace fs = std::filesystem;

/// In OUT/verify: of what memory the campaigns are.
constexpr const char* kMemoryFile = "memory.sha256";

/// What is there of another memory goes: it would neither be taken up nor be the proof of this one.
void discard_another(const Context& context, const std::string& memory_sha256)
{
    const fs::path mark = context.file(kMemoryFile);
    const std::string known = fs::exists(mark) ? read_file(mark) : std::string();
    if (known != memory_sha256 + "\n")
    {
        if (!known.empty())
            log_info("'{}' is about another memory than that of protected.h5: done anew",
                     context.out().string());
        for (const char* name : {"campaign.h5", "campaign.toml", "memory.h5"})
            fs::remove(context.file(name));
        for (const char* name : {"journal", kMemoryJournal})
            remove_journal(context.file(name));
    }
    write_file_durably(mark, memory_sha256 + "\n");
}

/// \throws DataError unless the memory can be struck and its proof be set beside the campaign.
void require_provable(const Context& context)
{
    const fs::path memory_file = context.file("protected.h5");
    const fs::path protection_file = context.file("protection.h5");
    need_input(context.model_file(), "train");
    need_input(context.campaign_file(), "inject");
    need_input(protection_file, "harden");
    FS_CHECK(
        DataError, fs::exists(memory_file),
        "no '{}': the scheme that '{}' chose keeps parameters of one layer in different ways, and has no "
        "memory to strike; put \"optimized\" among harden.options and run 'flipstorm harden' again",
        memory_file.string(), protection_file.string());
    const ProtectedIdentity memory = identify_protected(memory_file);
    FS_CHECK(DataError, memory.protection_sha256 == read_protection(protection_file).provenance.stage_sha256,
             "'{}' is the memory of another protection than '{}'; run 'flipstorm harden' again",
             memory_file.string(), protection_file.string());
    const CampaignHeader campaign = campaign_of(context).header;
    const ImageSet images = load_test_images(context.job);
    FS_CHECK(
        DataError, campaign.provenance.dataset_sha256 == digest(images),
        "'{}' is of other test images than [data] of this job names; the protected memory is judged on the "
        "same",
        context.campaign_file().string());
}

}  // namespace

StageEnd run_verify(const Context& context)
{
    need_memory(context, "verify");
    const Context other = verification_context(context);
    on_root(context, [&] {
        require_provable(context);
        make_folder(context.out());
        make_folder(other.out());
        return StageEnd::complete;
    });
    const StageEnd discarded = run_locked(other, [&](const Context& locked) {
        return on_root(locked, [&] {
            discard_another(locked, identify_protected(context.file("protected.h5")).memory_sha256);
            return StageEnd::complete;
        });
    });
    if (discarded == StageEnd::stopped) return StageEnd::stopped;
    if (run_locked(other, run_inject) == StageEnd::stopped) return StageEnd::stopped;
    if (!context.job.campaign.ber.empty() && run_locked(other, run_memory_trials) == StageEnd::stopped)
        return StageEnd::stopped;
    return on_root(context, [&] { return report_verification_on_root(context); });
}

}  // namespace flipstorm
