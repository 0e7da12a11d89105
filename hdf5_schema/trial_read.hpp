#pragma once
// A damaged HDF5 file can end a process that reads it, whatever that process checks: libhdf5 1.10 frees wild
// pointers and divides by zero. Files that no seal guards are therefore read in a child process first.

#include <filesystem>
#include <functional>

namespace flipstorm
{

/**
 * Do something in a child process that sees all that this one has, and come back when it ended.
 *
 * The child says nothing, leaves no core file, and has a minute and the time that 20 MB/s take for the file.
 * Errors that `work` throws there are not passed on: whoever does it again here meets them. The child must
 * use neither MPI nor a GPU. Where no child can be started, that is logged, and nothing was tried.
 *
 * \throws FileError, naming the file, if the child was ended by a signal or by its time
 */
void try_in_child(const std::filesystem::path& file, const std::function<void()>& work);

/**
 * Read all attributes and values of an HDF5 file, within the bounds of h5_bounds.hpp, in a child process.
 *
 * \throws FileError, naming the file, if HDF5 does not survive it
 */
void try_reading(const std::filesystem::path& file);

}  // namespace flipstorm
