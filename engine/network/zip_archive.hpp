#pragma once
// Zip archives, as PyTorch's files are: what is in one, and whether it is whole. LibTorch reads them without
// looking at the checksums.

#include <string>
#include <string_view>
#include <vector>

namespace flipstorm
{

/**
 * Names of the members of a zip archive, each of which was checked against its CRC-32.
 *
 * Members of 4 GiB or more are listed, but not checked.
 *
 * \throws FileError naming the file and the member if the archive is truncated or damaged.
 */
std::vector<std::string> check_zip_archive(std::string_view content, const std::string& file);

}  // namespace flipstorm
