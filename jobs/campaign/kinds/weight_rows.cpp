#include "jobs/campaign/kinds/weight_rows.hpp"

#include <cmath>

#include "jobs/campaign/campaign_output.hpp"
#include "jobs/campaign/kinds/weights.hpp"

namespace flipstorm
{
namespace
{

/// The rows [first, first + count) of /faults, from the plan alone.
FaultTable fault_rows(const Campaign& campaign, const FileStrata& strata, const CampaignRows& rows,
                      std::uint64_t first, std::uint64_t count)
{
    FaultTable table;
    table.resize(count);
    for (std::uint64_t i = 0; i < count; ++i)
    {
        const FaultIndex index = rows.fault(first + i);
        const FaultyWeight weight =
            faulty_weight(campaign.network, campaign.layers(), campaign.plan(), index);
        const WeightFault& fault = weight.fault;
        const InjectableLayer& layer = campaign.layers()[static_cast<std::size_t>(fault.layer.value())];
        const auto channel = static_cast<std::int64_t>(fault.parameter) / layer.kernel_elements;
        table.stratum[i] = strata.row_of(index, fault.stratum);
        table.layer[i] = fault.layer.value();
        table.parameter[i] = fault.parameter;
        table.out_channel[i] = static_cast<std::int32_t>(channel / layer.in_channels);
        table.in_channel[i] = static_cast<std::int32_t>(channel % layer.in_channels);
        table.bit[i] = static_cast<std::uint8_t>(fault.bit);
        table.mask[i] = stored_mask(fault.word);
        table.effect[i] = static_cast<std::uint8_t>(fault.word.effect);
        table.sign[i] = std::signbit(weight.before) ? 1 : 0;
        table.value_before[i] = weight.before;
        table.value_after[i] = weight.after;
    }
    if (campaign.plan().budget() > 0)
    {
        for (const std::int32_t stratum : table.stratum)
        {
            const auto s = static_cast<std::size_t>(stratum);
            table.weight.push_back(static_cast<double>(strata.table().population[s]) /
                                   static_cast<double>(strata.table().evaluated[s]));
        }
    }
    return table;
}

}  // namespace

void write_weight_campaign(const Context& context, const Campaign& campaign, const Golden& golden,
                           Harvest harvest)
{
    CampaignHeader header = make_header(context, campaign, golden, harvest);
    const CampaignTable& table = context.job.campaign;
    const UpsetModel upset = upset_model(table.fault_model, table.upset_bits);
    header.fault_model = to_string(upset.model);
    header.upset_bits = upset.bits;
    const CampaignRows rows(campaign.plan(), harvest.chunks);
    const FileStrata strata(campaign.plan(), harvest.planned, harvest.evaluated, harvest.known);
    const RowShare share = row_share(context, rows);
    OutcomeTable outcomes;
    outcomes.resize(share.size());
    for_each_outcome(context, campaign, rows, std::move(harvest.done),
                     [&](std::uint64_t row, const ChunkRecord& record, std::size_t i) {
                         const Outcome& outcome = record.outcomes[i];
                         const std::uint64_t at = row - share.begin;
                         outcomes.evaluated[at] = outcome.tally.evaluated;
                         outcomes.correct[at] = outcome.tally.correct;
                         outcomes.mismatches[at] = outcome.tally.mismatches;
                         outcomes.nonfinite[at] = outcome.tally.nonfinite;
                         outcomes.stopped[at] = outcome.stopped ? 1 : 0;
                         outcomes.drop[at] = outcome.drop;
                     });
    write_campaign(context.file("campaign.h5"), header,
                   fault_rows(campaign, strata, rows, share.begin, share.size()), outcomes, share.begin,
                   rows.size(), context.world.handle());
}

}  // namespace flipstorm
