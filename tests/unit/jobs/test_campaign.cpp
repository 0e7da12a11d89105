#include "jobs/campaign.hpp"

#include <gtest/gtest.h>

#include <set>

#include "engine/network/builders.hpp"
#include "jobs/job_rules.hpp"
#include "jobs/plan_of_job.hpp"

namespace flipstorm
{
namespace
{

/// Digest of a job's campaign on LeNet-5 and 100 images.
std::string digest_of(const Job& job)
{
    const auto layers =
        injectable_layers(build_network("lenet5", NumberFormat::fp32, {1, 28, 28}, 10, {{0.3F}, {0.3F}}, 1));
    return campaign_digest(job, Plan(layers, plan_options(job, 100)), "model", "data");
}

Job sound_job()
{
    Job job;
    job.campaign.limit = 100;
    resolve_job(job);
    return job;
}

TEST(CampaignDigest, ChangesWithTheScreenWhereItDecidesOutcomes)
{
    const Job job = sound_job();
    ASSERT_EQ(job.campaign.evaluation, "screened");
    std::set<std::string> digests{digest_of(job)};
    const auto differs = [&](const auto& change) {
        Job other = job;
        change(other.campaign);
        return digests.insert(digest_of(other)).second;
    };
    EXPECT_TRUE(differs([](CampaignTable& c) { c.kappa = 9; }));
    EXPECT_TRUE(differs([](CampaignTable& c) { c.tau = 0.2; }));
    EXPECT_TRUE(differs([](CampaignTable& c) { c.audit_share = 0.01; }));
    EXPECT_TRUE(differs([](CampaignTable& c) { c.screen_bound = 1e-4; }));
    EXPECT_TRUE(differs([](CampaignTable& c) { c.backend = "libtorch"; }));
    EXPECT_TRUE(differs([](CampaignTable& c) { c.evaluation = "exact"; }));
    EXPECT_TRUE(differs([](CampaignTable& c) { c.evaluation = "reference"; }));
    EXPECT_TRUE(differs([](CampaignTable& c) { c.fault_model = "stuck_at"; }));
    EXPECT_TRUE(differs([](CampaignTable& c) { c.fault_model = "adjacent_bits"; }));
    EXPECT_TRUE(differs([](CampaignTable& c) { c.fault_model = "adjacent_bits", c.upset_bits = 3; }));
    EXPECT_TRUE(differs([](CampaignTable& c) { c.layers = {"fc1"}; }));
    EXPECT_TRUE(differs([](CampaignTable& c) { c.exhaustive = true; }));
    EXPECT_TRUE(differs([](CampaignTable& c) { c.scheme = "iterative", c.limit = 0; }));
    EXPECT_TRUE(differs([](CampaignTable& c) { c.scheme = "iterative", c.limit = 0, c.pilot = 400; }));
    EXPECT_FALSE(differs([](CampaignTable& c) { c.upset_bits = 3; }));
    EXPECT_FALSE(differs([](CampaignTable& c) { c.pilot = 400; }));
    EXPECT_FALSE(differs([](CampaignTable& c) { c.journal_seconds = 1; }));
    EXPECT_FALSE(differs([](CampaignTable& c) { c.memory_budget = 1; }));
}

TEST(CampaignDigest, WithoutAScreenItsKeysDoNotMatter)
{
    Job job = sound_job();
    job.campaign.evaluation = "exact";
    const std::string digest = digest_of(job);
    job.campaign.kappa = 9;
    job.campaign.tau = 0.2;
    job.campaign.audit_share = 0.01;
    job.campaign.screen_bound = 1e-4;
    EXPECT_EQ(digest_of(job), digest);
}

}  // namespace
}  // namespace flipstorm
