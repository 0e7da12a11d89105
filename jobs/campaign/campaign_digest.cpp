#include "jobs/campaign/campaign_digest.hpp"

#include <fmt/format.h>

#include "engine/base/sha256.hpp"
#include "engine/evaluate/evaluator.hpp"
#include "engine/evaluate/results_revision.hpp"
#include "engine/memory/word_fault.hpp"
#include "jobs/campaign/course.hpp"
#include "jobs/campaign/kinds/kind.hpp"
#include "jobs/job_file/job_print.hpp"

namespace flipstorm
{

std::string campaign_digest(const Job& job, const Plan& plan, int revision, const std::string& model_sha256,
                            const std::string& dataset_sha256)
{
    Job relevant = job;
    relevant.campaign.confidence = 0.99;  // only t, which comes from it, is used
    const CampaignTable defaults;
    if (upset_model(job.campaign.fault_model, job.campaign.upset_bits).single_bit())
        relevant.campaign.upset_bits = defaults.upset_bits;
    const bool guided = job.campaign.scheme == "guided";
    if (job.campaign.scheme != "iterative" && !guided) relevant.campaign.pilot = defaults.pilot;
    if (job.campaign.evaluation != "screened")
    {
        relevant.campaign.kappa = defaults.kappa;
        relevant.campaign.tau = defaults.tau;
        relevant.campaign.audit_share = defaults.audit_share;
        relevant.campaign.screen_bound = defaults.screen_bound;
    }
    relevant.campaign.exclude.clear();  // what is in it counts, not where it lies
    Sha256 hash;
    hash.update("flipstorm campaign 3\n").update(canonical_tables(relevant, {"campaign"}));
    hash.update(kind_of(job).identity(job));
    if (guided) hash.update(fmt::format("guided by tolerance {}\n", course_options(job).tolerance));
    if (!plan.excluded_sha256().empty()) hash.update("without " + plan.excluded_sha256() + "\n");
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

}  // namespace flipstorm
