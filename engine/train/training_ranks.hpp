#pragma once
// What data-parallel training asks of the ranks that share it. The class itself is one rank alone; an
// implementation over MPI derives from it, so that the engine knows nothing of MPI.

#include <cstddef>

namespace flipstorm
{

/// Where values are.
enum class Memory
{
    host,
    gpu,
};

/**
 * The ranks of a training. All functions that sum must be called by all ranks, in the same order and with the
 * same counts; begun sums and `sum` do not wait for each other. Every rank gets the same result to the last
 * bit.
 */
class TrainingRanks
{
  public:
    TrainingRanks() = default;
    TrainingRanks(const TrainingRanks&) = delete;
    TrainingRanks& operator=(const TrainingRanks&) = delete;
    virtual ~TrainingRanks() = default;

    [[nodiscard]] virtual int rank() const { return 0; }
    [[nodiscard]] virtual int size() const { return 1; }

    /// Whether begin_sum takes addresses of GPU memory.
    [[nodiscard]] virtual bool sums_device_memory() const { return false; }

    /// Replace each value by its sum over the ranks. \collective
    virtual void sum(double* /*values*/, std::size_t /*count*/) {}

    /// Whether sums of GPU memory begin when this thread's work on the GPU is done, by themselves.
    [[nodiscard]] virtual bool follows_streams() const { return false; }

    /// Begin to replace each value by its sum over the ranks; the values are not to be touched before
    /// finish_sums(). \collective
    virtual void begin_sum(float* /*values*/, std::size_t /*count*/, Memory /*memory*/) {}

    /// Let begun sums make progress. Returns at once.
    virtual void advance() {}

    /// Wait until all begun sums are there.
    virtual void finish_sums() {}
};

}  // namespace flipstorm
