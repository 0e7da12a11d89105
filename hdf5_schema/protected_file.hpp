#pragma once
// protected.h5: the memory of a protected network, word for word.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hdf5_schema/protection_file.hpp"
#include "hdf5_schema/provenance.hpp"

namespace flipstorm
{

/// What is stored of a layer.
struct ProtectedLayer
{
    std::vector<std::uint32_t> words;   ///< [weights], as they are stored: check bits may lie in them
    std::vector<std::uint64_t> checks;  ///< check bits beside them, one for each word of the code
    std::int32_t check_width = 0;       ///< bits of each
};

/// Content of protected.h5.
struct ProtectedRecord
{
    Provenance provenance;
    std::string protection_sha256;      ///< stage digest of protection.h5
    std::string memory_sha256;          ///< memory_digest(), which write_protected puts there
    std::string scheme;                 ///< that was chosen there
    std::vector<LayerProtection> plan;  ///< how each layer is kept
    std::vector<ProtectedLayer> layers;
};

/// Write protected.h5 under a temporary name and rename it. One process. \throws FileError.
void write_protected(const std::filesystem::path& file, const ProtectedRecord& memory);

/// SHA-256 of what is in a memory: how each layer is kept, its words and its check bits.
[[nodiscard]] std::string memory_digest(const ProtectedRecord& memory);

/// Of which protection a protected.h5 is, and what is in it, without reading it whole.
struct ProtectedIdentity
{
    std::string protection_sha256;
    std::string memory_sha256;
};

/// \throws FileError as read_protected
[[nodiscard]] ProtectedIdentity identify_protected(const std::filesystem::path& file);

/// Read protected.h5 whole. \throws FileError as read_campaign; also where stored words and check bits are
/// not those that an encoder makes
ProtectedRecord read_protected(const std::filesystem::path& file);

/// What the stored words of a layer read as. \throws Error if they do not fit how it is kept
[[nodiscard]] std::vector<std::uint32_t> decoded(const LayerProtection& plan, const ProtectedLayer& layer);

/// Encode the words of a layer.
[[nodiscard]] ProtectedLayer protect(const LayerProtection& layer, const std::vector<std::uint32_t>& words);

}  // namespace flipstorm
