#pragma once
// Loops over OpenMP threads. An exception of any iteration ends the loop early and is thrown to the caller.

#include <omp.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>

namespace flipstorm
{

/**
 * Call `body(i)` for i = 0 … count − 1 on `threads` threads, each taking the next index when it is free.
 *
 * `body` must be safe to call from several threads. The first exception is thrown again on the calling
 * thread, once all threads have ended their current iteration.
 */
template<class Body>
void parallel_for(std::int64_t count, int threads, Body&& body)
{
    std::atomic<bool> failed{false};
    std::exception_ptr failure;
    std::mutex failure_guard;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1 && count > 1)
    for (std::int64_t i = 0; i < count; ++i)
    {
        if (failed.load(std::memory_order_relaxed)) continue;
        try
        {
            body(i);
        }
        catch (...)
        {
            const std::lock_guard<std::mutex> lock(failure_guard);
            if (!failed.exchange(true)) failure = std::current_exception();
        }
    }
    if (failure) std::rethrow_exception(failure);
}

}  // namespace flipstorm
