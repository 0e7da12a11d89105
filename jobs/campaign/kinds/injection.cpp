#include "jobs/campaign/kinds/injection.hpp"

#include <utility>

#include "jobs/bench/bench_transient.hpp"
#include "jobs/bench/weight_bench.hpp"
#include "jobs/campaign/kinds/protected.hpp"
#include "jobs/campaign/kinds/protected_rows.hpp"
#include "jobs/campaign/kinds/protected_work.hpp"
#include "jobs/campaign/kinds/transient.hpp"
#include "jobs/campaign/kinds/transient_rows.hpp"
#include "jobs/campaign/kinds/transient_work.hpp"
#include "jobs/campaign/kinds/weight_rows.hpp"
#include "jobs/campaign/kinds/weight_work.hpp"
#include "jobs/cost/transient_plan_text.hpp"
#include "jobs/cost/weight_plan_text.hpp"

namespace flipstorm
{
namespace
{

/// The one of three functions that takes a campaign's faults.
template<class OfWeights, class OfTransient, class OfProtected>
struct ByKind : OfWeights, OfTransient, OfProtected
{
    using OfWeights::operator();
    using OfTransient::operator();
    using OfProtected::operator();
};

template<class OfWeights, class OfTransient, class OfProtected>
auto by_kind(const Campaign& campaign, OfWeights of_weights, OfTransient of_transient,
             OfProtected of_protected)
{
    return std::visit(ByKind<OfWeights, OfTransient, OfProtected>{of_weights, of_transient, of_protected},
                      campaign.faults->by_kind());
}

}  // namespace

std::unique_ptr<ChunkWork> work_of(const Context& context, const Campaign& campaign)
{
    return by_kind(
        campaign, [&](const WeightFaults* faults) { return weight_work(context, campaign, *faults); },
        [&](const TransientFaults* faults) {
            return transient_work(context, campaign, faults->transient_plan());
        },
        [&](const ProtectedFaults* faults) { return protected_work(context, campaign, *faults); });
}

void write_harvest(const Context& context, const Campaign& campaign, const Golden& golden, Harvest harvest)
{
    by_kind(
        campaign,
        [&](const WeightFaults* faults) {
            write_weight_campaign(context, campaign, *faults, golden, std::move(harvest));
        },
        [&](const TransientFaults* faults) {
            write_transient_campaign_of(context, campaign, faults->kind(), faults->transient_plan(), golden,
                                        std::move(harvest));
        },
        [&](const ProtectedFaults* faults) {
            write_protected_campaign(context, campaign, *faults, golden, std::move(harvest));
        });
}

std::string describe_faults(const Context& context, const Campaign& campaign, bool trained,
                            const StopRequest& stop)
{
    return by_kind(
        campaign, [&](const WeightFaults*) { return describe_weight_plan(context, campaign, trained, stop); },
        [&](const TransientFaults* faults) {
            return describe_transient_plan(context.job, campaign, faults->transient_plan(),
                                           faults->kind().describe_rules(context.job.transient));
        },
        [&](const ProtectedFaults* faults) { return describe_protected_plan(context, *faults); });
}

StageEnd bench_faults(const Context& context, const Campaign& campaign,
                      const std::vector<EvaluationMode>& modes, const StopRequest& stop)
{
    return by_kind(
        campaign, [&](const WeightFaults*) { return run_weight_bench(context, campaign, modes, stop); },
        [&](const TransientFaults* faults) {
            return run_transient_bench(context, campaign, faults->transient_plan(), modes);
        },
        [](const ProtectedFaults*) -> StageEnd {
            throw JobError(
                "bench does not time faults in a protected memory: most of them change nothing. Time "
                "campaign.target = \"weights\"");
        });
}

}  // namespace flipstorm
