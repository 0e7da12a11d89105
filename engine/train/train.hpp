#pragma once
// Trains a network by stochastic gradient descent.

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/data/dataset.hpp"
#include "engine/network/device.hpp"
#include "engine/network/network.hpp"
#include "engine/train/schedule.hpp"

namespace flipstorm
{

/// What decides a training beside the network and the data.
struct TrainOptions
{
    std::int64_t epochs = 6;
    std::int64_t batch = 128;
    double lr = 0.1;  ///< peak of the schedule
    double momentum = 0.9;
    double weight_decay = 1e-4;
    double clip = 0;  ///< largest L2 norm of the gradient; 0: no clipping
    Schedule schedule = Schedule::one_cycle;
    std::uint64_t seed = 1;
    Device device;
};

/// One epoch's figures.
struct EpochReport
{
    std::int64_t epoch = 0;     ///< from 1
    double loss = 0;            ///< mean training cross entropy
    double train_accuracy = 0;  ///< share, measured while training
    double seconds = 0;
};

/// Called after every epoch.
using EpochCallback = std::function<void(const EpochReport&)>;
/// Asked before every batch; true ends the training.
using StopCallback = std::function<bool()>;

/**
 * Train on all training images with SGD, momentum, weight decay and cross entropy.
 *
 * The order of the images comes from the seed; the last, smaller batch of an epoch is used. Batch norms learn
 * from the statistics of each batch and gather their running statistics (momentum 0.1). Uses the compute
 * threads that are set.
 *
 * \param network  its parameters are replaced by the trained ones, unless it was stopped
 * \return false if it was stopped
 * \throws DataError if the loss becomes NaN or infinite (naming epoch and step), or images do not fit.
 */
bool train(Network& network, const ImageSet& images, const TrainOptions& options,
           const EpochCallback& on_epoch, const StopCallback& should_stop);

/// Share of images whose top-1 equals the label.
double accuracy(const Network& network, const ImageSet& images, Device device);

}  // namespace flipstorm
