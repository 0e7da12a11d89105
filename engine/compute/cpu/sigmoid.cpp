#include <cmath>

#include "engine/compute/cpu/elementwise.hpp"

namespace flipstorm
{
namespace
{

float sigmoid(float x)
{
    return 1 / (1 + std::exp(-x));
}

}  // namespace

CpuTraits cpu_traits(const SigmoidOp& /*op*/)
{
    return elementwise_traits();
}

bool renames_on_cpu(const SigmoidOp& /*op*/, const NativeStep& /*step*/)
{
    return false;
}

void prepare_on_cpu(const SigmoidOp& /*op*/, const PrepareContext& /*context*/, NativeNode& /*node*/) {}

void change_on_cpu(const SigmoidOp& /*op*/, ChangeBatch& batch, const NativeStep& step)
{
    elementwise_change(batch, step, sigmoid);
}

void box_on_cpu(const SigmoidOp& /*op*/, const BoxStep& step)
{
    elementwise_box(step, sigmoid);
}

}  // namespace flipstorm
