#pragma once
// The seal of a file: its first 512 bytes, HDF5's user block, name the length and the SHA-256 of all bytes
// behind them, so that no flipped, lost or added bit goes unnoticed. SCHEMA.md says how it reads.

#include <cstdint>
#include <filesystem>

namespace flipstorm
{

/// Bytes in front of HDF5's own that hold the seal: the smallest user block that HDF5 has.
constexpr std::uint64_t kSealBytes = 512;

/// What guards the bytes of a file.
enum class SealState
{
    sealed,   ///< a seal, and it is right
    no_room,  ///< HDF5 from the first byte on: a file of an older version, or of another program
};

/**
 * Read a file whole and compare it with its seal. HDF5 is not asked: a damaged file may end it.
 *
 * \throws FileError, naming the file: if it cannot be read, is no HDF5 file (truncated?), has room for a seal
 * but none, or its bytes are not those that the seal names. Thread-safe.
 */
SealState check_seal(const std::filesystem::path& file);

/**
 * Write the seal of a closed file that has room for one, whatever is there now. The caller fsyncs.
 *
 * \throws FileError, naming the file: if it cannot be read or written, or HDF5's bytes do not begin behind
 * the room
 */
void seal_file(const std::filesystem::path& file);

}  // namespace flipstorm
