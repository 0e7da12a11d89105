#pragma once
// The part of campaign.h5 that campaigns of all targets have. Internal to this room.

#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/h5_reader.hpp"
#include "hdf5_schema/h5_writer.hpp"

namespace flipstorm
{

/// Attributes and tables that do not grow with the faults. \throws FileError
void write_campaign_header(H5Writer& out, const CampaignHeader& header);

/// \throws FileError
[[nodiscard]] CampaignHeader read_campaign_header(const H5Reader& in);

/// \throws FileError unless the columns of each table of the header are equally long.
void check_campaign_header(const H5Reader& in, const CampaignHeader& header);

}  // namespace flipstorm
