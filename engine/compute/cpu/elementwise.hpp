#pragma once
// Smooth activations on the CPU: their change is the function of the faulty value minus that of the golden
// one, with the same function for both, so that no change stays none.

#include "engine/compute/cpu/operations.hpp"

namespace flipstorm
{

/// \param function  of a float; a NaN stays one
template<class Function>
void elementwise_change(ChangeBatch& batch, const NativeStep& step, const Function& function)
{
    const NodeId input = step.inputs[0].node;
    const bool all = step.extent == Extent::everything;
    const std::int64_t floats = all ? batch.form(input).slot() : batch.form(input).map();
    batch.left().resize(batch.size());
    for (std::size_t s = 0; s < batch.size(); ++s)
    {
        const float* golden =
            all ? batch.golden_slot(input) : batch.golden_map(input, batch.channel_at(input, s));
        const float* from = batch.at(step.inputs[0].buffer, s);
        float* to = batch.at(step.buffer, s);
        for (std::int64_t i = 0; i < floats; ++i)
            to[i] = from[i] == 0 ? 0 : function(golden[i] + from[i]) - function(golden[i]);
        batch.left()[s] = static_cast<char>(batch.kernels().any(to, floats));
    }
}

template<class Function>
void elementwise_box(const BoxStep& step, const Function& function)
{
    step.by_row([&](const float* in, const float*, float* out, std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i)
            out[i] = function(in[i]);
    });
}

[[nodiscard]] inline CpuTraits elementwise_traits()
{
    CpuTraits traits;
    traits.in_place = true;
    traits.reads_golden_input = true;
    return traits;
}

}  // namespace flipstorm
