#pragma once
// How long networks take to classify an image, measured so that they can be compared.

#include <cstdint>
#include <vector>

#include "engine/compute/device.hpp"
#include "engine/data/dataset.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/// A network to time, on images that fit it.
struct TimedNetwork
{
    const Network* network = nullptr;
    const ImageSet* images = nullptr;
    Device device;
};

/// How a time is measured.
struct TimingOptions
{
    std::int64_t batch = 200;  ///< images of a forward pass; fewer where the set has fewer
    int least_rounds = 5;      ///< passes of each network, the first one aside
    int most_rounds = 50;
    double seconds = 2;  ///< per network, about, if the rounds allow it
};

/**
 * Seconds per image of each network: the best of several forward passes of one batch, images and parameters
 * on the device, logits back on the host.
 *
 * The networks take turns pass by pass, so that what else the machine does strikes all of them alike; the
 * first pass of each is not counted. Floats are computed by LibTorch, whole numbers on a CPU by the kernels
 * for them; their threads are those of the process.
 *
 * \throws Error without images.
 */
std::vector<double> seconds_per_image(const std::vector<TimedNetwork>& networks,
                                      const TimingOptions& options);

}  // namespace flipstorm
