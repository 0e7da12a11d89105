#include "engine/compute/cpu/elementwise.hpp"

namespace flipstorm
{

CpuTraits cpu_traits(const Relu6Op& /*op*/)
{
    return elementwise_traits();
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
    elementwise_box(step, [](float x) {
        const float above = x < 0 ? 0.0F : x;
        return above > 6 ? 6.0F : above;
    });
}

}  // namespace flipstorm
