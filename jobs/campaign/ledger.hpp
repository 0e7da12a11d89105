#pragma once
// What the ranks have done of a campaign, and what is missing: the books of the injection loop.

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/course.hpp"
#include "jobs/campaign/progress.hpp"
#include "jobs/campaign/saved_chunks.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

struct Harvest;

/**
 * Keeps the chunks that this rank has, saved by earlier runs or computed now, and what all ranks know
 * together: which are done at which level of screening, and so how the campaign goes on (Course).
 *
 * Between two calls of follow_course() what a rank adds is known to itself only.
 */
class Ledger
{
  public:
    /// \param images  per fault \throws FileError if the journal holds what cannot be. \collective
    Ledger(const Context& context, const Campaign& campaign, std::uint64_t images, SavedChunks saved);

    /// Sum up what all ranks have done, see what is wanted next and at which level, and let go of what lower
    /// levels found. Rank 0 says which screens are given up. \collective
    void follow_course();

    /// Batches with a chunk that is not done, dearest first; the same on all ranks.
    [[nodiscard]] std::vector<Batch> missing() const { return course_.missing(done_); }

    /// All missing chunks of these batches were computed, by whichever rank.
    void mark_done(const std::vector<Batch>& batches);

    /// Keep an outcome of this rank, at the level at which its layer is screened.
    void add(ChunkId id, ChunkRecord record);

    [[nodiscard]] const Chunk& chunk(ChunkId id) const { return plan_.chunks()[id.value()]; }
    [[nodiscard]] const LayerScreening& screening(LayerId layer) const;
    [[nodiscard]] bool is_missing(ChunkId id) const;
    [[nodiscard]] std::uint64_t missing_faults(const Batch& batch) const;
    [[nodiscard]] std::size_t missing_chunks(const std::vector<Batch>& batches) const;

    /// Faults that are wanted so far, done or not.
    [[nodiscard]] std::uint64_t wanted_faults() const;
    /// Chunks that are wanted so far.
    [[nodiscard]] std::size_t wanted_chunks() const { return course_.wanted().size(); }
    /// Chunks that are done, at whatever level.
    [[nodiscard]] std::size_t found_chunks() const;
    /// Critical share among the outcomes that this rank knows and that count; none of a guided campaign,
    /// where rounds are not to be thrown together.
    [[nodiscard]] std::optional<ShareEstimate> critical() const
    {
        return plan_.budget() > 0 ? std::nullopt : critical_->estimate();
    }

    /// Put chunks, layers, sample sizes and the number of faults computed into the harvest; the ledger is
    /// empty afterwards. \collective
    void hand_over(Harvest& harvest);

  private:
    [[nodiscard]] ScreenLevel level_of(ChunkId id) const { return screening(chunk(id).layer).level; }
    [[nodiscard]] std::size_t place(ScreenLevel level, ChunkId id) const;
    void count(const DoneChunk& done);
    [[nodiscard]] std::vector<LevelTotals> totals_of_all() const;
    void announce(std::size_t layer, std::size_t trial) const;

    const Context& context_;
    const Campaign& campaign_;
    const Plan& plan_;
    DoneWork done_;  ///< by all ranks
    Course course_;
    std::vector<DoneChunk> chunks_;    ///< this rank's
    std::vector<LevelTotals> totals_;  ///< of this rank's chunks, by layer
    std::vector<std::uint64_t> hits_;  ///< of this rank's chunks, as DoneWork's
    std::vector<LayerScreening> layers_;
    std::vector<std::array<std::uint64_t, kScreenLevels>> computed_;  ///< faults, by layer and level
    std::optional<CriticalCount> critical_;                           ///< among the chunks that count
};

}  // namespace flipstorm
