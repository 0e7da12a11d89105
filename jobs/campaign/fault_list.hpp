#pragma once
// Faults that a user lists: campaign.fault_list, and the list of a finished campaign.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/faults/plan.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/// A word that a listed fault strikes, and which of its bits flip.
struct ListedSite
{
    LayerId layer;
    std::uint64_t parameter = 0;
    std::uint32_t mask = 0;
};

/// A fault: all its sites are struck together.
struct ListedFault
{
    std::uint64_t id = 0;  ///< column `fault` of the file
    std::vector<ListedSite> sites;
};

/**
 * Read a fault list: CSV with the header `fault,layer,parameter,mask`, a row for each site; rows of one
 * `fault` strike together. `layer` is a layer's name, `parameter` the row-major index in its weight tensor,
 * `mask` the bits that flip, decimal or 0x…. Empty lines and lines that begin with # say nothing.
 *
 * \return the faults by the layer of their first site, and within a layer in the order of the file
 * \throws FileError if it cannot be read; DataError, naming the line, for what is no site of the network,
 * twice in a fault, or no number, and where there is no fault at all
 */
[[nodiscard]] std::vector<ListedFault> read_fault_list(const std::filesystem::path& file,
                                                       const std::vector<InjectableLayer>& layers);

/// The first sites of faults by layer id, as a plan takes them (PlanOptions::listed).
[[nodiscard]] std::vector<std::vector<PlacedFault>> first_sites(const std::vector<ListedFault>& faults,
                                                                std::size_t layers);

/**
 * Write the faults of a campaign.h5 of bits that flip in weights as such a list; a fault's number is its row,
 * or what it was in the list that the campaign came from.
 *
 * \throws FileError; DataError if the campaign is of other faults
 */
void write_fault_list(const std::filesystem::path& campaign, const std::filesystem::path& list);

}  // namespace flipstorm
