// `plan` and --dry-run: what a campaign would do, before it does it.

#include <memory>
#include <vector>

#include "engine/base/printable_text.hpp"
#include "engine/base/standard_output.hpp"
#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/kinds/injection.hpp"
#include "jobs/resolve/format_choice.hpp"
#include "jobs/resolve/inputs.hpp"
#include "jobs/resolve/stoppable.hpp"
#include "jobs/stages/stages.hpp"

namespace flipstorm
{
namespace
{

/// The network of a job that is not trained yet, in the formats that it will have.
Network untrained_network(const Job& job)
{
    const Network network = first_network(job, load_dataset(job));
    return stored_as(network, format_choice(job.model),
                     std::vector<float>(network.graph.nodes().size(), 1.0F));
}

/// \throws Stopped
std::string describe_plan(const Context& context, const StopRequest& stop)
{
    const Job& job = context.job;
    const bool trained = std::filesystem::exists(context.model_file());
    Network network = trained ? load_network_of(job, context.model_file()) : untrained_network(job);
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
