#include "engine/compute/cpu/clipped.hpp"

namespace flipstorm
{

CpuTraits cpu_traits(const Relu6Op& /*op*/)
{
    return clipped_traits();
}

bool renames_on_cpu(const Relu6Op& /*op*/, const NativeStep& /*step*/)
{
    return false;
}

void prepare_on_cpu(const Relu6Op& /*op*/, const PrepareContext& /*context*/, NativeNode& /*node*/) {}

void change_on_cpu(const Relu6Op& /*op*/, ChangeBatch& batch, const NativeStep& step)
{
    clipped_change(batch, step, 6);
}

void box_on_cpu(const Relu6Op& /*op*/, const BoxStep& step)
{
    step.by_row([](const float* in, const float*, float* out, std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i)
        {
            const float x = in[i] < 0 ? 0 : in[i];
            out[i] = x > 6 ? 6 : x;
        }
    });
}

}  // namespace flipstorm
