#pragma once
// What LibTorch says goes through flipstorm's log.

namespace flipstorm
{

/// Make LibTorch's warnings lines of the log, on the calling thread and on the threads of its OpenMP team.
/// LibTorch keeps a handler for each thread.
void log_libtorch_warnings(int threads);

}  // namespace flipstorm
