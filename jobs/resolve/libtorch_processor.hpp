#pragma once
// LibTorch as what computes networks.

#include "jobs/resolve/processor.hpp"

namespace flipstorm
{

/// LibTorch on a CPU or GPU.
class LibtorchProcessor final : public Processor
{
  public:
    [[nodiscard]] std::string version() const override;
    [[nodiscard]] bool has_device_of(const Job& job) const override;
    [[nodiscard]] Device device_of(const Job& job, const NodePlace& place) const override;
    void use_threads(int threads) const override;
    void log_warnings(int threads) const override;
    [[nodiscard]] InferenceTimes time_inference(const std::vector<TimedNetwork>& networks, Device device,
                                                int threads) const override;
};

}  // namespace flipstorm
