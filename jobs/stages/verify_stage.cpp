// Command `verify`: campaigns into the protected memory, in OUT/verify.

#include <filesystem>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "jobs/stages/locked_stage.hpp"
#include "jobs/stages/memory_trials.hpp"
#include "jobs/stages/stages.hpp"

namespace flipstorm
{

StageEnd run_verify(const Context& context)
{
    need_memory(context, "verify");
    const Context other = verification_context(context);
    on_root(context, [&] {
        need_input(context.model_file(), "train");
        need_input(context.file("protection.h5"), "harden");
        FS_CHECK(
            DataError, std::filesystem::exists(context.file("protected.h5")),
            "no '{}': the scheme that '{}' chose keeps parameters of one layer in different ways, and has no "
            "memory to strike; put \"optimized\" among harden.options and run 'flipstorm harden' again",
            context.file("protected.h5").string(), context.file("protection.h5").string());
        make_folder(context.out());
        make_folder(other.out());
        return StageEnd::complete;
    });
    if (run_locked(other, run_inject) == StageEnd::stopped) return StageEnd::stopped;
    if (!context.job.campaign.ber.empty() && run_locked(other, run_memory_trials) == StageEnd::stopped)
        return StageEnd::stopped;
    return on_root(context, [&] { return report_verification_on_root(context); });
}

}  // namespace flipstorm
