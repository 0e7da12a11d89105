#pragma once
// A campaign of LeNet-5 without its images, for tests of the books.

#include <string>

#include "engine/network/builders.hpp"
#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/kinds/kind.hpp"
#include "jobs/job_file/job_file.hpp"

namespace flipstorm::test
{

inline constexpr std::uint64_t kCampaignImages = 100;

inline const Network& lenet5()
{
    static const Network network = build_network("lenet5", {1, 28, 28}, 10, {{0.3F}, {0.3F}}, 1);
    return network;
}

/// A job of synthetic data; `more` begins in [campaign].
inline Job campaign_job(const std::string& more)
{
    return read_job_text("[data]\nkind = \"synthetic\"\n[campaign]\n" + more, "test");
}

inline Campaign lenet5_campaign(const Job& job)
{
    Campaign campaign{
        lenet5(), {}, {}, {}, "new", nullptr, screen_policy(job), evaluation_mode(job.campaign.evaluation),
        {}};
    campaign.faults = kind_of(job).plan(job, campaign.network, kCampaignImages);
    return campaign;
}

/// What a chunk of the campaign may have come to: the fault of number k loses k / 1,000 of the accuracy.
inline ChunkRecord record_of_chunk(const Campaign& campaign, const Chunk& chunk)
{
    ChunkRecord record;
    for (std::uint64_t i = 0; i < chunk.count; ++i)
    {
        Outcome outcome;
        outcome.tally = {static_cast<std::uint32_t>(campaign.faults->images_per_fault()), 0, 0, 0};
        outcome.drop = static_cast<double>(chunk.first.value() + i) / 1000;
        record.outcomes.push_back(outcome);
    }
    return record;
}

}  // namespace flipstorm::test
