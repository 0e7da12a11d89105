#pragma once
// From the table [model] to the number formats of a network.

#include "engine/network/network_format.hpp"
#include "jobs/job_file/job.hpp"

namespace flipstorm
{

/// What the table says of number formats. Whether a graph can have them, check_choice() says.
/// \throws JobError for an unknown format. Thread-safe.
[[nodiscard]] FormatChoice format_choice(const ModelTable& model);

/// Whether the job trains on from model.file, for another number format: that file is there and holds a
/// network of fp32, and the job's format is another one. Else the file's network is used as it is. \throws
/// FileError if it cannot be read
[[nodiscard]] bool fine_tunes(const Job& job);

}  // namespace flipstorm
