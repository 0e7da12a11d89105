#pragma once
// Figures are drawn by Python, in a process of its own.

#include <filesystem>
#include <string>
#include <vector>

namespace flipstorm
{

/**
 * Draw the figures of an out folder, OUT/figures/NAME.png, with the script that the program carries.
 *
 * Files of these names that are there are removed before. Without a Python that has h5py and matplotlib, or
 * if drawing fails, the log gets a warning. \param options  further arguments of the script; file names must
 * be absolute \return those of
 * the names that are there afterwards
 */
std::vector<std::string> draw_figures(const std::filesystem::path& out, const std::vector<std::string>& names,
                                      const std::vector<std::string>& options);

}  // namespace flipstorm
