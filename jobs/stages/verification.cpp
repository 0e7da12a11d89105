// What the campaigns into the protected memory are, and what they say.

#include "analysis/verification.hpp"

#include <filesystem>

#include "engine/base/log.hpp"
#include "engine/base/standard_output.hpp"
#include "jobs/resolve/inputs.hpp"
#include "jobs/stages/stages.hpp"

namespace flipstorm
{

Context verification_context(const Context& context)
{
    Context other = context;
    Job& job = other.job;
    job.model.file = std::filesystem::absolute(context.model_file()).string();
    job.campaign.target = "protected";
    job.campaign.protected_memory = std::filesystem::absolute(context.file("protected.h5")).string();
    job.campaign.scheme = job.verify.scheme;
    job.campaign.error_margin = job.verify.error_margin;
    job.campaign.exhaustive = job.verify.exhaustive;
    job.campaign.limit = job.verify.limit;
    job.campaign.layers.clear();
    job.campaign.exclude.clear();
    job.job.out = (context.out() / "verify").string();
    other.lock = nullptr;
    return other;
}

StageEnd report_verification_on_root(const Context& context)
{
    const Context other = verification_context(context);
    const auto in = [](const std::filesystem::path& file, auto&& work) { return naming(file, work); };
    const std::filesystem::path file = other.file("campaign.h5");
    const Verification verification = in(file, [&] {
        return verify_protection(read_campaign(file, "protected"),
                                 read_protected(context.file("protected.h5")),
                                 read_protection(context.file("protection.h5")), campaign_of(context));
    });
    print_result("{}\n", render_text(verification_table(verification)));
    const std::filesystem::path trials = other.file("memory.h5");
    if (!context.job.campaign.ber.empty() && std::filesystem::exists(trials))
        print_result("{}\n", render_text(memory_table(read_memory(trials), verification.tolerance)));
    flush_output();
    return StageEnd::complete;
}

}  // namespace flipstorm
