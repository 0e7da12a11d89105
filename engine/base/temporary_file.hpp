#pragma once
// The files that a result is written to before it has its name. They are made where they must not replace
// anything, under names that nobody can foresee, so that a link that someone laid there leads nowhere; and
// who comes later can tell those of dead processes.
//
// A name is `.NAME.TAG.tmp`; TAG is 32 hexadecimal digits: 8 of the host (boot and process namespace), 8 of
// the process, 16 random ones. Host 00000000: not known.

#include <cstdint>
#include <filesystem>

namespace flipstorm
{

/**
 * Make an empty file beside `final_name`, for its content until it is complete. Thread-safe.
 *
 * \return its name  \throws FileError, naming `final_name` and the system's reason
 */
[[nodiscard]] std::filesystem::path create_temporary(const std::filesystem::path& final_name);

/**
 * Remove what dead processes left in a folder: regular files with such a name whose process is gone from this
 * host or, where that cannot be asked, that were not written to for ten minutes. Others stay, those of other
 * programs as well as those that are being written. What cannot be removed stays, too; it is in nobody's way.
 *
 * \param now  by the clock of the file system
 */
void remove_dead_temporaries(const std::filesystem::path& folder,
                             std::filesystem::file_time_type now) noexcept;

/// Remove what this process is writing in a folder, for one that is about to end.
void remove_own_temporaries(const std::filesystem::path& folder) noexcept;

}  // namespace flipstorm
