#pragma once
// What the native backend knows of each operation: for every one, in a file of its own beside this header,
//
//     cpu_traits       how its change is computed, for the plan of buffers
//     renames_on_cpu   whether its change is its input's, seen under another name
//     prepare_on_cpu   what its kernels need of a node
//     change_on_cpu    its value's change from its inputs', for a batch of faults
//     box_on_cpu       a box of its value from its inputs'
//
// An operation that lacks one does not compile where std::visit calls it.

#include "engine/compute/cpu/box_step.hpp"
#include "engine/compute/cpu/change_batch.hpp"

namespace flipstorm
{

/// How an operation treats changes.
struct CpuTraits
{
    bool in_place = false;             ///< the output may overwrite the first input, element by element
    bool any_order = false;            ///< of its inputs: those that change in all channels are taken first
    bool reads_golden_input = false;   ///< the golden value of its first input
    bool reads_golden_output = false;  ///< its own golden value
    bool reads_all_golden = false;     ///< the golden values of all inputs, held as its own change is
};

/// A node that is to be prepared.
struct PrepareContext
{
    const Network& network;
    const Node& node;
    const PaddedForm& input;  ///< form of its first input
    const Kernels& kernels;

    [[nodiscard]] const std::vector<float>& parameter(const char* suffix) const
    {
        return network.values(node, suffix);
    }
};

/// Values, padded with zeros to whole vectors.
[[nodiscard]] std::vector<float> padded_values(const std::vector<float>& values);

#define FLIPSTORM_ON_CPU(Op)                                                                               \
    [[nodiscard]] CpuTraits cpu_traits(const Op& op);                                                      \
    /** Whether a step only gives the change of an input another name. */                                  \
    [[nodiscard]] bool renames_on_cpu(const Op& op, const NativeStep& step);                               \
    void prepare_on_cpu(const Op& op, const PrepareContext& context, NativeNode& node);                    \
    /** For all slots of a batch; marks in `left` whether anything of a change is left where that may end. \
     */                                                                                                    \
    void change_on_cpu(const Op& op, ChangeBatch& batch, const NativeStep& step);                          \
    void box_on_cpu(const Op& op, const BoxStep& step);

FLIPSTORM_ON_CPU(InputOp)
FLIPSTORM_ON_CPU(Conv2dOp)
FLIPSTORM_ON_CPU(LinearOp)
FLIPSTORM_ON_CPU(BatchNormOp)
FLIPSTORM_ON_CPU(ReluOp)
FLIPSTORM_ON_CPU(Relu6Op)
FLIPSTORM_ON_CPU(MaxPool2dOp)
FLIPSTORM_ON_CPU(AvgPool2dOp)
FLIPSTORM_ON_CPU(GlobalAvgPoolOp)
FLIPSTORM_ON_CPU(AddOp)
FLIPSTORM_ON_CPU(PadOp)
FLIPSTORM_ON_CPU(SliceOp)
FLIPSTORM_ON_CPU(ConcatOp)
FLIPSTORM_ON_CPU(FlattenOp)
FLIPSTORM_ON_CPU(SigmoidOp)
FLIPSTORM_ON_CPU(SiluOp)
FLIPSTORM_ON_CPU(MulOp)

#undef FLIPSTORM_ON_CPU

}  // namespace flipstorm
