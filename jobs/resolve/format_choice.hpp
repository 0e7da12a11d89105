#pragma once
// From the table [model] to the number formats of a network.

#include "engine/network/network_format.hpp"
#include "jobs/job_file/job.hpp"

namespace flipstorm
{

/// What the table says of number formats. Whether a graph can have them, check_choice() says.
/// \throws JobError for an unknown format. Thread-safe.
[[nodiscard]] FormatChoice format_choice(const ModelTable& model);

}  // namespace flipstorm
