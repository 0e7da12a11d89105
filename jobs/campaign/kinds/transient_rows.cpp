#include "jobs/campaign/kinds/transient_rows.hpp"

#include <algorithm>

#include "jobs/campaign/campaign_output.hpp"
#include "jobs/campaign/transient_codec.hpp"

namespace flipstorm
{
namespace
{

TransientHeader transient_header(const Context& context, const Campaign& campaign, const TransientKind& kind,
                                 const TransientPlan& plan, const Golden& golden, const Harvest& harvest)
{
    TransientHeader header;
    header.campaign = make_header(context, campaign, golden, harvest);
    header.campaign.fault_model = "transient";
    header.campaign.upset_bits = 0;
    header.images_per_fault = plan.images_per_fault();
    header.images_listed = header.images_per_fault == golden.images() ? 1 : header.images_per_fault;
    std::int64_t channels = 1;
    std::int64_t positions = 1;
    for (const InjectableLayer& layer : campaign.layers())
    {
        const Shape& shape = campaign.network.graph.node(layer.node).shape;
        header.layer_height.push_back(shape.size() == 3 ? static_cast<std::int32_t>(shape[1]) : 1);
        header.layer_width.push_back(shape.size() == 3 ? static_cast<std::int32_t>(shape[2]) : 1);
        channels = std::max(channels, shape[0]);
        positions = std::max(positions, elements(shape) / shape[0]);
    }
    kind.complete(header, context.job.transient, channels, positions);
    return header;
}

/// The rows of a share of /faults, from the plan alone.
TransientFaultTable fault_rows(const TransientPlan& plan, const TransientHeader& header,
                               const RowShare& share)
{
    TransientFaultTable table;
    for (std::uint64_t i = share.begin; i < share.end; ++i)
    {
        const TransientStrike strike = plan.strike(FaultIndex(i));
        table.stratum.push_back(strike.stratum.value());
        table.layer.push_back(strike.layer.value());
        if (strike.images.size() == header.campaign.images)
            table.image.push_back(-1);
        else
            for (const std::int64_t image : strike.images)
                table.image.push_back(static_cast<std::int32_t>(image));
        std::visit([&](const auto& fault) { add_row(table, header, fault); }, strike.fault);
    }
    return table;
}

}  // namespace

void write_transient_campaign_of(const Context& context, const Campaign& campaign, const TransientKind& kind,
                                 const TransientPlan& plan, const Golden& golden, Harvest harvest)
{
    const TransientHeader header = transient_header(context, campaign, kind, plan, golden, harvest);
    const CampaignRows rows(campaign.plan(), harvest.chunks);  // all of them: a row is a fault's number
    const RowShare share = row_share(context, rows);
    TransientOutcomeTable outcomes;
    outcomes.resize(share.size());
    for_each_outcome(context, campaign, rows, std::move(harvest.done),
                     [&](std::uint64_t row, const ChunkRecord& record, std::size_t i) {
                         const Outcome& outcome = record.outcomes[i];
                         const TransientOutcome seen{outcome.tally, record.masked[i], outcome.drop};
                         const std::uint64_t at = row - share.begin;
                         outcomes.evaluated[at] = seen.tally.evaluated;
                         outcomes.correct[at] = seen.tally.correct;
                         outcomes.mismatches[at] = seen.tally.mismatches;
                         outcomes.nonfinite[at] = seen.tally.nonfinite;
                         outcomes.masked[at] = seen.masked;
                         outcomes.tolerable[at] = seen.tolerable();
                         outcomes.drop[at] = seen.drop;
                     });
    write_transient_campaign(context.file("campaign.h5"), header, fault_rows(plan, header, share), outcomes,
                             share.begin, rows.size(), context.world.handle());
}

}  // namespace flipstorm
