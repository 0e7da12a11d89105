#pragma once
// Looking at a flipstorm file of any kind, without knowing which.

#include <filesystem>
#include <string>

namespace flipstorm
{

/// Root attribute `stage_sha256` of a flipstorm file. \throws FileError if it cannot be read or has none.
std::string stage_digest_of(const std::filesystem::path& file);

/// Root attribute `filetype` of a flipstorm file. \throws FileError as stage_digest_of.
std::string filetype_of(const std::filesystem::path& file);

/// The version of a flipstorm file, "1.0", if an earlier flipstorm wrote it; else empty. \throws FileError as
/// stage_digest_of.
std::string earlier_version_of(const std::filesystem::path& file);

/// What is in an HDF5 file, fit to be printed: attributes and datasets with type, shape and units, a line
/// each. \throws FileError
std::string summarise_file(const std::filesystem::path& file);

/**
 * Everything in which a file departs from its schema: objects or attributes that are missing, unknown, or of
 * another type, and datasets without units or description. Empty for a good file. \throws FileError
 */
std::string check_against_schema(const std::filesystem::path& file);

}  // namespace flipstorm
