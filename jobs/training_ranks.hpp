#pragma once
// The ranks of a training, over MPI: joins the engine's interface to the reducer.

#include "engine/base/error.hpp"
#include "engine/train/training_ranks.hpp"
#include "mpi/gradient_reducer.hpp"

namespace flipstorm
{

class MpiTrainingRanks : public TrainingRanks
{
  public:
    /// \param on_gpu  the ranks compute on GPUs. \throws MpiError if MPI cannot serve them. \collective
    MpiTrainingRanks(const Communicator& world, bool on_gpu)
        : reducer_(world), rank_(world.rank()), size_(world.size()), on_gpu_(on_gpu)
    {
        FS_CHECK(MpiError, !on_gpu || size_ == 1 || mpi_takes_any_thread(),
                 "training on the GPUs of several ranks needs an MPI library with MPI_THREAD_SERIALIZED");
    }

    [[nodiscard]] int rank() const override { return rank_; }
    [[nodiscard]] int size() const override { return size_; }
    [[nodiscard]] bool sums_device_memory() const override { return on_gpu_ && mpi_takes_device_memory(); }
    void sum(double* values, std::size_t count) override { reducer_.sum(values, count); }
    void begin_sum(float* values, std::size_t count) override { reducer_.begin(values, count); }
    void advance() override { reducer_.advance(); }
    void finish_sums() override { reducer_.finish(); }

  private:
    GradientReducer reducer_;
    int rank_;
    int size_;
    bool on_gpu_;
};

}  // namespace flipstorm
