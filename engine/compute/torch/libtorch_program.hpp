#pragma once
// How a change of one channel of a layer goes through the graph in LibTorch operations, for many (fault,
// image) pairs side by side in the batch dimension. Internal to the engine: this header brings in LibTorch.

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "engine/compute/torch/executor.hpp"
#include "engine/network/change_flow.hpp"
#include "engine/network/value_form.hpp"

namespace flipstorm
{

/// An input [N, C, H, W] with a convolution's padding of zeros around; contiguous.
torch::Tensor padded_by(const torch::Tensor& value, const Conv2dOp& op);

/**
 * What a convolution multiplies, as a view of its padded input: nothing is copied.
 *
 * \param padded  contiguous
 * \returns [N, C, k, k, H_out, W_out]
 */
torch::Tensor windows(const torch::Tensor& padded, const Conv2dOp& op);

/// Whose changes a batch holds. [pairs]
struct PairIndex
{
    torch::Tensor image;    ///< within the tile
    torch::Tensor channel;  ///< faulty output channel of the layer
};

/// Nodes from one checkpoint to the next.
struct Segment
{
    NodeId entry;                   ///< what changes at its start: the layer or a checkpoint
    std::vector<NodeId> nodes;      ///< that change behind it, in order; the last one is its end
    std::int64_t entry_floats = 0;  ///< of a pair's change at the start
    std::int64_t floats = 0;        ///< alive at the same time for a pair, start and temporaries included
    bool product = false;           ///< of two values, among its nodes

    [[nodiscard]] NodeId end() const { return nodes.empty() ? entry : nodes.back(); }
};

/// The way from a layer's change to the logits.
struct LibtorchProgram
{
    ChangeFlow flow;
    std::vector<bool> alone;           ///< by node: its change is held as one channel, not as all of them
    std::vector<NodeId> last_reader;   ///< by node: the last one that reads its change
    std::vector<Segment> segments;     ///< at least one; all but the last end with a checkpoint
    std::vector<NodeId> golden_nodes;  ///< whose golden values are read
};

/// What a node's changes are computed with.
struct TorchNode
{
    torch::Tensor weight;      ///< of a convolution or linear layer
    torch::Tensor by_channel;  ///< the same, [C_in, outputs that read the channel, taps]
    torch::Tensor scale;       ///< of a batch norm, [channels]
};

/// Shape of a batch of values of a node.
std::vector<std::int64_t> batch_shape(std::int64_t pairs, const Shape& shape);

/**
 * The operations of a network on changes: faulty minus golden value. A change of a channel alone is [pairs,
 * 1, H, W], also where the value is flattened; any other has the node's shape behind the pairs. Thread-safe.
 */
class ChangeOperations
{
  public:
    ChangeOperations(const Network& network, const Executor& executor);

    [[nodiscard]] LibtorchProgram program(NodeId layer) const;

    /**
     * Change at the end of a segment.
     *
     * \param change  at its start
     * \param golden  by node: fault-free values of a tile, contiguous
     */
    [[nodiscard]] torch::Tensor run(const LibtorchProgram& program, const Segment& segment,
                                    torch::Tensor change, const PairIndex& pairs,
                                    const std::vector<torch::Tensor>& golden) const;

    /// A node's change with all channels, in the node's shape.
    [[nodiscard]] torch::Tensor dense(const LibtorchProgram& program, NodeId id, const torch::Tensor& change,
                                      const PairIndex& pairs) const;

    /// Multiply-accumulate operations of a segment for one pair.
    [[nodiscard]] double macs(const LibtorchProgram& program, const Segment& segment) const;

    [[nodiscard]] const std::vector<ValueForm>& forms() const { return forms_; }
    [[nodiscard]] const Graph& graph() const { return graph_; }
    [[nodiscard]] const Executor& executor() const { return executor_; }
    [[nodiscard]] const TorchNode& node(NodeId id) const { return nodes_[index(id)]; }
    /// Of weights in layouts of its own.
    [[nodiscard]] std::uint64_t bytes() const;

  private:
    [[nodiscard]] std::int64_t floats(const LibtorchProgram& program, NodeId id) const;
    [[nodiscard]] std::int64_t temporary_floats(const LibtorchProgram& program, NodeId id) const;
    void measure(const LibtorchProgram& program, Segment& segment) const;

    Graph graph_;
    Executor executor_;
    std::vector<ValueForm> forms_;
    bool flattened_alone_;  ///< one channel stays alone when it is flattened
    std::vector<TorchNode> nodes_;
};

}  // namespace flipstorm
