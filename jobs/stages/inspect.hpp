#pragma once
// Command `inspect`: what is in a file, or a seal for it.

#include <filesystem>

namespace flipstorm
{

/**
 * List a file of flipstorm on standard output; or, with `seal`, read it whole and seal it as it is; or, with
 * `faults`, write the faults of a campaign.h5 to that file as a fault list.
 *
 * \throws FileError if it cannot be read; DataError if a model to be sealed is no whole network, or a
 * campaign has faults that cannot be listed
 */
void run_inspect(const std::filesystem::path& file, bool seal, const std::filesystem::path& faults = {});

}  // namespace flipstorm
