#pragma once
// The number formats that a job asks for, in the engine's terms.

#include "engine/network/network_format.hpp"
#include "jobs/job_file/job.hpp"

namespace flipstorm
{

/// What [model] says. \throws JobError for a name that is no format's
[[nodiscard]] FormatChoice format_choice(const ModelTable& model);

/// Whether the job trains on from model.file, for another number format: that file is there and holds a
/// network of fp32, and the job's format is another one. Else the file's network is used as it is. \throws
/// FileError if it cannot be read
[[nodiscard]] bool fine_tunes(const Job& job);

}  // namespace flipstorm
