#pragma once
// What the LibTorch backend knows of each operation: for every one, in a file of its own beside this header,
//
//     value_on_torch      its value, in inference and in training
//     prepare_on_torch    what its changes need of a node's parameters
//     change_on_torch     its value's change from its inputs', for a batch of (fault, image) pairs
//     torch_traits        which golden values that reads
//     temporary_floats    what it needs beside its inputs and its output
//
// An operation that lacks one does not compile where std::visit calls it. Internal to the engine: this header
// brings in LibTorch.

#include "engine/compute/torch/change_step.hpp"

namespace flipstorm
{

/// A node in a forward pass.
struct ValueStep
{
    const std::string& name;
    const std::vector<torch::Tensor>& inputs;
    const torch::Tensor* parameters;  ///< the node's first
    const TrainingHooks* training;    ///< null: inference
};

/// A node whose changes are to be computed.
struct TorchPrepare
{
    const Network& network;
    const Node& node;
    const ValueForm& input;           ///< form of its first input
    const torch::Tensor* parameters;  ///< the node's first
};

/// Golden values that a change reads.
struct TorchTraits
{
    bool golden_input = false;   ///< of the first input
    bool golden_output = false;  ///< of the node itself
    bool golden_inputs = false;  ///< of all inputs
};

/// Floats of a pair, as a node's change is held.
struct ChangeFloats
{
    std::int64_t in = 0;             ///< of the first input
    std::int64_t out = 0;            ///< of the node
    std::int64_t inputs = 0;         ///< of all inputs, as the node takes them
    bool one_channel = false;        ///< the first input changes in one channel
    const TorchNode& node;           ///< what was prepared
    const ValueForm& input_form;     ///< of the first input
    std::int64_t output_pixels = 0;  ///< of a channel
};

#define FLIPSTORM_ON_TORCH(Op)                                                         \
    [[nodiscard]] torch::Tensor value_on_torch(const Op& op, const ValueStep& step);   \
    void prepare_on_torch(const Op& op, const TorchPrepare& from, TorchNode& node);    \
    [[nodiscard]] torch::Tensor change_on_torch(const Op& op, const ChangeStep& step); \
    [[nodiscard]] TorchTraits torch_traits(const Op& op);                              \
    [[nodiscard]] std::int64_t temporary_floats(const Op& op, const ChangeFloats& floats);

FLIPSTORM_ON_TORCH(InputOp)
FLIPSTORM_ON_TORCH(Conv2dOp)
FLIPSTORM_ON_TORCH(LinearOp)
FLIPSTORM_ON_TORCH(BatchNormOp)
FLIPSTORM_ON_TORCH(ReluOp)
FLIPSTORM_ON_TORCH(Relu6Op)
FLIPSTORM_ON_TORCH(MaxPool2dOp)
FLIPSTORM_ON_TORCH(AvgPool2dOp)
FLIPSTORM_ON_TORCH(GlobalAvgPoolOp)
FLIPSTORM_ON_TORCH(AddOp)
FLIPSTORM_ON_TORCH(PadOp)
FLIPSTORM_ON_TORCH(SliceOp)
FLIPSTORM_ON_TORCH(ConcatOp)
FLIPSTORM_ON_TORCH(FlattenOp)
FLIPSTORM_ON_TORCH(SigmoidOp)
FLIPSTORM_ON_TORCH(SiluOp)
FLIPSTORM_ON_TORCH(MulOp)

#undef FLIPSTORM_ON_TORCH

}  // namespace flipstorm
