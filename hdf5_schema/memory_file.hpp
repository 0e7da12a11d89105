#pragma once
// memory.h5: whole memories under a bit error rate, protected and not.

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hdf5_schema/provenance.hpp"

namespace flipstorm
{

/// Trials, by rate, then unprotected before protected, then by number. Columns of equal length.
struct MemoryTrials
{
    std::vector<std::int32_t> rate;              ///< row of MemoryRecord::ber
    std::vector<std::uint8_t> protected_memory;  ///< 1: the memory of protected.h5, 0: the words alone
    std::vector<std::uint64_t> upsets;           ///< bits that flipped
    std::vector<std::uint64_t> corrected;        ///< blocks that a decoder corrected
    std::vector<std::uint64_t> detected;         ///< blocks with an error that it found and could not correct
    std::vector<std::uint64_t> changed;          ///< words that read otherwise
    std::vector<std::uint32_t> correct;          ///< images whose top-1 is the label
    std::vector<std::uint32_t> nonfinite;        ///< images with a logit that is NaN or infinite

    [[nodiscard]] std::size_t size() const { return rate.size(); }
};

/// Content of memory.h5. Pairs: of the unprotected and of the protected memory.
struct MemoryRecord
{
    Provenance provenance;
    std::string memory_sha256;  ///< of protected.h5
    std::uint64_t images = 0;
    std::array<std::uint64_t, 2> golden_correct{};  ///< without an upset
    std::array<std::uint64_t, 2> bits{};            ///< of the memory
    double adjacent_share = 0;                      ///< of the upsets that hit the next bit, too
    std::vector<double> ber;                        ///< probability of each bit to be upset, rising
    MemoryTrials trials;
};

/// Write memory.h5 under a temporary name and rename it. One process. \throws FileError.
void write_memory(const std::filesystem::path& file, const MemoryRecord& memory);

/// Read memory.h5 whole. \throws FileError as read_campaign.
MemoryRecord read_memory(const std::filesystem::path& file);

}  // namespace flipstorm
