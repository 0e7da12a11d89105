#pragma once
// Sums of float buffers over all ranks that run while this rank computes: what data-parallel training does
// with its gradients. Uses two communicators of its own, so that begun sums and blocking ones may interleave.

#include <mpi.h>

#include <cstddef>
#include <vector>

#include "mpi/communicator.hpp"

namespace flipstorm
{

/**
 * Sums over the ranks of a communicator, in place.
 *
 * A null communicator leaves all values as they are. Of one communicator and one set of values, the result is
 * the same every time. One thread at a time.
 */
class GradientReducer
{
  public:
    /// \collective
    explicit GradientReducer(const Communicator& ranks);
    GradientReducer(const GradientReducer&) = delete;
    GradientReducer& operator=(const GradientReducer&) = delete;
    /// Cancels nothing: begun sums must have been finished, unless an exception unwinds this rank.
    ~GradientReducer() = default;

    /// Sum `values` and wait for it. \throws Error if there are more than an int counts. \collective
    void sum(double* values, std::size_t count) const;

    /// Begin to sum `values`, which must stay where they are until finish(). \throws Error as sum().
    /// \collective
    void begin(float* values, std::size_t count);

    /// Let begun sums progress; returns at once. MPI libraries move data inside their calls only.
    void advance();

    /// Wait until all begun sums are there.
    void finish();

    /// Sums under way.
    [[nodiscard]] std::size_t pending() const { return requests_.size(); }

  private:
    Communicator blocking_;
    Communicator begun_;
    std::vector<MPI_Request> requests_;
};

/// Whether any thread may call MPI, one at a time; on GPUs the backward pass runs on a thread of its own.
/// True where MPI is not running.
[[nodiscard]] bool mpi_takes_any_thread();

/// Whether this MPI library, here and now, reads and writes GPU memory (Open MPI's MPIX_Query_cuda_support).
[[nodiscard]] bool mpi_takes_device_memory();

}  // namespace flipstorm
