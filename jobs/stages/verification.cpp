// What the campaigns into the protected memory are, and what they say.

#include "analysis/verification.hpp"

#include <filesystem>

#include "engine/base/error.hpp"
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

ProofOfJob proof_of(const Context& context, const CampaignRecord& unprotected)
{
    const Context other = verification_context(context);
    const std::filesystem::path file = other.file("campaign.h5");
    ProofOfJob proof;
    if (!std::filesystem::exists(file)) return proof;
    const CampaignRecord campaign = read_campaign(file, "protected");
    Verification verification;
    try
    {
        verification = verify_protection(campaign, read_protected(context.file("protected.h5")),
                                         read_protection(context.file("protection.h5")), unprotected);
    }
    catch (const DataError& error)
    {
        log_warning("'{}' is no proof of this protection: {}", file.string(), error.what());
        return proof;
    }
    proof.sha256 = campaign.header.provenance.stage_sha256;
    proof.proof.disagreement = verification.disagreement();
    proof.proof.tables.push_back(verification_table(verification));
    proof.verification = verification;
    const std::filesystem::path memories = other.file("memory.h5");
    if (context.job.campaign.ber.empty() || !std::filesystem::exists(memories)) return proof;
    const MemoryRecord memory = read_memory(memories);
    if (memory.memory_sha256 != campaign.header.memory_sha256)
    {
        log_warning("'{}' is of another memory than that of protected.h5; 'flipstorm verify' makes it anew",
                    memories.string());
        return proof;
    }
    proof.memory_file = memories;
    proof.sha256 += memory.provenance.stage_sha256;
    proof.proof.tables.push_back(memory_table(memory, verification.tolerance));
    proof.memory = memory;
    return proof;
}

StageEnd report_verification_on_root(const Context& context)
{
    for (const ResultTable& table : proof_of(context, campaign_of(context)).proof.tables)
        print_result("{}\n", render_text(table));
    flush_output();
    return StageEnd::complete;
}

}  // namespace flipstorm
