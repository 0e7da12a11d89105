#pragma once
// The course of a campaign: which chunks it wants, how carefully each layer is screened, and when it is done.
// A pure function of the plan and of finished work, so that a campaign takes the same course on any number of
// ranks and after any interruption.

#include <cstdint>
#include <vector>

#include "engine/faults/plan.hpp"
#include "engine/faults/sample_size.hpp"
#include "jobs/campaign/screening.hpp"

namespace flipstorm
{

/// What all ranks have done.
struct DoneWork
{
    std::vector<std::uint8_t> chunks;  ///< [levels][chunks]: 1 if done
    std::vector<LevelTotals> screens;  ///< by layer
    std::vector<std::uint64_t> hits;  ///< [levels][chunks][tolerances]: critical faults; iterative plans only
};

/// Chunks of one layer that are evaluated together: they share what is prepared for the layer.
struct Batch
{
    LayerId layer;
    std::vector<ChunkId> chunks;
    double macs = 0;
};

/// What decides where a campaign asks for more.
struct CourseOptions
{
    Precision precision;         ///< of an iterative plan
    std::size_t tolerances = 0;  ///< that an iterative plan has to meet the margin for
    std::size_t tolerance = 0;   ///< of those, the one whose critical faults guide a guided plan
    std::uint64_t seed = 0;      ///< of the forests of a guided plan
};

/// Those of a job. A guided plan follows harden.tolerance, or the smallest of campaign.tolerances where that
/// is none of them.
[[nodiscard]] CourseOptions course_options(const Job& job);

/**
 * The course of each layer.
 *
 * A layer starts with the chunks it wants: all, or the pilots of its strata if the plan is iterative. Once
 * all that it wants are done at its level of screening, an iterative plan asks for more where the interval of
 * a stratum is not within the margin for some tolerance (next_sample_size); the stratum goes on with its next
 * chunks, in order, so that its sample is a prefix of the permutation. When no stratum asks for more, the
 * screen is judged on all the layer's chunks (judge_screen). A layer that moves to another level computes all
 * of them again, and its strata may then ask for more. Every decision rests on finished steps only.
 *
 * A guided plan goes on in rounds instead (guided_round): when all that it wants of all layers is done, the
 * next round is shared out. The screens are judged when the last one is done. That one has half of all
 * faults, and what was seen before it began alone decides where it looks: it is a random sample of the faults
 * that were left then.
 *
 * The audits of an iterative or guided layer are sized for its pilots: it never has fewer pairs.
 */
class Course
{
  public:
    /**
     * \param layers  number of layers, injected or not
     * \param images  per fault
     */
    Course(const Plan& plan, std::size_t layers, std::uint64_t images, ScreenPolicy policy,
           CourseOptions options);

    /// Go on from finished work; what was known before must still be there. \throws Error if it is not.
    void advance(const DoneWork& done);

    /// Where the layers' screens stand, by layer id.
    [[nodiscard]] const std::vector<LayerScreening>& screens() const { return screens_; }

    /// Batches with a chunk that is not done, dearest first. What is in a batch depends on finished steps
    /// only, not on which of its chunks are done. Of a plan that is not iterative every chunk is a batch.
    [[nodiscard]] std::vector<Batch> missing(const DoneWork& done) const;

    /// The chunks that are wanted so far, in plan order.
    [[nodiscard]] std::vector<ChunkId> wanted() const;

    /// Sample size that each stratum asks for so far, and the faults that this takes in whole chunks.
    [[nodiscard]] const std::vector<std::uint64_t>& planned() const { return planned_; }
    [[nodiscard]] const std::vector<std::uint64_t>& evaluated() const { return evaluated_; }

    /// Faults of each stratum that a guided campaign had when its last round began; 0 for other campaigns.
    [[nodiscard]] const std::vector<std::uint64_t>& known() const { return known_; }

    /// What is wanted of a layer.
    [[nodiscard]] const LayerWork& work(std::size_t layer) const { return work_.at(layer); }

  private:
    void want(std::size_t layer, ChunkId chunk);
    bool ask_for_more(std::size_t layer, const DoneWork& done);
    [[nodiscard]] bool all_wanted_done(std::size_t layer, const DoneWork& done) const;
    [[nodiscard]] std::uint64_t hits_of(std::size_t stratum, const DoneWork& done,
                                        std::size_t tolerance) const;
    void share_out_round(const DoneWork& done);
    void want_until(std::size_t stratum, std::uint64_t faults);
    [[nodiscard]] std::size_t place(ScreenLevel level, ChunkId chunk) const;

    const Plan& plan_;
    std::uint64_t images_;
    ScreenPolicy policy_;
    CourseOptions options_;
    int rounds_left_;  ///< of a guided plan
    std::vector<LayerScreening> screens_;
    std::vector<LayerWork> work_;
    std::vector<std::vector<ChunkId>> wanted_;             ///< by layer, in the order of asking
    std::vector<std::size_t> step_;                        ///< by layer: first of wanted_ in the present step
    std::vector<std::vector<ChunkId>> chunks_of_stratum_;  ///< iterative plans only
    std::vector<std::size_t> chunks_wanted_;               ///< by stratum: so many of them
    std::vector<std::uint64_t> planned_;
    std::vector<std::uint64_t> evaluated_;
    std::vector<std::uint64_t> known_;
};

}  // namespace flipstorm
