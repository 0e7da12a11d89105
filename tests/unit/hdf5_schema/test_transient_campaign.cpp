#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "engine/base/error.hpp"
#include "hdf5_schema/file_summary.hpp"
#include "hdf5_schema/transient_campaign_file.hpp"
#include "sample_records.hpp"
#include "sample_transient.hpp"

namespace flipstorm
{
namespace
{

using TransientCampaign = InFolder;

void write(const std::filesystem::path& file, const TransientCampaignRecord& campaign)
{
    write_transient_campaign(file, campaign.header, campaign.faults, campaign.outcomes, 0,
                             campaign.faults.size(), MPI_COMM_NULL);
}

TEST_F(TransientCampaign, RoundTrip)
{
    for (const TransientCampaignRecord& want : {sample_feature_maps(), sample_instructions()})
    {
        const std::filesystem::path file = folder_ / (want.header.campaign.target + ".h5");
        write(file, want);
        EXPECT_EQ(check_against_schema(file), "");
        EXPECT_EQ(campaign_target(file), want.header.campaign.target);
        const TransientCampaignRecord got = read_transient_campaign(file);
        EXPECT_EQ(got.header.layer_height, want.header.layer_height);
        EXPECT_EQ(got.header.layer_width, want.header.layer_width);
        EXPECT_EQ(got.header.images_per_fault, want.header.images_per_fault);
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
    write(folder_ / "maps.h5", sample_feature_maps());
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
    using Record = TransientCampaignRecord;
    struct Case
    {
        Record (*good)();
        std::function<void(Record&)> spoil;
        const char* phrase;
    };
    const std::vector<Case> cases = {
        {sample_feature_maps, [](Record& c) { c.faults.row[0] = 2; },
         "fault 0 (geometry 4) lies outside"},  // 2 + 4 > 5
        {sample_feature_maps, [](Record& c) { c.faults.layer[2] = 2; }, "fault 2 (stratum 1, layer 2)"},
        {sample_feature_maps, [](Record& c) { c.faults.layer[0] = 1; },
         "fault 0 of layer 1 lies in stratum 0"},
        {sample_feature_maps, [](Record& c) { c.faults.geometry[1] = 8; }, "fault 1 (geometry 8)"},
        {sample_feature_maps, [](Record& c) { c.faults.value[1] = std::nanf(""); },
         "fault 1 has the error value nan"},
        {sample_feature_maps, [](Record& c) { c.faults.image[1] = 3; }, "fault 0 strikes image 3"},
        {sample_feature_maps, [](Record& c) { c.faults.image[1] = 0; }, "fault 0 strikes image 0"},
        {sample_feature_maps, [](Record& c) { c.outcomes.masked[0] = 2; },
         "the outcome of fault 0 is impossible"},
        {sample_feature_maps, [](Record& c) { c.outcomes.masked[0] = 0xFFFFFFFFU; },
         "the outcome of fault 0 is impossible"},
        {sample_feature_maps, [](Record& c) { c.outcomes.drop[1] = 7; }, "fault 1 has a drop of 7"},
        {sample_feature_maps, [](Record& c) { c.outcomes.drop[1] = std::nan(""); },
         "fault 1 has a drop of nan"},
        {sample_feature_maps, [](Record& c) { c.header.campaign.strata.evaluated[1] = 2; },
         "1 faults of stratum 1"},
        {sample_feature_maps, [](Record& c) { c.header.images_per_fault = 4; },
         "'images_per_fault' is 4 of 3"},
        {sample_feature_maps, [](Record& c) { c.header.layer_height[1] = -1; },
         "layer 'fc' has -1 x 1 outputs"},
        {sample_instructions, [](Record& c) { c.faults.element[0] = 40; }, "fault 0 strikes"},
        {sample_instructions, [](Record& c) { c.faults.step[2] = 2; }, "fault 2 strikes"},
        {sample_instructions, [](Record& c) { c.faults.bit[1] = 32; }, "fault 1 strikes bit 32"},
        {sample_instructions, [](Record& c) { c.header.images_per_fault = 2; },
         "lists 1 images, each fault strikes 2"},
    };
    const std::filesystem::path file = folder_ / "bad.h5";
    for (const Case& each : cases)
    {
        TransientCampaignRecord bad = each.good();
        each.spoil(bad);
        write(file, bad);
        const std::string message = message_of([&] { static_cast<void>(read_transient_campaign(file)); });
        EXPECT_NE(message.find(each.phrase), std::string::npos) << each.phrase << ": " << message;
        EXPECT_NE(message.find("bad.h5"), std::string::npos) << message;
    }
}

}  // namespace
}  // namespace flipstorm
