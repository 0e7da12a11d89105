#pragma once
// What a fault did to the test images.

#include <cstdint>
#include <vector>

namespace flipstorm
{

/// How the faulty network did on some images. A non-finite logit makes an image a misprediction.
struct Tally
{
    std::uint32_t evaluated = 0;   ///< images whose top-1 under the fault is known
    std::uint32_t correct = 0;     ///< of those, top-1 equals the label
    std::uint32_t mismatches = 0;  ///< of those, top-1 differs from golden, or a logit is not finite
    std::uint32_t nonfinite = 0;   ///< of those, a logit is NaN or infinite

    Tally& operator+=(const Tally& other)
    {
        evaluated += other.evaluated;
        correct += other.correct;
        mismatches += other.mismatches;
        nonfinite += other.nonfinite;
        return *this;
    }
    friend bool operator==(const Tally& a, const Tally& b)
    {
        return a.evaluated == b.evaluated && a.correct == b.correct && a.mismatches == b.mismatches &&
               a.nonfinite == b.nonfinite;
    }
};

/// What the screen did to one fault's images.
struct ScreenTally
{
    std::uint32_t screened = 0;  ///< images whose prediction was taken as unchanged, audited ones included
    std::uint32_t audited = 0;   ///< of those, followed to the logits all the same
    std::uint32_t disagreements = 0;  ///< of those, top-1 did change or a logit is not finite

    ScreenTally& operator+=(const ScreenTally& other)
    {
        screened += other.screened;
        audited += other.audited;
        disagreements += other.disagreements;
        return *this;
    }
    friend bool operator==(const ScreenTally& a, const ScreenTally& b)
    {
        return a.screened == b.screened && a.audited == b.audited && a.disagreements == b.disagreements;
    }
};

/// Outcome of a fault on the test set.
struct Outcome
{
    Tally tally;
    ScreenTally screen;
    bool stopped = false;  ///< the drop exceeds every tolerance; the other images were not evaluated
    double drop = 0;       ///< golden accuracy minus faulty accuracy; its proven lower bound where stopped
};

/// What a transient fault did to the images that it struck.
struct TransientOutcome
{
    Tally tally;
    std::uint32_t masked = 0;  ///< of the evaluated images: logits bit-identical to golden
    double drop = 0;           ///< golden accuracy minus accuracy under the fault, on the images struck

    /// Images whose logits differ, but are finite and have the golden top-1.
    [[nodiscard]] std::uint32_t tolerable() const { return tally.evaluated - masked - tally.mismatches; }
};

/// What the fault-free network does with the test images, in data-set order.
struct Golden
{
    std::vector<std::int32_t> label;
    std::vector<std::int32_t> top1;
    std::vector<float> margin;  ///< top logit minus the second largest
    std::uint64_t correct = 0;  ///< images whose top-1 equals the label

    [[nodiscard]] std::uint64_t images() const { return label.size(); }
};

/**
 * Drop that is certain after some images, whatever the others would do: as if all of them were right.
 *
 *     drop ≥ (golden_correct − correct − (images − evaluated)) / images,   exact when all are evaluated
 */
double certain_drop(const Tally& tally, std::uint64_t golden_correct, std::uint64_t images);

/**
 * Order in which to evaluate images: those the golden network gets wrong first, because only they could win
 * accuracy back; then by rising margin, so that what can be lost is lost early. A permutation of 0 … images
 * − 1.
 */
std::vector<std::int64_t> evaluation_order(const Golden& golden);

}  // namespace flipstorm
