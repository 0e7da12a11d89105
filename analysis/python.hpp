#pragma once
// What Python does, in a process of its own: figures, and forests for others.

#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/stop_request.hpp"

namespace flipstorm
{

/**
 * Run a program to its end.
 *
 * \param silent  its output goes nowhere
 * \param stop    while it is asked for, the program and all that it has started are killed
 * \return its exit status; −1 if it could not be started or was killed \throws Stopped
 */
int run_child(const std::vector<std::string>& arguments, bool silent, const StopRequest& stop = {});

/**
 * Draw the figures of an out folder, OUT/figures/NAME.png, with the script that the program carries.
 *
 * Files of these names that are there are removed before. Without a Python that has h5py and matplotlib, or
 * if drawing fails, the log gets a warning. \param options  further arguments of the script; file names must
 * be absolute \return those of the names that are there afterwards \throws Stopped
 */
std::vector<std::string> draw_figures(const std::filesystem::path& out, const std::vector<std::string>& names,
                                      const std::vector<std::string>& options, const StopRequest& stop = {});

/**
 * Write the forest of a forest.h5's map as an ONNX model, with the script that the program carries.
 *
 * \throws FileError if there is no Python with h5py and onnx, or a file cannot be read or written; DataError
 * if there is no forest; Stopped
 */
void export_forest(const std::filesystem::path& forest, const std::filesystem::path& model,
                   const StopRequest& stop = {});

}  // namespace flipstorm
