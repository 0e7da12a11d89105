// `plan` and --dry-run: what a campaign would do, before it does it.

#include <memory>

#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/kinds/injection.hpp"
#include "jobs/resolve/inputs.hpp"
#include "jobs/stages/stages.hpp"

namespace flipstorm
{

std::string describe_plan(const Context& context, const StopRequest& stop)
{
    const Job& job = context.job;
    const bool trained = std::filesystem::exists(context.model_file());
    Network network = trained ? load_network(context.model_file()) : fresh_network(job, load_dataset(job));
    stop_if_asked(stop);
    const std::unique_ptr<Campaign> campaign = plan_campaign(job, std::move(network));
    return describe_faults(context, *campaign, trained, stop);
}

}  // namespace flipstorm
