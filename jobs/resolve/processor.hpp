#pragma once
// What computes networks in a program, where something does; stages that only read and write files do
// without.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/compute/device.hpp"

namespace flipstorm
{

struct Job;
struct NodePlace;
struct TimedNetwork;

/// How long networks take to classify an image.
struct InferenceTimes
{
    std::vector<double> seconds;  ///< per image, by network
    std::string device;
    std::int32_t threads = 0;
    std::int32_t batch = 0;  ///< images of a forward pass
};

/// Stateless; what it sets counts for this process, from now on.
class Processor
{
  public:
    Processor() = default;
    virtual ~Processor() = default;
    Processor(const Processor&) = delete;
    Processor& operator=(const Processor&) = delete;

    /// "LibTorch 1.13.1"
    [[nodiscard]] virtual std::string version() const = 0;

    /// Whether the device that a job asks for is here.
    [[nodiscard]] virtual bool has_device_of(const Job& job) const = 0;

    /// The device of a rank for a job. \throws JobError if what it asks for is not here
    [[nodiscard]] virtual Device device_of(const Job& job, const NodePlace& place) const = 0;

    /// Threads inside one operation.
    virtual void use_threads(int threads) const = 0;

    /// Its warnings, from this thread and from a team of so many, become lines of the log.
    virtual void log_warnings(int threads) const = 0;

    /// See seconds_per_image(). \param device  of this rank
    [[nodiscard]] virtual InferenceTimes time_inference(const std::vector<TimedNetwork>& networks,
                                                        Device device, int threads) const = 0;
};

}  // namespace flipstorm
