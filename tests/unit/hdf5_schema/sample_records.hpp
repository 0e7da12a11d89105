#pragma once
// Small records with every field set, and a folder to write them to.

#include <gtest/gtest.h>
#include <hdf5.h>

#include <filesystem>
#include <functional>
#include <string>

#include "engine/memory/number_format.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/comparison_file.hpp"
#include "hdf5_schema/forest_file.hpp"
#include "hdf5_schema/memory_file.hpp"
#include "hdf5_schema/model_file.hpp"
#include "hdf5_schema/protected_file.hpp"
#include "hdf5_schema/protection_file.hpp"

namespace flipstorm
{

Provenance sample_provenance();
ModelRecord sample_model();
/// The same with its weights in a format, and with activations where it is one of whole numbers.
ModelRecord sample_model_in(const FormatTraits& format);
CampaignRecord sample_campaign();
ForestRecord sample_forest();
ProtectionRecord sample_protection();
ProtectedRecord sample_protected();
MemoryRecord sample_memory();
/// The campaign into a protected memory.
CampaignRecord sample_protected_campaign();
ComparisonRecord sample_comparison();

/// Write a campaign from this process alone.
void write_whole(const std::filesystem::path& file, const CampaignRecord& campaign);

/// Change a file by HDF5, and seal it anew.
void change_file(const std::filesystem::path& file, const std::function<void(hid_t)>& change);
/// Overwrite the attribute `version` of an open file.
void set_version(hid_t file, std::int32_t major, std::int32_t minor);
/// Cut off the seal and its room: HDF5 from the first byte on, as in files of older versions.
void remove_room(const std::filesystem::path& file);

/// Message of the FileError that a call throws.
std::string message_of(const std::function<void()>& call);

/// A test with a folder of its own.
class InFolder : public ::testing::Test
{
  protected:
    void SetUp() override;
    void TearDown() override;

    std::filesystem::path folder_;
};

}  // namespace flipstorm
