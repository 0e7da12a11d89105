#pragma once
// How carefully the faults of each layer are screened: how many screened pairs are audited, what the audit
// proves, and what follows where it proves too little. Pure functions of the plan and of what is done, so
// that a campaign takes the same course on any number of ranks and after any interruption.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/evaluate/evaluator.hpp"
#include "engine/faults/plan.hpp"
#include "jobs/campaign/outcome_codec.hpp"
#include "jobs/job_file/job.hpp"

namespace flipstorm
{

/// How carefully a layer is screened. A layer starts as the job asks and moves on, never back, where its
/// audit does not prove the bound.
enum class ScreenLevel : std::uint8_t
{
    as_asked = 0,      ///< the job's κ and τ
    audited_more = 1,  ///< the same, with a larger share audited
    tightened = 2,     ///< 4 κ and τ / 4
    exact = 3,         ///< nothing is screened
};

constexpr std::size_t kScreenLevels = 4;

/// What a job asks of the screen.
struct ScreenPolicy
{
    bool screened = false;  ///< campaign.evaluation = "screened"; else all is exact from the start
    double kappa = 0;
    double tau = 0;
    double audit_share = 0;  ///< at least so large a share of the screened pairs is audited
    double bound = 0;        ///< largest bound95 with which a screen is kept
};

/// Policy of a job.
[[nodiscard]] ScreenPolicy screen_policy(const Job& job);

/// A layer's part of a plan.
struct LayerWork
{
    std::uint64_t chunks = 0;
    std::uint64_t faults = 0;
    std::uint64_t pairs = 0;  ///< faults × images
};

/// Work by layer id, for `layers` layers. Layers that the plan leaves alone have none.
[[nodiscard]] std::vector<LayerWork> work_of_layers(const Plan& plan, std::size_t layers,
                                                    std::uint64_t images);

/**
 * Share of a layer's screened pairs that is audited at first.
 *
 *     min(1, max(audit_share, 4.74 / (bound · pairs)))
 *
 * The limit at 95 % for n audited pairs is 3.00 / n if none disagrees and 4.74 / n if one does: with so many
 * audits the bound can be proven and bears a disagreement, if nearly all pairs are screened. A share of 1
 * means that the layer is too small for the bound: to audit everything is to evaluate exactly.
 */
[[nodiscard]] double first_audit_share(const ScreenPolicy& policy, std::uint64_t pairs);

/// What has been done of a layer at one level.
struct ScreenTotals
{
    std::uint64_t chunks = 0;
    std::uint64_t screened = 0;  ///< pairs
    std::uint64_t audited = 0;
    std::uint64_t disagreements = 0;
};

/// Add a chunk that is done.
void add_chunk(ScreenTotals& totals, const ChunkRecord& chunk);

/// By level.
using LevelTotals = std::array<ScreenTotals, kScreenLevels>;

/// A level at which all of a layer's chunks are done, and its verdict.
struct ScreenTrial
{
    ScreenLevel level = ScreenLevel::exact;
    Screen screen;
    ScreenTotals totals;
    double bound95 = 0;       ///< on the share of wrong pairs among the screened ones
    bool kept = true;         ///< false: above the policy's bound, to be evaluated more carefully
    std::uint64_t pairs = 0;  ///< of the chunks it was tried on
};

/// Where a layer stands.
struct LayerScreening
{
    ScreenLevel level = ScreenLevel::exact;  ///< its chunks are to be computed at this level
    Screen screen;                           ///< with this screen; κ infinite and nothing audited at `exact`
    bool complete = false;                   ///< and they are, with a screen that may be kept
    std::vector<ScreenTrial> trials;         ///< finished ones in order; the last is `level` if complete
};

/// A layer with at least so many pairs, before anything is done: as the job asks, or at `exact` where nothing
/// is to be screened or all would be audited.
[[nodiscard]] LayerScreening first_screening(const ScreenPolicy& policy, std::uint64_t pairs);

/// Judge a layer all of whose chunks are done at its level: it is complete, or moves on as screening_of says.
void judge_screen(LayerScreening& layer, const ScreenPolicy& policy, const LayerWork& work,
                  const ScreenTotals& totals);

/**
 * Where a layer stands after what has been done.
 *
 * It starts as the job asks, or at `exact` where nothing is to be screened or all would be audited. Once all
 * chunks are done at a level, the bound is judged. A screen that exceeds the policy's bound is given up:
 *
 * - Where so few pairs were audited that even none in disagreement would not have proven the bound, because
 *   far fewer pairs were screened than there are (the others were masked, or too uncertain), and no larger
 *   share of them disagreed than the bound allows: the same screen again, with 4.74 / (bound · screened) and
 *   a tenth more audited, which is enough.
 * - Else, where pairs disagreed: a tightened screen, with twice that share audited, because it screens fewer.
 * - A tightened screen that fails, or a share of 1, leads to `exact`.
 *
 * A second audit of the same screen is only made where the first could not have proven the bound whatever it
 * had found. So there is one chance only, and each bound holds with 95 % confidence for its screen.
 */
[[nodiscard]] LayerScreening screening_of(const ScreenPolicy& policy, const LayerWork& work,
                                          const LevelTotals& done);

}  // namespace flipstorm
