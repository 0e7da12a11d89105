#pragma once
// A seal for a file that has none, or that was changed on purpose.

#include <filesystem>
#include <functional>

namespace flipstorm
{

/**
 * Read a flipstorm file whole, with all checks of its reader, whatever its seal says.
 *
 * \throws FileError, naming the file, as the reader of its kind does
 */
void read_all_of(const std::filesystem::path& file);

/**
 * Seal a file as it is, in place of what seal it has.
 *
 * A copy is made, sealed and read whole, in a child process first; only then does it take the file's name, so
 * that a file that cannot be read stays as it is. A file without room for a seal (of an older version, or
 * written by another program) gets some: HDF5 finds its bytes 512 further on, and what they say does not
 * change.
 *
 * \param check  what else must hold of the copy, whose name it is given; what it throws is passed on
 * \throws FileError, naming the file
 */
void seal_anew(const std::filesystem::path& file,
               const std::function<void(const std::filesystem::path& copy)>& check = {});

}  // namespace flipstorm
