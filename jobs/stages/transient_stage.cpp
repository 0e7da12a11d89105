// Transient faults in the stages: campaign.h5 with their outcomes, and their report.

#include "analysis/transient_report.hpp"
#include "engine/base/durable_file.hpp"
#include "engine/base/log.hpp"
#include "engine/base/printable_text.hpp"
#include "engine/base/sha256.hpp"
#include "engine/base/standard_output.hpp"
#include "hdf5_schema/transient_campaign_file.hpp"
#include "jobs/campaign/campaign_output.hpp"
#include "jobs/campaign/transient_codec.hpp"
#include "jobs/stages/stages.hpp"

namespace flipstorm
{
namespace
{

/// numpy.packbits of the listed bits, into `bytes` zero bytes.
void pack(const std::vector<std::int64_t>& bits, std::uint8_t* bytes)
{
    for (const std::int64_t bit : bits)
        bytes[bit / 8] =
            static_cast<std::uint8_t>(bytes[bit / 8] | (0x80U >> static_cast<unsigned>(bit % 8)));
}

TransientHeader transient_header(const Context& context, const Campaign& campaign, const Golden& golden,
                                 const Harvest& harvest)
{
    TransientHeader header;
    header.campaign = make_header(context, campaign, golden, harvest);
    header.images_per_fault = campaign.transient->images_per_fault();
    header.images_listed = header.images_per_fault == golden.images() ? 1 : header.images_per_fault;
    std::int64_t channels = 1;
    std::int64_t positions = 1;
    for (const InjectableLayer& layer : campaign.layers)
    {
        const Shape& shape = campaign.network.graph.node(layer.node).shape;
        header.layer_height.push_back(shape.size() == 3 ? static_cast<std::int32_t>(shape[1]) : 1);
        header.layer_width.push_back(shape.size() == 3 ? static_cast<std::int32_t>(shape[2]) : 1);
        channels = std::max(channels, shape[0]);
        positions = std::max(positions, elements(shape) / shape[0]);
    }
    const auto bytes = [](std::int64_t bits) { return static_cast<std::uint64_t>((bits + 7) / 8); };
    if (const auto* rules = std::get_if<FeatureMapRules>(&campaign.transient->rules()))
    {
        header.combine = to_string(rules->combine);
        header.channel_bytes = bytes(channels);
        const bool scattered =
            std::count(rules->geometries.begin(), rules->geometries.end(), Geometry::random) > 0;
        header.position_bytes = scattered ? bytes(positions) : 1;
    }
    else
    {
        header.instruction = context.job.transient.instruction;
    }
    return header;
}

void add_row(TransientFaultTable& table, const TransientHeader& header, const FeatureMapFault& fault)
{
    const FaultRegion& region = fault.region;
    table.value.push_back(fault.value);
    table.geometry.push_back(static_cast<std::uint8_t>(fault.geometry));
    table.row.push_back(static_cast<std::int32_t>(region.row_begin));
    table.column.push_back(static_cast<std::int32_t>(region.column_begin));
    table.height.push_back(static_cast<std::int32_t>(region.row_end - region.row_begin));
    table.width.push_back(static_cast<std::int32_t>(region.column_end - region.column_begin));
    table.channel_mask.resize(table.channel_mask.size() + header.channel_bytes, 0);
    pack(region.channels, &table.channel_mask[table.channel_mask.size() - header.channel_bytes]);
    table.position_mask.resize(table.position_mask.size() + header.position_bytes, 0);
    pack(region.positions, &table.position_mask[table.position_mask.size() - header.position_bytes]);
}

void add_row(TransientFaultTable& table, const TransientHeader& /*header*/, const InstructionFault& fault)
{
    constexpr std::uint8_t kNone = 255;
    table.value.push_back(fault.value);
    table.element.push_back(fault.element);
    table.step.push_back(fault.step);
    table.bit.push_back(fault.bit < 0 ? kNone : static_cast<std::uint8_t>(fault.bit));
}

/// The rows [begin, end) of /faults, from the plan alone.
TransientFaultTable fault_rows(const Campaign& campaign, const TransientHeader& header, std::uint64_t begin,
                               std::uint64_t end)
{
    TransientFaultTable table;
    for (std::uint64_t i = begin; i < end; ++i)
    {
        const TransientStrike strike = campaign.transient->strike(FaultIndex(i));
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

void write_transient_outcomes(const Context& context, const Campaign& campaign, const Golden& golden,
                              const Harvest& harvest)
{
    const Plan& plan = *campaign.plan;
    const CampaignRows rows(plan, harvest.chunks);  // all of them: a row is a fault's number
    const std::uint64_t begin = first_row_of(rows.size(), context.world.rank(), context.world.size());
    const std::uint64_t end = first_row_of(rows.size(), context.world.rank() + 1, context.world.size());
    const TransientHeader header = transient_header(context, campaign, golden, harvest);
    TransientOutcomeTable outcomes;
    outcomes.resize(end - begin);
    for (const JournalEntry& entry : to_row_owners(context, plan, rows, harvest.entries))
    {
        const Chunk& chunk = plan.chunks()[entry.chunk.value()];
        const std::vector<TransientOutcome> decoded =
            decode_transient(entry.bytes, chunk.count, header.images_per_fault);
        for (std::uint64_t i = 0; i < chunk.count; ++i)
        {
            const std::uint64_t row = chunk.first.value() + i;
            if (row < begin || row >= end) continue;
            const TransientOutcome& outcome = decoded[i];
            outcomes.evaluated[row - begin] = outcome.tally.evaluated;
            outcomes.correct[row - begin] = outcome.tally.correct;
            outcomes.mismatches[row - begin] = outcome.tally.mismatches;
            outcomes.nonfinite[row - begin] = outcome.tally.nonfinite;
            outcomes.masked[row - begin] = outcome.masked;
            outcomes.tolerable[row - begin] = outcome.tolerable();
            outcomes.drop[row - begin] = outcome.drop;
        }
    }
    write_transient_campaign(context.file("campaign.h5"), header, fault_rows(campaign, header, begin, end),
                             outcomes, begin, plan.size(), context.world.handle());
}

StageEnd report_transient_on_root(const Context& context)
{
    const std::filesystem::path campaign_file = context.file("campaign.h5");
    need_input(campaign_file, "inject");
    const TransientCampaignRecord campaign = read_transient_campaign(campaign_file);
    const std::filesystem::path file = context.file("report.html");
    const std::string warnings = print_warnings(campaign.header.campaign);
    const std::string stamp = fmt::format("<!-- flipstorm transient report 1 {}{} -->",
                                          campaign.header.campaign.provenance.stage_sha256,
                                          warnings.empty() ? "" : " " + sha256_hex(warnings));
    std::error_code unreadable;
    const bool current = !context.fresh && std::filesystem::exists(file, unreadable) &&
                         read_file(file).find(stamp) != std::string::npos;
    if (!current)
        write_file_durably(file, render_transient_report(campaign, context.job.job.name) + stamp + "\n");
    for (const ResultTable& table : transient_tables(campaign))
        print_result("{}\n", render_text(table));
    print_result("Report: {}\n", printable(file.string()));
    flush_output();
    return StageEnd::complete;
}

}  // namespace flipstorm
