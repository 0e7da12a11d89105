#include "jobs/campaign/campaign_digest.hpp"

#include <gtest/gtest.h>

#include <set>

#include "jobs/campaign/kinds/kind.hpp"
#include "jobs/job_file/job_file.hpp"
#include "jobs/job_file/job_print.hpp"
#include "jobs/job_file/job_rules.hpp"
#include "tests/unit/jobs/campaign/lenet5_campaign.hpp"

namespace flipstorm
{
namespace
{

using test::lenet5;

std::string digest_of(const Job& job, std::uint64_t images = 100, const char* model = "model",
                      const char* data = "data")
{
    const std::unique_ptr<CampaignFaults> faults = kind_of(job).plan(job, lenet5(), images);
    return campaign_digest(job, faults->plan(), revision_of_results(job, lenet5().graph), model, data);
}

Job job_of(const std::string& text)
{
    return read_job_text("[data]\nkind = \"idx\"\npath = \"somewhere\"\ntest_images = 60\n" + text, "test");
}

/// What commit 448aa57 wrote for these jobs, on 60 images of Fashion-MNIST and a LeNet-5: its journals and
/// files are taken up again.
TEST(CampaignDigest, OfCampaignsAreWhatTheyWere)
{
    const char* const model = "22439f31015b50c2ae647c7b65f89a399f4eae537959cde1ddb4e3aa133607e1";
    const char* const data = "71d76d27fd05688c5c6003712eeb8745af05999cdae31a6e6c98d3921d729b22";
    const std::vector<std::pair<std::string, std::string>> known{
        {"[campaign]\nlimit = 400\n", "5ea2506ad820d22aed3d7be00b28fc1dfd9139e5abfc15bc64242ba068a822ba"},
        {"[job]\nseed = 7\n[campaign]\nscheme = \"data_unaware\"\nfault_model = \"stuck_at\"\nlayers = "
         "[\"conv2\", \"fc1\"]\nlimit = 640\nevaluation = \"exact\"\nbackend = \"native\"\ntolerances = "
         "[0.005, 0.02]\n",
         "fdb3a7cd6acf8c187c0b1d1a560ee3df1f706ab2f80f48e62dc7ecf4367ddcff"},
        {"[campaign]\nscheme = \"network_wise\"\nfault_model = \"random_bits\"\nupset_bits = 3\nconfidence = "
         "0.95\nkappa = 2.5\nlimit = 900\n",
         "321463676163e8b7afd778c1355c5e81a9a587a9d5059c2971ada2f484e2178d"},
        {"[campaign]\nscheme = \"iterative\"\nerror_margin = 0.1\npilot = 40\nevaluation = \"reference\"\n",
         "16836fe6a351fc78b77bc49b9546d1038bd5c1959d3dacdf61756d6c31519b63"},
        {"[campaign]\ntarget = \"feature_maps\"\nlimit = 300\n[transient]\nrules = "
         "\"diehardnet\"\nimages_per_fault = 3\n",
         "a1610fb9c1e2bfe9e70e49f70672fa0b1d3ae9e69c38f085e5bd2c84de17e024"},
        {"[campaign]\ntarget = \"instructions\"\nscheme = \"network_wise\"\nlimit = 300\n[transient]\n"
         "instruction = \"warp_random_value\"\n",
         "5ef800e08869e39856fced521e69943227e1d0c1d7c8c57854e7d5a9a9552a07"},
    };
    for (const auto& [text, digest] : known)
        EXPECT_EQ(digest_of(job_of(text), 60, model, data), digest) << text;
}

TEST(CampaignDigest, OfTheJobOfTheDescriptionIsThatOfTheJob)
{
    // What flipstorm status relies on.
    for (const char* const text :
         {"[campaign]\nscheme = \"data_aware\"\nconfidence = 0.9\n",
          "[campaign]\ntarget = \"feature_maps\"\n",
          "[campaign]\ntarget = \"instructions\"\nscheme = \"network_wise\"\n",
          "[campaign]\nfault_model = \"adjacent_bits\"\nlayers = [\"fc2\"]\nlimit = 100\n"})
    {
        const Job job = job_of(text);
        EXPECT_EQ(digest_of(read_job_text(canonical_job(job), "again")), digest_of(job)) << text;
    }
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

TEST(CampaignDigest, HoldsTheRevisionOnlyWhereThereIsOne)
{
    Graph graph({1, 4, 4});
    const NodeId relu = graph.add("relu", ReluOp{}, {NodeId(0)});
    graph.add("twice", AddOp{}, {relu, relu});
    Job job = sound_job();
    EXPECT_EQ(revision_of_results(job, graph), 1);
    EXPECT_EQ(revision_of_results(job, lenet5().graph), 0);
    const std::unique_ptr<CampaignFaults> faults = kind_of(job).plan(job, lenet5(), 100);
    const auto digest_at = [&](int revision) {
        return campaign_digest(job, faults->plan(), revision, "model", "data");
    };
    EXPECT_EQ(digest_at(0), digest_of(job));
    EXPECT_NE(digest_at(1), digest_at(0));
    job.campaign.backend = "libtorch";
    EXPECT_EQ(revision_of_results(job, graph), 0);
    job = sound_job();
    job.campaign.evaluation = "reference";
    EXPECT_EQ(revision_of_results(job, graph), 0);
}

}  // namespace
}  // namespace flipstorm
