#include "engine/base/error.hpp"
#include "engine/compute/cpu/operations.hpp"

namespace flipstorm
{

CpuTraits cpu_traits(const InputOp& /*op*/)
{
    return {};
}

bool renames_on_cpu(const InputOp& /*op*/, const NativeStep& /*step*/)
{
    return false;
}

void prepare_on_cpu(const InputOp& /*op*/, const PrepareContext& /*context*/, NativeNode& /*node*/) {}

void change_on_cpu(const InputOp& /*op*/, ChangeBatch& /*batch*/, const NativeStep& /*step*/)
{
    throw Error("the images do not change");
}

void box_on_cpu(const InputOp& /*op*/, const BoxStep& /*step*/)
{
    throw Error("the images are not computed");
}

}  // namespace flipstorm
