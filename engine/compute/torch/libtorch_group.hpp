#pragma once
// The changes of one group of faults of one layer on the images of a tile, in LibTorch operations: measured
// at the layer, and carried from there as far as the policy asks, many pairs side by side. Internal to the
// engine: this header brings in LibTorch.

#include <cstdint>
#include <vector>

#include "engine/compute/torch/libtorch_backend.hpp"
#include "engine/compute/torch/libtorch_faults.hpp"

namespace flipstorm
{

/// Pairs at a checkpoint, or, without a change, at the faulty layer.
struct PairBatch
{
    std::vector<Pair> pairs;
    torch::Tensor image;   ///< on the device, [pairs]
    torch::Tensor fault;   ///< on the device, [pairs]
    torch::Tensor change;  ///< [pairs, …]

    [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(pairs.size()); }

    [[nodiscard]] PairBatch range(std::int64_t first, std::int64_t count) const;
    [[nodiscard]] PairBatch selected(const std::vector<std::int64_t>& rows) const;
    void append(PairBatch other);
};

/// Follows a group's changes of one layer on one tile.
class LibtorchGroup
{
  public:
    LibtorchGroup(const LibtorchBackend& backend, const InjectableLayer& layer, const ChangeGroup& group,
                  const LibtorchTile& golden, PairPolicy& policy);

    /// \returns multiply-accumulate operations done
    double run();

  private:
    [[nodiscard]] torch::Tensor moves() const;
    [[nodiscard]] std::vector<Pair> measure();
    void measure_image(std::int64_t image, const float* largest, const float* length, const float* moves,
                       std::vector<LayerMeasure>& measures) const;
    [[nodiscard]] torch::Tensor start(const PairBatch& batch) const;
    void follow(std::size_t segment, PairBatch batch);
    void leave_to_reference(const Segment& way, PairBatch& batch);
    void arrive(std::size_t segment, PairBatch batch);
    [[nodiscard]] PairBatch check(NodeId checkpoint, PairBatch batch);
    [[nodiscard]] const torch::Tensor& spread_of(NodeId checkpoint);
    [[nodiscard]] torch::Tensor first_order(NodeId checkpoint, const PairBatch& batch,
                                            const torch::Tensor& magnitude);
    void finish(const PairBatch& batch);

    [[nodiscard]] PairIndex index_of(const PairBatch& batch) const
    {
        return {batch.image, faults_.channel.index_select(0, batch.fault)};
    }

    const LibtorchBackend& backend_;
    const ChangeOperations& operations_;
    const LibtorchProgram& program_;
    const InjectableLayer& layer_;
    LayerGeometry geometry_;
    const ChangeGroup& group_;
    const LibtorchTile& golden_;
    PairPolicy& policy_;
    LibtorchFaults faults_;
    std::int64_t batch_;
    std::vector<PairBatch> waiting_;     ///< by segment: fewer than a batch, to start it together
    std::vector<torch::Tensor> spread_;  ///< by node, where it was asked for
    bool has_products_ = false;          ///< of two values, behind the layer
    torch::Tensor tau_;                  ///< policy's, where it screens; [tile]
    double macs_ = 0;
};

}  // namespace flipstorm
