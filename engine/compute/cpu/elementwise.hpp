#pragma once
// Activations on the CPU: their change is the function of the faulty value minus that of the golden one, with
// the same function for both, so that no change stays none.

#include "engine/compute/cpu/operations.hpp"

namespace flipstorm
{

[[nodiscard]] inline CpuTraits elementwise_traits()
{
    CpuTraits traits;
    traits.in_place = true;
    traits.reads_golden_input = true;
    return traits;
}

/// \param change  (golden, change, out, floats) -> whether anything of the change is left
template<class Change>
void slotwise_change(ChangeBatch& batch, const NativeStep& step, const Change& change)
{
    const NodeId input = step.inputs[0].node;
    const bool all = step.extent == Extent::everything;
    const std::int64_t floats = all ? batch.form(input).slot() : batch.form(input).map();
    batch.left().resize(batch.size());
    for (std::size_t s = 0; s < batch.size(); ++s)
    {
        const float* golden =
            all ? batch.golden_slot(input) : batch.golden_map(input, batch.channel_at(input, s));
        batch.left()[s] = static_cast<char>(
            change(golden, batch.at(step.inputs[0].buffer, s), batch.at(step.buffer, s), floats));
    }
}

/// min(max(x, 0), ceiling)
inline void clipped_change(ChangeBatch& batch, const NativeStep& step, float ceiling)
{
    const Kernels& kernels = batch.kernels();
    slotwise_change(batch, step,
                    [&](const float* golden, const float* change, float* out, std::int64_t floats) {
                        return kernels.relu(golden, change, out, floats, ceiling);
                    });
}

/// \param function  of a float; a NaN stays one
template<class Function>
void elementwise_change(ChangeBatch& batch, const NativeStep& step, const Function& function)
{
    const Kernels& kernels = batch.kernels();
    slotwise_change(
        batch, step, [&](const float* golden, const float* change, float* out, std::int64_t floats) {
            for (std::int64_t i = 0; i < floats; ++i)
                out[i] = change[i] == 0 ? 0 : function(golden[i] + change[i]) - function(golden[i]);
            return kernels.any(out, floats);
        });
}

template<class Function>
void elementwise_box(const BoxStep& step, const Function& function)
{
    step.by_row([&](const float* in, const float*, float* out, std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i)
            out[i] = function(in[i]);
    });
}

}  // namespace flipstorm
