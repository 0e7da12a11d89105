#include "jobs/campaign/kinds/kind.hpp"

#include "engine/base/error.hpp"
#include "jobs/campaign/kinds/feature_maps.hpp"
#include "jobs/campaign/kinds/instructions.hpp"
#include "jobs/campaign/kinds/protected.hpp"
#include "jobs/campaign/kinds/weights.hpp"

namespace flipstorm
{

Network TargetKind::network_of(const Job& /*job*/, Network network) const
{
    return network;
}

const TargetKind& kind_of(Target target)
{
    static const WeightKind weights;
    static const FeatureMapKind feature_maps;
    static const InstructionKind instructions;
    static const ProtectedKind protected_memory;
    switch (target)
    {
        case Target::weights:
            return weights;
        case Target::feature_maps:
            return feature_maps;
        case Target::instructions:
            return instructions;
        case Target::protected_memory:
            return protected_memory;
    }
    throw Error("target {} has no kind", static_cast<int>(target));
}

const TargetKind& kind_of(const Job& job)
{
    return kind_of(target_of(job).target);
}

const TargetKind& kind_named(const std::string& target)
{
    return kind_of(target_named(target).target);
}

}  // namespace flipstorm
