#pragma once
// The steps of a training, one by one: forward, backward, sum over the ranks, update.

#include <cstdint>
#include <memory>

#include "engine/data/dataset.hpp"
#include "engine/network/network.hpp"
#include "engine/train/options.hpp"
#include "engine/train/training_ranks.hpp"

namespace flipstorm
{

/// What one step found, on all ranks together.
struct StepReport
{
    double loss = 0;  ///< mean over the batch
    std::int64_t correct = 0;
    std::int64_t images = 0;
    double learning_rate = 0;
    bool stop = false;  ///< some rank wants to stop
};

/**
 * A network being trained by stochastic gradient descent with momentum and weight decay, as torch.optim.SGD.
 *
 * Each step takes the next `batch` images of the epoch's random order; rank r of R computes the r-th of R
 * contiguous parts. Loss and gradient are the means over the whole batch, so parameters do not depend on the
 * number of ranks, rounding aside (and aside from local batch norms). What is random depends on (seed, epoch,
 * image) or (seed, step) alone.
 *
 * Parameters are floats; what the network computes with, in the forward pass, is what the words of the
 * options' format read as (see QuantisedForward): parameters in every step, values from the second half of
 * the first epoch on. A fault strikes a layer's output before it is quantised; ranges are learnt from the
 * images that the step's fault spares.
 */
class Trainer
{
  public:
    /**
     * \param network  of fp32 parameters
     * \param images  all training images; must outlive this, as must `ranks`
     * \throws JobError if a rank would have too few images for a local batch norm, or the format is not one
     * for the network
     */
    Trainer(const Network& network, const ImageSet& images, const TrainOptions& options,
            TrainingRanks& ranks);
    ~Trainer();
    Trainer(const Trainer&) = delete;
    Trainer& operator=(const Trainer&) = delete;

    [[nodiscard]] std::int64_t steps_per_epoch() const;
    [[nodiscard]] std::int64_t steps() const;

    /**
     * Do step `number`, 0 … steps() − 1.
     *
     * \param stop  this rank wants to stop: all ranks learn of it with this step
     * \throws DataError, on all ranks, if the loss is NaN or infinite (naming epoch and step), or images do
     * not fit. \collective
     */
    StepReport step(std::int64_t number, bool stop);

    /// Whether steps meet the faults that the options ask for; from the start they do. To see what faults
    /// cost.
    void meet_faults(bool meet);

    /// Copy parameters, momentum and ranges into a state.
    void save(TrainingState& state) const;
    /// Take them from a state. \throws DataError if they are not this network's.
    void load(const TrainingState& state);
    /// Copy the parameters into a network of the same graph, of fp32 parameters.
    void store(Network& network) const;
    /// Ranges of the nodes' values, as stored_as() takes them; of a node that was never seen, 0. Empty unless
    /// the network is to compute in whole numbers.
    [[nodiscard]] const std::vector<float>& ranges() const;

    /// Seconds spent waiting for the gradients of other ranks, in all.
    [[nodiscard]] double waited_seconds() const;

  private:
    class Implementation;
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace flipstorm
