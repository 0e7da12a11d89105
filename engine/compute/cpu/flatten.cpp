#include "engine/compute/cpu/operations.hpp"

namespace flipstorm
{

CpuTraits cpu_traits(const FlattenOp& /*op*/)
{
    return {};
}

/// A flattened value lies in memory as what was flattened.
bool renames_on_cpu(const FlattenOp& /*op*/, const NativeStep& /*step*/)
{
    return true;
}

void prepare_on_cpu(const FlattenOp& /*op*/, const PrepareContext& /*context*/, NativeNode& /*node*/) {}
void change_on_cpu(const FlattenOp& /*op*/, ChangeBatch& /*batch*/, const NativeStep& /*step*/) {}
void box_on_cpu(const FlattenOp& /*op*/, const BoxStep& /*step*/) {}

}  // namespace flipstorm
