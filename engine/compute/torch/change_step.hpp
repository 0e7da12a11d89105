#pragma once
// One node's change from its inputs' changes, for (fault, image) pairs side by side in the batch dimension.
// Internal to the engine: this header brings in LibTorch.

#include <torch/torch.h>

#include <vector>

#include "engine/compute/torch/libtorch_program.hpp"

namespace flipstorm
{

class ChangeStep
{
  public:
    ChangeStep(const ChangeOperations& operations, const LibtorchProgram& program, NodeId id,
               const std::vector<torch::Tensor>& changes, const PairIndex& pairs,
               const std::vector<torch::Tensor>& golden)
        : operations_(operations),
          program_(program),
          id_(id),
          changes_(changes),
          pairs_(pairs),
          golden_(golden)
    {}

    [[nodiscard]] const Node& node() const { return operations_.graph().node(id_); }
    [[nodiscard]] const TorchNode& prepared() const { return operations_.node(id_); }
    [[nodiscard]] NodeId input() const { return node().inputs[0]; }
    [[nodiscard]] const ValueForm& form(NodeId id) const { return operations_.forms()[index(id)]; }

    /// Whether a node's change, or this one's, is held as one channel.
    [[nodiscard]] bool alone(NodeId id) const { return program_.alone[index(id)]; }
    [[nodiscard]] bool alone() const { return alone(id_); }

    /// An input's change; undefined: none.
    [[nodiscard]] const torch::Tensor& change(NodeId input) const { return changes_[index(input)]; }
    /// The same with as many channels as this node's.
    [[nodiscard]] torch::Tensor as_this(NodeId input) const
    {
        return alone() ? change(input) : operations_.dense(program_, input, change(input), pairs_);
    }

    [[nodiscard]] std::int64_t pairs() const { return pairs_.image.size(0); }
    /// 0 … pairs − 1
    [[nodiscard]] torch::Tensor rows() const { return torch::arange(pairs(), pairs_.image.options()); }
    /// Channel that changes at a node. [pairs]
    [[nodiscard]] torch::Tensor channel_of(NodeId id) const
    {
        return pairs_.channel + program_.flow.shift[index(id)];
    }
    [[nodiscard]] torch::Tensor channel() const { return channel_of(id_); }

    /// The pairs' golden values of a node, as its change is held; a copy.
    [[nodiscard]] torch::Tensor golden_of(NodeId id) const
    {
        const torch::Tensor& golden = golden_[index(id)];
        if (!alone(id)) return golden.index_select(0, pairs_.image);
        const ValueForm& f = form(id);
        return golden.view({-1, 1, f.height, f.width})
            .index_select(0, pairs_.image * f.channels + channel_of(id));
    }
    [[nodiscard]] torch::Tensor golden() const { return golden_of(id_); }
    /// The pairs' golden values of an input, as this node's change is held; a copy.
    [[nodiscard]] torch::Tensor golden_as_this(NodeId input) const
    {
        const torch::Tensor& golden = golden_[index(input)];
        if (!alone()) return golden.index_select(0, pairs_.image);
        const ValueForm& f = form(input);
        return golden.view({-1, 1, f.height, f.width}).index_select(0, pairs_.image * f.channels + channel());
    }

    /// The operation's value of something.
    [[nodiscard]] torch::Tensor apply(const torch::Tensor& value) const
    {
        return operations_.executor().apply(id_, {value});
    }

    /// The change of an operation without a constant part: its value of the change.
    [[nodiscard]] torch::Tensor linear_map() const { return apply(as_this(input())); }

    /// The change of an operation that works element by element.
    [[nodiscard]] torch::Tensor elementwise() const
    {
        torch::Tensor value = golden_of(input());
        const torch::Tensor was = apply(value);
        return apply(value.add_(change(input()))).sub_(was);
    }

    /// Zeros with a node's shape behind the pairs.
    [[nodiscard]] torch::Tensor zeros_of(NodeId id) const
    {
        return torch::zeros(
            batch_shape(pairs(), operations_.graph().node(id).shape),
            torch::TensorOptions().dtype(torch::kFloat32).device(operations_.executor().device()));
    }

  private:
    const ChangeOperations& operations_;
    const LibtorchProgram& program_;
    NodeId id_;
    const std::vector<torch::Tensor>& changes_;
    const PairIndex& pairs_;
    const std::vector<torch::Tensor>& golden_;
};

}  // namespace flipstorm
