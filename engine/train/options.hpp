#pragma once
// What decides a training beside the network and the data, and what it tells of itself.

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/compute/device.hpp"
#include "engine/network/network_format.hpp"
#include "engine/train/augment.hpp"
#include "engine/train/fault_aware.hpp"
#include "engine/train/schedule.hpp"

namespace flipstorm
{

/// Loss function.
enum class Loss
{
    cross_entropy,  ///< of the softmax; mean over the images
    bce,  ///< binary cross entropy of each logit's sigmoid against one-hot labels; mean over images and
          ///< classes
};

/// Loss of that name ("cross_entropy", "bce"). \throws JobError naming the known ones.
[[nodiscard]] Loss loss_from(std::string_view name);

/// Over which images a batch norm takes mean and variance while several ranks train.
enum class BatchNormScope
{
    synchronised,  ///< the whole batch
    local,         ///< the rank's own part of it; the running statistics are the mean over the ranks
};

/// Scope of that name ("synchronised", "local"). \throws JobError naming the known ones.
[[nodiscard]] BatchNormScope batch_norm_scope_from(std::string_view name);

/// How a network is trained.
struct TrainOptions
{
    std::int64_t epochs = 6;
    std::int64_t batch = 128;  ///< images of one step, on all ranks together
    double lr = 0.1;           ///< peak of the schedule
    double momentum = 0.9;
    double weight_decay = 1e-4;
    double clip = 0;  ///< largest L2 norm of the gradient; 0: no clipping
    Loss loss = Loss::cross_entropy;
    Schedule schedule = Schedule::one_cycle;
    Augment augment = Augment::none;
    BatchNormScope batch_norm = BatchNormScope::synchronised;
    FaultAwareOptions fault_aware;
    FormatChoice format;  ///< of the network that is to come out; training is quantisation-aware
    std::uint64_t seed = 1;
    Device device;
};

/// One epoch's figures.
struct EpochReport
{
    std::int64_t epoch = 0;     ///< from 1
    double loss = 0;            ///< mean training loss per image
    double train_accuracy = 0;  ///< share, measured while training, faults and augmentation included
    double learning_rate = 0;   ///< of the last step
    double seconds = 0;
};

/// A training between two steps: all it takes to go on as if nothing had happened.
struct TrainingState
{
    std::int64_t step = 0;                       ///< steps done
    std::vector<std::vector<float>> parameters;  ///< in the order of Network::parameters
    std::vector<std::vector<float>> momentum;    ///< of the trainable ones, in that order
    std::vector<float> ranges;                   ///< of the values, by node: see QuantisedForward
    double loss_sum = 0;                         ///< of the epoch under way: Σ loss · images
    std::int64_t correct = 0;                    ///< of the epoch under way: images classified correctly
    double seconds = 0;                          ///< of the epoch under way
    std::vector<EpochReport> curve;              ///< epochs done
};

}  // namespace flipstorm
