#include <gtest/gtest.h>

#include "engine/base/error.hpp"
#include "hdf5_schema/file_summary.hpp"
#include "hdf5_schema/transient_campaign_file.hpp"
#include "sample_records.hpp"

namespace flipstorm
{
namespace
{

using TransientCampaign = InFolder;

TransientCampaignRecord feature_maps()
{
    TransientCampaignRecord campaign;
    TransientHeader& header = campaign.header;
    header.campaign = sample_campaign().header;
    header.campaign.target = "feature_maps";
    header.layer_height = {5, 1};
    header.layer_width = {4, 1};
    header.images_per_fault = 2;
    header.images_listed = 2;
    header.combine = "relative";
    header.channel_bytes = 2;
    header.position_bytes = 3;
    campaign.faults.stratum = {0, 0, 1};
    campaign.faults.layer = {0, 0, 1};
    campaign.faults.value = {0.5F, -2, 1e30F};
    campaign.faults.image = {0, 2, 1, 2, 0, 1};
    campaign.faults.geometry = {4, 6, 0};
    campaign.faults.row = {1, 0, 0};
    campaign.faults.column = {0, 0, 0};
    campaign.faults.height = {4, 5, 1};
    campaign.faults.width = {2, 4, 1};
    campaign.faults.channel_mask = {0x80, 0, 0xC0, 0, 0x20, 0};
    campaign.faults.position_mask = {0, 0, 0, 1, 2, 3, 0, 0, 0};
    campaign.outcomes = {{2, 2, 2}, {2, 1, 0}, {0, 1, 2}, {0, 0, 1}, {1, 0, 0}, {1, 1, 0}, {0, 0.5, 0.5}};
    return campaign;
}

TransientCampaignRecord instructions()
{
    TransientCampaignRecord campaign = feature_maps();
    TransientHeader& header = campaign.header;
    header.campaign.target = "instructions";
    header.instruction = "bit_flip";
    header.combine.clear();
    header.images_listed = 1;
    header.channel_bytes = header.position_bytes = 1;
    campaign.faults = {};
    campaign.faults.stratum = {0, 0, 1};
    campaign.faults.layer = {0, 0, 1};
    campaign.faults.value = {0, 0, 0.25F};
    campaign.faults.image = {-1, -1, -1};
    campaign.faults.element = {39, 0, 2};
    campaign.faults.step = {3, 0, 1};
    campaign.faults.bit = {31, 0, 255};
    return campaign;
}

void write(const std::filesystem::path& file, const TransientCampaignRecord& campaign)
{
    write_transient_campaign(file, campaign.header, campaign.faults, campaign.outcomes, 0,
                             campaign.faults.size(), MPI_COMM_NULL);
}

TEST_F(TransientCampaign, RoundTrip)
{
    for (const TransientCampaignRecord& want : {feature_maps(), instructions()})
    {
        const std::filesystem::path file = folder_ / (want.header.campaign.target + ".h5");
        write(file, want);
        EXPECT_EQ(check_against_schema(file), "");
        EXPECT_EQ(campaign_target(file), want.header.campaign.target);
        const TransientCampaignRecord got = read_transient_campaign(file);
        EXPECT_EQ(got.header.layer_height, want.header.layer_height);
        EXPECT_EQ(got.header.layer_width, want.header.layer_width);
        EXPECT_EQ(got.header.images_per_fault, 2U);
        EXPECT_EQ(got.header.images_listed, want.header.images_listed);
        EXPECT_EQ(got.header.combine, want.header.combine);
        EXPECT_EQ(got.header.instruction, want.header.instruction);
        EXPECT_EQ(got.header.campaign.strata.population, want.header.campaign.strata.population);
        EXPECT_EQ(got.faults.image, want.faults.image);
        EXPECT_EQ(got.faults.value, want.faults.value);
        EXPECT_EQ(got.faults.geometry, want.faults.geometry);
        EXPECT_EQ(got.faults.height, want.faults.height);
        EXPECT_EQ(got.faults.channel_mask, want.faults.channel_mask);
        EXPECT_EQ(got.faults.position_mask, want.faults.position_mask);
        EXPECT_EQ(got.faults.element, want.faults.element);
        EXPECT_EQ(got.faults.step, want.faults.step);
        EXPECT_EQ(got.faults.bit, want.faults.bit);
        EXPECT_EQ(got.outcomes.masked, want.outcomes.masked);
        EXPECT_EQ(got.outcomes.tolerable, want.outcomes.tolerable);
        EXPECT_EQ(got.outcomes.drop, want.outcomes.drop);
    }
}

TEST_F(TransientCampaign, TargetsAreNotMixedUp)
{
    write(folder_ / "maps.h5", feature_maps());
    const CampaignRecord weights = sample_campaign();
    write_campaign(folder_ / "weights.h5", weights.header, weights.faults, weights.outcomes, 0,
                   weights.faults.size(), MPI_COMM_NULL);
    EXPECT_EQ(check_against_schema(folder_ / "weights.h5"), "");
    try
    {
        static_cast<void>(read_campaign(folder_ / "maps.h5"));
        FAIL();
    }
    catch (const FileError& error)
    {
        EXPECT_NE(std::string(error.what()).find("holds faults in feature_maps"), std::string::npos)
            << error.what();
    }
    EXPECT_THROW(static_cast<void>(read_transient_campaign(folder_ / "weights.h5")), FileError);
}

TEST_F(TransientCampaign, WhatCannotBeIsRefused)
{
    const auto refused = [&](const TransientCampaignRecord& campaign) {
        write(folder_ / "bad.h5", campaign);
        EXPECT_THROW(static_cast<void>(read_transient_campaign(folder_ / "bad.h5")), FileError);
    };
    TransientCampaignRecord bad = feature_maps();
    bad.faults.row[0] = 2;  // 2 + 4 > 5
    refused(bad);
    bad = feature_maps();
    bad.faults.layer[2] = 2;
    refused(bad);
    bad = feature_maps();
    bad.outcomes.masked[0] = 2;
    refused(bad);
    bad = instructions();
    bad.faults.element[0] = 40;
    refused(bad);
    bad = instructions();
    bad.faults.step[2] = 2;
    refused(bad);
}

}  // namespace
}  // namespace flipstorm
