#pragma once
// What the native backend does for the faults of one layer: a list of steps over a few buffers, made once.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/compute/cpu/native_network.hpp"
#include "engine/network/change_flow.hpp"

namespace flipstorm
{

/// An input of a step that changes. A node that is read twice is two inputs.
struct ChangedInput
{
    NodeId node;
    std::size_t position = 0;  ///< among the inputs of the step's node
    Extent extent = Extent::none;
    std::int32_t buffer = -1;
};

/// One node's change computed from its inputs' changes.
struct NativeStep
{
    NodeId node;
    std::vector<ChangedInput>
        inputs;                    ///< those that change; of a sum of one channel and all, all comes first
    Extent extent = Extent::none;  ///< of the node's change
    std::int32_t buffer = -1;      ///< of the node's change
    bool renamed = false;          ///< nothing to compute: the change is the input's, seen under another name
    bool product = false;          ///< of two values
    bool cut = false;              ///< a slot without any change here is done
    bool checkpoint = false;       ///< a first-order check is worth its cost here
};

/// The steps from a layer's change to the logits.
struct NativeProgram
{
    ChangeFlow flow;
    std::vector<NativeStep> steps;
    std::vector<std::int64_t> buffer_floats;  ///< by buffer, for one slot
    std::int32_t first_buffer = 0;            ///< of the layer's own change
    std::int64_t frame_floats = 0;            ///< of a framed input, for one slot
    std::int64_t batch = 0;                   ///< slots computed together
    std::vector<NodeId> golden_maps;          ///< nodes whose golden value is read channel by channel
    std::vector<NodeId> golden_slots;         ///< … as slots

    /// The last activation or max-pool that the whole change passes, still in one channel, before the first
    /// product: up to there nothing is summed, and what may overflow behind it is started anew there. The
    /// layer itself if there is none.
    NodeId restart;

    /// Bytes of the work space of one thread.
    [[nodiscard]] std::uint64_t work_bytes() const;
};

NativeProgram native_program(const NativeNetwork& network, NodeId layer);

}  // namespace flipstorm
