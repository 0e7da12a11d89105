#pragma once
// What every operation of a network says of itself. A file of this folder holds one operation: a struct with
// its fields and these members; graph.hpp lists them all. A member that is missing does not compile.
//
// clang-format off
//     static constexpr const char* kName               its name in graphs' JSON
//     static constexpr Linearity kLinearity
//     static constexpr bool kKeepsForm                 of a flattened map: the value still is one
//     static constexpr bool kReadsFlat                 a flattened map can change in one channel in front of it
//     static constexpr bool kOwnScale                  where values are whole numbers times a scale: its value has one
//                                                      of its own, and is rounded; else that of its first input
//     fields(op, field)                                calls field(name, member[, default]) for each field, in the
//                                                      order of JSON and digests; one with a default is written
//                                                      only where it differs (it was added later)
//     Shape shape(NodeCheck) const                     of the output for one image; checks fields and inputs
//     vector<ParameterPart> parameters() const         in state-dict order
//     int64 macs(Shape output) const                   multiply-accumulate operations for one image
//     Spread spread(ChangedInputs) const               how far a change of one channel, or of all, goes
//     int64 changed_channels(ChangedCounts) const      an upper bound that does not ask which ones change
//     WindowGrid windows(height, width) const          of its input that an output reads
//     Gain gain(WeightedNode) const                    of any change
//     Gain gain_of_channel(WeightedNode, int64) const  of a change of one channel of its input
//     SumBound sum_bound(WeightedNode) const
// clang-format on
//
// Each backend has a file for each operation beside this one: engine/compute/*/.

#include "engine/network/operations/change.hpp"
#include "engine/network/operations/gain.hpp"
#include "engine/network/operations/node_check.hpp"

namespace flipstorm
{

/// A parameter tensor of an operation.
struct ParameterPart
{
    const char* suffix;  ///< of its state-dict name, behind the node's
    Shape shape;
    bool trainable = true;  ///< false: not touched by the optimiser
};

using ParameterParts = std::vector<ParameterPart>;

}  // namespace flipstorm
