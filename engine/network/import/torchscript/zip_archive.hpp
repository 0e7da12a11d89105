#pragma once
// Zip archives, as PyTorch's files are: what is in one, and whether it is whole. LibTorch reads them without
// looking at the checksums.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flipstorm
{

/// A member of a zip archive.
struct ZipMember
{
    std::string name;
    bool deflated = false;
    std::string_view stored;  ///< its bytes as they stand in the archive
    std::uint64_t size = 0;   ///< unpacked
};

/**
 * The members of a zip archive, each of which was unpacked and checked against its size and CRC-32.
 *
 * \throws FileError naming the file and the member if the archive is truncated or damaged; if two readers
 * could see different members in it: two directories that disagree, or two members of one name; or if it
 * unpacks to more than 8 GiB.
 */
std::vector<ZipMember> check_zip_archive(std::string_view content, const std::string& file);

/// What a checked member unpacks to. \throws FileError if that is longer than `longest` bytes.
std::string unpacked(const ZipMember& member, std::uint64_t longest, const std::string& file);

}  // namespace flipstorm
