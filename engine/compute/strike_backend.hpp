#pragma once
// What a backend has to answer about transient faults: a fault disturbs the output of one layer for one
// image, anywhere in it, and the change is followed by values, not by differences, since an image is masked
// if and only if its logits keep every bit. No LibTorch here.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/compute/device.hpp"
#include "engine/data/dataset.hpp"
#include "engine/network/layer_suffix.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/// What a fault makes of a layer's output for one image.
class Disturbance
{
  public:
    Disturbance() = default;
    virtual ~Disturbance() = default;
    Disturbance(const Disturbance&) = delete;
    Disturbance& operator=(const Disturbance&) = delete;

    /// Whether it depends on the layer's input.
    [[nodiscard]] virtual bool needs_input() const = 0;

    /// Change the output in place. \param input  of the layer, row-major; null if not needed
    virtual void apply(const float* input, float* output) const = 0;

    /// The same of a layer of a network of whole numbers. \param stored  how its output is \param codes  of
    /// it
    virtual void apply(const StoredActivation& stored, std::int32_t* codes) const = 0;
};

/// An image that a fault strikes.
struct StruckPair
{
    const Disturbance* disturbance = nullptr;
    std::int64_t image = 0;  ///< in data-set order
};

/// What comes of struck pairs. \param pair  number among those given to follow()
class StrikePolicy
{
  public:
    StrikePolicy() = default;
    virtual ~StrikePolicy() = default;
    StrikePolicy(const StrikePolicy&) = delete;
    StrikePolicy& operator=(const StrikePolicy&) = delete;

    /// The logits keep every bit. \param followed  known from the logits, not before
    virtual void masked(std::size_t pair, bool followed) = 0;

    /// \param logits  [classes]
    virtual void at_logits(std::size_t pair, const float* logits) = 0;
};

/// Follows struck pairs of one layer. Thread-safe.
class StrikeBackend
{
  public:
    StrikeBackend() = default;
    virtual ~StrikeBackend() = default;
    StrikeBackend(const StrikeBackend&) = delete;
    StrikeBackend& operator=(const StrikeBackend&) = delete;

    /// Pairs that are followed together; fixed, so that nothing depends on threads or ranks.
    [[nodiscard]] virtual std::size_t batch() const = 0;

    /// Bytes that a thread needs.
    [[nodiscard]] virtual std::uint64_t memory() const = 0;

    /// Logits of the fault-free network, in data-set order. [images, classes]
    [[nodiscard]] virtual std::vector<float> golden_logits(int threads) const = 0;

    /**
     * Follow pairs, sorted by image, at most a batch.
     *
     * \param golden  golden_logits()
     */
    virtual void follow(const LayerSuffix& layer, const StruckPair* pairs, std::size_t count,
                        const std::vector<float>& golden, StrikePolicy& policy) const = 0;
};

/// LibTorch on batches, on any device. Network and images have to outlive it. \param follow_all  every pair
/// to the logits
[[nodiscard]] std::unique_ptr<StrikeBackend> make_libtorch_strikes(const Network& network,
                                                                   const ImageSet& images, Device device,
                                                                   bool follow_all);

/// Networks of whole numbers, on the CPU. Network and images have to outlive it. \param follow_all  every
/// value behind the layer is computed anew. \throws JobError if integer_obstacle() says so
[[nodiscard]] std::unique_ptr<StrikeBackend> make_integer_strikes(const Network& network,
                                                                  const ImageSet& images, bool follow_all);

/// The same on LibTorch, on any device. \param follow_all  every pair to the logits \throws JobError if
/// integer_obstacle() or emulation_obstacle() says so
[[nodiscard]] std::unique_ptr<StrikeBackend> make_emulated_strikes(const Network& network,
                                                                   const ImageSet& images, Device device,
                                                                   bool follow_all);

/// The native kernels on one image after another, on the CPU. Network and images have to outlive it.
/// \throws Error if native_obstacle() says so.
[[nodiscard]] std::unique_ptr<StrikeBackend> make_native_strikes(const Network& network,
                                                                 const ImageSet& images);

}  // namespace flipstorm
