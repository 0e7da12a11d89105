#include "jobs/campaign/campaign_output.hpp"

#include <algorithm>

#include "jobs/campaign/outcome_codec.hpp"

namespace flipstorm
{
namespace
{

RowShare share_of_rank(std::uint64_t rows, int rank, int size)
{
    const auto first = [=](int r) {
        return rows / static_cast<std::uint64_t>(size) * static_cast<std::uint64_t>(r) +
               std::min<std::uint64_t>(static_cast<std::uint64_t>(r),
                                       rows % static_cast<std::uint64_t>(size));
    };
    return {first(rank), first(rank + 1)};
}

bool overlap(const RowShare& share, const RowShare& chunk)
{
    return chunk.begin < share.end && chunk.end > share.begin;
}

}  // namespace

RowShare row_share(const Context& context, const CampaignRows& rows)
{
    return share_of_rank(rows.size(), context.world.rank(), context.world.size());
}

void for_each_outcome(const Context& context, const Campaign& campaign, const CampaignRows& rows,
                      std::vector<DoneChunk> chunks,
                      const std::function<void(std::uint64_t, const ChunkRecord&, std::size_t)>& take)
{
    const Communicator& world = context.world;
    const RowShare mine = row_share(context, rows);
    const auto count_of = [&](ChunkId chunk) { return campaign.plan().chunks()[chunk.value()].count; };
    const auto rows_of = [&](ChunkId chunk) {
        const std::uint64_t first = rows.first_row(chunk);
        return RowShare{first, first + count_of(chunk)};
    };
    const auto take_chunk = [&](ChunkId chunk, const ChunkRecord& record) {
        const RowShare here = rows_of(chunk);
        for (std::uint64_t row = std::max(here.begin, mine.begin); row < std::min(here.end, mine.end); ++row)
            take(row, record, static_cast<std::size_t>(row - here.begin));
    };
    std::vector<std::string> per_rank;
    for (int rank = 0; rank < world.size(); ++rank)
    {
        const RowShare theirs = share_of_rank(rows.size(), rank, world.size());
        std::vector<JournalEntry> wanted;
        for (const DoneChunk& chunk : chunks)
        {
            if (rank != world.rank() && overlap(theirs, rows_of(chunk.chunk)))
                wanted.push_back({chunk.chunk, campaign.faults->encode(chunk.record), chunk.level});
        }
        per_rank.push_back(encode_entries(wanted));
    }
    for (const DoneChunk& chunk : chunks)
        take_chunk(chunk.chunk, chunk.record);
    chunks.clear();
    for (const std::string& bytes : world.exchange(std::move(per_rank)))
    {
        for (const JournalEntry& entry : decode_entries(bytes))
            take_chunk(entry.chunk, campaign.faults->decode(entry.bytes, count_of(entry.chunk)));
    }
}

ScreenRecord screen_record(const Campaign& campaign, const std::vector<LayerScreening>& layers)
{
    const ScreenPolicy& policy = campaign.policy;
    ScreenRecord record;
    if (policy.screened)
    {
        record.kappa = policy.kappa;
        record.tau = policy.tau;
        record.screen_bound = policy.bound;
    }
    ScreenTable& table = record.trials;
    for (std::size_t l = 0; l < layers.size(); ++l)
    {
        for (const ScreenTrial& trial : layers[l].trials)
        {
            const bool exact = trial.level == ScreenLevel::exact;
            table.layer.push_back(static_cast<std::int32_t>(l));
            table.level.push_back(static_cast<std::uint8_t>(trial.level));
            table.kappa.push_back(exact ? 0 : trial.screen.kappa);
            table.tau.push_back(trial.screen.tau);
            table.audit_share.push_back(trial.screen.audit_share);
            table.pairs.push_back(trial.pairs);
            table.screened.push_back(trial.totals.screened);
            table.audited.push_back(trial.totals.audited);
            table.disagreements.push_back(trial.totals.disagreements);
            table.bound95.push_back(trial.bound95);
            table.kept.push_back(trial.kept ? 1 : 0);
            if (!trial.kept) continue;
            record.pairs += trial.pairs;
            record.screened += trial.totals.screened;
            record.audited += trial.totals.audited;
            record.disagreements += trial.totals.disagreements;
            record.bound95 = std::max(record.bound95, trial.bound95);
        }
    }
    return record;
}

CampaignHeader make_header(const Context& context, const Campaign& campaign, const Golden& golden,
                           const Harvest& harvest)
{
    CampaignHeader header;
    header.provenance =
        make_provenance(context, campaign.stage_sha256, campaign.model_sha256, campaign.dataset_sha256);
    header.target = context.job.campaign.target;
    header.evaluation = context.job.campaign.evaluation;
    header.tolerances = context.job.campaign.tolerances;
    header.images = golden.images();
    header.golden_correct = golden.correct;
    header.faults_per_second = harvest.faults > 0 ? static_cast<double>(harvest.faults) / harvest.seconds : 0;
    header.wall_seconds = harvest.seconds;
    const std::vector<std::string>& chosen = context.job.campaign.layers;
    for (const InjectableLayer& layer : campaign.layers())
    {
        const bool injected =
            chosen.empty() || std::find(chosen.begin(), chosen.end(), layer.name) != chosen.end();
        header.layers.injected.push_back(injected ? 1 : 0);
        header.layers.name.push_back(layer.name);
        header.layers.tensor.push_back(layer.tensor);
        header.layers.weights.push_back(layer.weights);
        header.layers.out_channels.push_back(layer.out_channels);
        header.layers.in_channels.push_back(layer.in_channels);
        header.layers.word_bits.push_back(layer.word_bits);
    }
    header.strata = FileStrata(campaign.plan(), harvest.planned, harvest.evaluated, harvest.known).table();
    header.golden.label = golden.label;
    header.golden.top1 = golden.top1;
    header.golden.margin = golden.margin;
    header.screen = screen_record(campaign, harvest.layers);
    return header;
}

}  // namespace flipstorm
