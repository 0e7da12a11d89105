#pragma once
// Trains a network by stochastic gradient descent, on one rank or many.

#include <functional>

#include "engine/compute/device.hpp"
#include "engine/data/dataset.hpp"
#include "engine/network/network.hpp"
#include "engine/train/options.hpp"
#include "engine/train/training_ranks.hpp"

namespace flipstorm
{

/// Called after every epoch.
using EpochCallback = std::function<void(const EpochReport&)>;
/// Asked before every batch; true ends the training.
using StopCallback = std::function<bool()>;

/// Who watches a training. All functions may be empty.
struct TrainObserver
{
    EpochCallback on_epoch;
    StopCallback should_stop;
    /// Asked after every step; true has the state saved. Ranks may differ.
    std::function<bool()> checkpoint_due;
    /// Keeps the state; also called when the training ends early.
    std::function<void(const TrainingState&)> save;
};

/// How long the ranks of a training waited for each other's gradients.
struct TrainTiming
{
    double seconds = 0;
    double waited = 0;  ///< of those, after the backward pass was through
};

/**
 * Train on all training images with SGD, momentum and weight decay, for the options' number format: see
 * Trainer.
 *
 * The order of the images comes from the seed; the last, smaller batch of an epoch is used. Batch norms learn
 * from the statistics of each batch and gather their running statistics (momentum 0.1). Uses the compute
 * threads that are set. When a rank is asked to stop, all ranks do one more step, save the state and return.
 *
 * \param network  of fp32 parameters; replaced by the trained one, as it is stored in the options' format,
 * unless it was stopped
 * \param ranks    rank r of R trains on the r-th part of each batch
 * \param state    where to go on, the same on all ranks; a new one: the beginning. At the end, the training's
 * \param timing   where not null, what it took
 * \return false if it was stopped
 * \throws DataError, on all ranks, if the loss becomes NaN or infinite (naming epoch and step), or images or
 * state do not fit; JobError if the format is not one for the network. \collective
 */
bool train(Network& network, const ImageSet& images, const TrainOptions& options, TrainingRanks& ranks,
           TrainingState& state, const TrainObserver& observer, TrainTiming* timing = nullptr);

/// The same on one rank, from the beginning.
bool train(Network& network, const ImageSet& images, const TrainOptions& options,
           const EpochCallback& on_epoch, const StopCallback& should_stop);

/// Share of images whose top-1 equals the label. Of a network that computes in whole numbers: by floats that
/// read as these (see Executor).
double accuracy(const Network& network, const ImageSet& images, Device device);

}  // namespace flipstorm
