#include "jobs/campaign/kinds/weight_rows.hpp"

#include <cmath>

#include "jobs/campaign/campaign_output.hpp"
#include "jobs/campaign/kinds/weights.hpp"

namespace flipstorm
{

void write_memory_campaign(const Context& context, const Campaign& campaign, const Golden& golden,
                           Harvest harvest, const MemoryRows& fill, const std::string& memory_sha256,
                           const SiteTable& sites)
{
    CampaignHeader header = make_header(context, campaign, golden, harvest);
    const CampaignTable& table = context.job.campaign;
    const UpsetModel upset = upset_model(table.fault_model, table.upset_bits);
    header.fault_model = to_string(upset.model);
    header.upset_bits = upset.bits;
    header.memory_sha256 = memory_sha256;
    header.sites = sites;
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
    FaultTable faults;
    faults.resize(share.size());
    for (std::uint64_t i = 0; i < share.size(); ++i)
    {
        const FaultIndex index = rows.fault(share.begin + i);
        const WeightFault fault = campaign.plan().fault(index);
        faults.stratum[i] = strata.row_of(index, fault.stratum);
        faults.layer[i] = fault.layer.value();
        faults.parameter[i] = fault.parameter;
        const InjectableLayer& layer = campaign.layers()[static_cast<std::size_t>(fault.layer.value())];
        const auto channel = static_cast<std::int64_t>(fault.parameter) / layer.kernel_elements;
        faults.out_channel[i] = static_cast<std::int32_t>(channel / layer.in_channels);
        faults.in_channel[i] = static_cast<std::int32_t>(channel % layer.in_channels);
        faults.bit[i] = static_cast<std::uint8_t>(fault.bit);
        faults.mask[i] = stored_mask(fault.word);
        faults.effect[i] = static_cast<std::uint8_t>(fault.word.effect);
        fill(index, faults, outcomes, i);
    }
    if (campaign.plan().budget() > 0)
    {
        for (const std::int32_t stratum : faults.stratum)
        {
            const auto s = static_cast<std::size_t>(stratum);
            faults.weight.push_back(static_cast<double>(strata.table().population[s]) /
                                    static_cast<double>(strata.table().evaluated[s]));
        }
    }
    write_campaign(context.file("campaign.h5"), header, faults, outcomes, share.begin, rows.size(),
                   context.world.handle());
}

namespace
{

/// All sites of the faults of a list; none if they were drawn.
SiteTable sites_of(const WeightFaults& faults)
{
    SiteTable table;
    for (std::size_t row = 0; row < faults.listed().size(); ++row)
    {
        const ListedFault& fault = faults.listed()[row];
        for (const ListedSite& site : fault.sites)
        {
            table.row.push_back(row);
            table.fault.push_back(fault.id);
            table.layer.push_back(site.layer.value());
            table.parameter.push_back(site.parameter);
            table.mask.push_back(site.mask);
        }
    }
    return table;
}

}  // namespace

void write_weight_campaign(const Context& context, const Campaign& campaign, const WeightFaults& faults,
                           const Golden& golden, Harvest harvest)
{
    write_memory_campaign(
        context, campaign, golden, std::move(harvest),
        [&](FaultIndex index, FaultTable& table, OutcomeTable& /*outcomes*/, std::uint64_t row) {
            const FaultyWeight weight =
                faulty_weight(campaign.network, campaign.layers(), campaign.plan(), index);
            table.sign[row] = std::signbit(weight.before) ? 1 : 0;
            table.value_before[row] = weight.before;
            table.value_after[row] = weight.after;
        },
        {}, sites_of(faults));
}

}  // namespace flipstorm
