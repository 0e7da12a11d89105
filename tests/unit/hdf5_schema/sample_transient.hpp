#pragma once
// Small campaigns of transient faults with every field of their target set.

#include "hdf5_schema/transient_campaign_file.hpp"
#include "sample_records.hpp"

namespace flipstorm
{

inline TransientCampaignRecord sample_feature_maps()
{
    TransientCampaignRecord campaign;
    TransientHeader& header = campaign.header;
    header.campaign = sample_campaign().header;
    header.campaign.target = "feature_maps";
    header.campaign.strata.evaluated = {2, 1};
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
    campaign.outcomes = {{2, 2, 2}, {1, 0, 0}, {0, 1, 2}, {0, 0, 1}, {1, 0, 0}, {1, 1, 0}, {0, 0.5, 1}};
    return campaign;
}

inline TransientCampaignRecord sample_instructions()
{
    TransientCampaignRecord campaign = sample_feature_maps();
    TransientHeader& header = campaign.header;
    header.campaign.target = "instructions";
    header.instruction = "bit_flip";
    header.combine.clear();
    header.images_per_fault = 3;
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
    campaign.outcomes = {
        {3, 3, 3}, {2, 1, 0}, {0, 1, 3}, {0, 0, 1}, {2, 1, 0}, {1, 1, 0}, {0, 1.0 / 3, 2.0 / 3}};
    return campaign;
}

}  // namespace flipstorm
