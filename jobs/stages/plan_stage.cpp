// `plan` and --dry-run: what a campaign would do, before it does it.

#include <memory>

#include "engine/base/printable_text.hpp"
#include "engine/base/standard_output.hpp"
#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/kinds/injection.hpp"
#include "jobs/resolve/inputs.hpp"
#include "jobs/resolve/stoppable.hpp"
#include "jobs/stages/stages.hpp"

namespace flipstorm
{
namespace
{

/// \throws Stopped
std::string describe_plan(const Context& context, const StopRequest& stop)
{
    const Job& job = context.job;
    const bool trained = std::filesystem::exists(context.model_file());
    Network network = trained ? load_network(context.model_file()) : fresh_network(job, load_dataset(job));
    stop_if_asked(stop);
    const std::unique_ptr<Campaign> campaign = plan_campaign(job, std::move(network));
    return describe_faults(context, *campaign, trained, stop);
}

}  // namespace

StageEnd print_plan(const Context& context)
{
    return on_root_until_stopped(context, {"a plan keeps nothing", {}}, [&](const StopRequest& stop) {
        print_result("{}", printable(describe_plan(context, stop), TextLines::many));
        return StageEnd::complete;
    });
}

}  // namespace flipstorm
