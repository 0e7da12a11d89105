#include "jobs/campaign/saved_chunks.hpp"

#include <fmt/format.h>

#include "engine/base/error.hpp"
#include "jobs/campaign/outdated_outcomes.hpp"
#include "jobs/campaign/screening.hpp"
#include "mpi/out_lock.hpp"

namespace flipstorm
{
namespace
{

SavedChunks::Key key_of(const JournalEntry& entry)
{
    return {entry.chunk.value(), entry.level, entry.format};
}

/// Decode an entry of the journal. \return why it is of no use; empty if it is of use
std::string decode(const CampaignFaults& faults, const JournalEntry& entry, SavedChunks& saved)
{
    const std::vector<Chunk>& chunks = faults.plan().chunks();
    if (entry.chunk.value() >= chunks.size() || entry.level >= kScreenLevels)
        return fmt::format("there is no such chunk at level {}", entry.level);
    try
    {
        saved.records.emplace(key_of(entry), faults.decode(entry.bytes, chunks[entry.chunk.value()].count));
    }
    catch (const FileError& error)
    {
        return error.what();
    }
    return {};
}

}  // namespace

std::vector<DoneChunk> SavedChunks::take()
{
    std::vector<DoneChunk> chunks;
    for (const JournalEntry& entry : journal.entries)
        chunks.push_back({entry.chunk, entry.level, std::move(records.at(key_of(entry)))});
    journal.entries.clear();
    records.clear();
    return chunks;
}

SavedChunks take_up_journal(const Context& context, const Campaign& campaign)
{
    const std::filesystem::path folder = context.file("journal");
    // Nothing old is discarded before it is known that the new can be computed.
    on_root(context, [&] {
        if (context.fresh)
        {
            remove_journal(folder);
            std::filesystem::remove(context.file("campaign.h5"));
        }
        else if (context.lock != nullptr && context.lock->held())
        {
            remove_unfinished_segments(folder);
            remove_superseded(folder, campaign);
        }
        return StageEnd::complete;
    });
    SavedChunks saved;
    on_all(context.world, [&] {
        saved.journal =
            read_journal(folder, campaign.stage_sha256, context.world.rank(), context.world.size(),
                         [&](const JournalEntry& entry) { return decode(*campaign.faults, entry, saved); });
        for (JournalEntry& entry : saved.journal.entries)
            std::string().swap(entry.bytes);
    });
    drop_outdated(context, campaign, saved.journal);
    return saved;
}

}  // namespace flipstorm
