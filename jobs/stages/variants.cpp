#include "jobs/stages/variants.hpp"

#include "engine/base/log.hpp"
#include "jobs/stages/stages.hpp"

namespace flipstorm
{

StageEnd run_variants(const std::vector<VariantContext>& variants,
                      const std::function<StageEnd(const Context&)>& stage)
{
    for (std::size_t i = 0; i < variants.size(); ++i)
    {
        const Context& context = variants[i].context;
        if (stop_was_asked_for(context)) return StageEnd::stopped;
        log_info("variant {} of {}: {}, in {}", i + 1, variants.size(), variants[i].name,
                 context.out().string());
        if (stage(context) == StageEnd::stopped) return StageEnd::stopped;
    }
    return StageEnd::complete;
}

}  // namespace flipstorm
