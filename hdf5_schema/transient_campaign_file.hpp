#pragma once
// campaign.h5 of faults that strike while the network computes: in feature maps or in instructions.

#include <mpi.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hdf5_schema/campaign_file.hpp"

namespace flipstorm
{

/// Injected faults in campaign order. Columns of equal length; those of the other target are empty.
struct TransientFaultTable
{
    std::vector<std::int32_t> stratum;
    std::vector<std::int32_t> layer;
    std::vector<float> value;         ///< error value; 0 where a bit flips
    std::vector<std::int32_t> image;  ///< [faults, images_listed]

    // Feature maps: rows [row, row + height) and columns [column, column + width) of the struck channels.
    std::vector<std::uint8_t> geometry;  ///< as Geometry of the engine
    std::vector<std::int32_t> row;
    std::vector<std::int32_t> column;
    std::vector<std::int32_t> height;
    std::vector<std::int32_t> width;
    std::vector<std::uint8_t> channel_mask;   ///< [faults, channel_bytes], as numpy.packbits
    std::vector<std::uint8_t> position_mask;  ///< [faults, position_bytes], of geometry random

    // Instructions.
    std::vector<std::uint64_t> element;  ///< flat index in the layer's output
    std::vector<std::uint64_t> step;     ///< term of the dot product
    std::vector<std::uint8_t> bit;       ///< 255: none

    [[nodiscard]] std::size_t size() const { return stratum.size(); }
};

/// Outcomes of the faults, row for row. Columns of equal length.
struct TransientOutcomeTable
{
    std::vector<std::uint32_t> evaluated;   ///< images struck
    std::vector<std::uint32_t> correct;     ///< of those, top-1 equals the label and every logit is finite
    std::vector<std::uint32_t> mismatches;  ///< of those, top-1 differs from golden, or a logit is not finite
    std::vector<std::uint32_t> nonfinite;   ///< of those, a logit is NaN or infinite
    std::vector<std::uint32_t> masked;      ///< of those, logits bit-identical to golden
    std::vector<std::uint32_t> tolerable;   ///< of those, logits differ, finite, top-1 as golden
    std::vector<double> drop;               ///< golden accuracy minus faulty accuracy on the images struck

    [[nodiscard]] std::size_t size() const { return evaluated.size(); }
    void resize(std::size_t faults);
};

/// What such a campaign has beside the header.
struct TransientHeader
{
    CampaignHeader campaign;                 ///< target "feature_maps" or "instructions"
    std::vector<std::int32_t> layer_height;  ///< rows of each layer's output
    std::vector<std::int32_t> layer_width;
    std::uint64_t images_per_fault = 1;
    std::string combine;      ///< feature maps: "add", "multiply", "relative"
    std::string instruction;  ///< instructions: "bit_flip", "warp_random_value"

    // Second dimensions of the tables.
    std::uint64_t images_listed = 1;  ///< images_per_fault; 1, with the value −1, where all are struck
    std::uint64_t channel_bytes = 1;
    std::uint64_t position_bytes = 1;
};

/// Content of the file.
struct TransientCampaignRecord
{
    TransientHeader header;
    TransientFaultTable faults;
    TransientOutcomeTable outcomes;
};

/**
 * Write the file under a temporary name, collectively, and rename it; rows as write_campaign.
 *
 * \throws FileError. \collective
 */
void write_transient_campaign(const std::filesystem::path& file, const TransientHeader& header,
                              const TransientFaultTable& faults, const TransientOutcomeTable& outcomes,
                              std::uint64_t first_row, std::uint64_t total_rows, MPI_Comm communicator);

/**
 * Read the file whole, on one process, and check it.
 *
 * \throws FileError as read_campaign; also if the target is weights, a fault lies outside the network, or an
 * outcome's classes do not make up its images.
 */
TransientCampaignRecord read_transient_campaign(const std::filesystem::path& file);

/// Root attribute `target` of a campaign file. \throws FileError
std::string campaign_target(const std::filesystem::path& file);

/// Minor version of the format of a campaign file. \throws FileError
std::int32_t campaign_minor_version(const std::filesystem::path& file);

}  // namespace flipstorm
