#pragma once
// Small records with every field set, and a folder to write them to.

#include <gtest/gtest.h>

#include <filesystem>

#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/comparison_file.hpp"
#include "hdf5_schema/forest_file.hpp"
#include "hdf5_schema/model_file.hpp"
#include "hdf5_schema/protection_file.hpp"

namespace flipstorm
{

Provenance sample_provenance();
ModelRecord sample_model();
CampaignRecord sample_campaign();
ForestRecord sample_forest();
ProtectionRecord sample_protection();
ComparisonRecord sample_comparison();

/// Write a campaign from this process alone.
void write_whole(const std::filesystem::path& file, const CampaignRecord& campaign);

/// A test with a folder of its own.
class InFolder : public ::testing::Test
{
  protected:
    void SetUp() override;
    void TearDown() override;

    std::filesystem::path folder_;
};

}  // namespace flipstorm
