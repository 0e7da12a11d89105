#include "jobs/resolve/stage_digest.hpp"

#include <fmt/format.h>

#include "engine/base/sha256.hpp"
#include "engine/base/word_fault.hpp"
#include "engine/evaluate/evaluator.hpp"
#include "engine/evaluate/results_revision.hpp"
#include "jobs/campaign/transient_campaign.hpp"
#include "jobs/job_file/job_print.hpp"
#include "jobs/job_file/transient_rules.hpp"

namespace flipstorm
{

std::string train_digest(const Job& job, const std::string& dataset_sha256)
{
    Job relevant = job;
    relevant.data.test_images = 0;  // what a campaign looks at
    return sha256_hex("flipstorm train 2\n" +
                      canonical_tables(relevant, {"data", "model", "train", "train.fault_aware"}) +
                      dataset_sha256);
}

std::string import_digest(const Job& job, const std::string& model_sha256, const std::string& dataset_sha256)
{
    Job relevant = job;
    relevant.data.test_images = 0;  // what a campaign looks at
    relevant.data.train_images = 0;
    return sha256_hex("flipstorm import 1\n" + canonical_tables(relevant, {"data"}) + model_sha256 +
                      dataset_sha256);
}

std::string campaign_digest(const Job& job, const Plan& plan, int revision, const std::string& model_sha256,
                            const std::string& dataset_sha256)
{
    Job relevant = job;
    relevant.campaign.confidence = 0.99;  // only t, which comes from it, is used
    const CampaignTable defaults;
    if (upset_model(job.campaign.fault_model, job.campaign.upset_bits).single_bit())
        relevant.campaign.upset_bits = defaults.upset_bits;
    if (job.campaign.scheme != "iterative") relevant.campaign.pilot = defaults.pilot;
    if (job.campaign.evaluation != "screened")
    {
        relevant.campaign.kappa = defaults.kappa;
        relevant.campaign.tau = defaults.tau;
        relevant.campaign.audit_share = defaults.audit_share;
        relevant.campaign.screen_bound = defaults.screen_bound;
    }
    Sha256 hash;
    hash.update("flipstorm campaign 3\n").update(canonical_tables(relevant, {"campaign"}));
    if (is_transient(job)) hash.update(transient_identity(job));
    if (revision > 0) hash.update(fmt::format("results revision {}\n", revision));
    hash.update(model_sha256).update(dataset_sha256);
    // A journal is only good for the chunks it was written for.
    hash.update(evaluation_layout());
    for (const Chunk& chunk : plan.chunks())
    {
        hash.update(fmt::format("{} {} {}\n", chunk.layer.value(), chunk.first.value(), chunk.count));
    }
    return hash.hex();
}

int revision_of_results(const Job& job, const Graph& graph)
{
    const bool libtorch = job.campaign.evaluation == "reference" || job.campaign.backend == "libtorch";
    return libtorch ? 0 : results_revision(graph);
}

std::string forest_digest(const Job& job, const std::string& campaign_content,
                          const std::string& model_sha256)
{
    return sha256_hex("flipstorm forest 1\n" + canonical_tables(job, {"forest"}) +
                      fmt::format("harden.tolerance = {}\n", job.harden.tolerance) + campaign_content +
                      model_sha256);
}

std::string harden_digest(const Job& job, const std::string& forest_content,
                          const std::string& campaign_content)
{
    return sha256_hex("flipstorm harden 1\n" + canonical_tables(job, {"harden"}) + forest_content +
                      campaign_content);
}

}  // namespace flipstorm
