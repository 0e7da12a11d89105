#pragma once
// The ranks of a training: joins the engine's interface to what sums over them, MPI or a process group of
// LibTorch.

#include <memory>
#include <string>

#include "engine/compute/device.hpp"
#include "engine/train/process_group_sums.hpp"
#include "engine/train/training_ranks.hpp"
#include "mpi/gradient_reducer.hpp"

namespace flipstorm
{

class JobTrainingRanks : public TrainingRanks
{
  public:
    /**
     * \param device       of this rank
     * \param collectives  what sums the gradients, as device.collectives; "auto" is NCCL where every rank has
     *                     a GPU of its own and this build has NCCL, else MPI
     * \throws AgreedError if these ranks or this build cannot do that. \collective
     */
    JobTrainingRanks(const Communicator& world, const Device& device, const std::string& collectives);

    [[nodiscard]] int rank() const override { return rank_; }
    [[nodiscard]] int size() const override { return size_; }
    [[nodiscard]] bool sums_device_memory() const override;
    [[nodiscard]] bool follows_streams() const override { return is_nccl(); }
    void sum(double* values, std::size_t count) override { reducer_.sum(values, count); }
    void begin_sum(float* values, std::size_t count, Memory memory) override;
    void advance() override { reducer_.advance(); }
    void finish_sums() override;

    /// "MPI", "MPI in GPU memory", "gloo", "nccl"
    [[nodiscard]] std::string summed_by() const;

  private:
    [[nodiscard]] bool is_nccl() const { return group_ && kind_ == ProcessGroup::nccl; }
    void open_group(const Communicator& world, const Device& device);

    GradientReducer reducer_;
    int rank_;
    int size_;
    bool on_gpu_;
    ProcessGroup kind_ = ProcessGroup::gloo;
    std::unique_ptr<Rendezvous> rendezvous_;
    std::unique_ptr<ProcessGroupSums> group_;  ///< null: MPI sums the gradients
};

}  // namespace flipstorm
