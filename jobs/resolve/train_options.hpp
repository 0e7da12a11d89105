#pragma once
// The training that a job asks for, in the engine's terms.

#include "engine/train/options.hpp"
#include "jobs/job_file/job.hpp"

namespace flipstorm
{

/// Options of the job's [train] and [train.fault_aware], and the format of its [model]; the device is left to
/// the caller. \throws JobError
[[nodiscard]] TrainOptions train_options(const Job& job);

}  // namespace flipstorm
