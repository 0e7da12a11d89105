#pragma once
// Command `inspect`: what is in a file, or a seal for it.

#include <filesystem>

namespace flipstorm
{

/**
 * List a file of flipstorm on standard output; or, with `seal`, read it whole and seal it as it is.
 *
 * \throws FileError if it cannot be read; DataError if a model to be sealed is no whole network
 */
void run_inspect(const std::filesystem::path& file, bool seal);

}  // namespace flipstorm
