#include <limits>

#include "engine/compute/cpu/elementwise.hpp"

namespace flipstorm
{

CpuTraits cpu_traits(const ReluOp& /*op*/)
{
    return elementwise_traits();
}

bool renames_on_cpu(const ReluOp& /*op*/, const NativeStep& /*step*/)
{
    return false;
}

void prepare_on_cpu(const ReluOp& /*op*/, const PrepareContext& /*context*/, NativeNode& /*node*/) {}

void change_on_cpu(const ReluOp& /*op*/, ChangeBatch& batch, const NativeStep& step)
{
    clipped_change(batch, step, std::numeric_limits<float>::infinity());
}

void box_on_cpu(const ReluOp& /*op*/, const BoxStep& step)
{
    elementwise_box(step, [](float x) { return x < 0 ? 0.0F : x; });  // a NaN stays one
}

}  // namespace flipstorm
