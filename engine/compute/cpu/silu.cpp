#include <cmath>

#include "engine/compute/cpu/elementwise.hpp"

namespace flipstorm
{
namespace
{

float silu(float x)
{
    return x / (1 + std::exp(-x));
}

}  // namespace

CpuTraits cpu_traits(const SiluOp& /*op*/)
{
    return elementwise_traits();
}

bool renames_on_cpu(const SiluOp& /*op*/, const NativeStep& /*step*/)
{
    return false;
}

void prepare_on_cpu(const SiluOp& /*op*/, const PrepareContext& /*context*/, NativeNode& /*node*/) {}

void change_on_cpu(const SiluOp& /*op*/, ChangeBatch& batch, const NativeStep& step)
{
    elementwise_change(batch, step, silu);
}

void box_on_cpu(const SiluOp& /*op*/, const BoxStep& step)
{
    elementwise_box(step, silu);
}

}  // namespace flipstorm
