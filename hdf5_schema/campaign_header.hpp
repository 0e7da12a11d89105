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

/// \throws FileError unless the columns of each table of the header are equally long and hold what can be.
void check_campaign_header(const H5Reader& in, const CampaignHeader& header);

/// \throws FileError if the faults of a stratum are not as many as the header says it has.
void check_strata_counts(const H5Reader& in, const CampaignHeader& header,
                         const std::vector<std::int32_t>& stratum_of_fault);

/**
 * \throws FileError, naming the first row, unless every fault lies in the network and in its stratum, and
 * every outcome is one that an evaluation can give. The header was checked, and all columns are equally long.
 */
void check_weight_faults(const H5Reader& in, const CampaignRecord& campaign);

}  // namespace flipstorm
