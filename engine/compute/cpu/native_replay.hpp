#pragma once
// Runs the network on one image at a time with the native kernels, whole, or where a change reaches alone.
// The kernels add every element in one fixed order, so that an element computed again from the same values
// has the same bits: what a change has reached is found by comparing, and what it has not need not be
// computed.

#include <cstdint>
#include <vector>

#include "engine/compute/cpu/box_step.hpp"
#include "engine/compute/cpu/replay_values.hpp"
#include "engine/network/layer_suffix.hpp"

namespace flipstorm
{

/**
 * One image's golden values, and what a change makes of them. Not to be shared by threads.
 *
 * Call `load`; then, for a layer, `golden` with all nodes but the far ones of its suffix; then, for each
 * fault, `strike` and, if it says yes, `follow`.
 */
class Replay
{
  public:
    explicit Replay(const ReplayNetwork& network);

    /// Another image. \param image  normalised, [C, H, W]
    void load(const float* image);

    /// Compute the golden values of nodes, in order, where they are not there yet.
    void golden(const std::vector<NodeId>& nodes);

    /// A golden value [C, H, W] or [features], row-major.
    [[nodiscard]] std::vector<float> golden_map(NodeId id) const { return values_.golden_map(id); }

    /// Golden logits, once they are there. [classes]
    [[nodiscard]] const float* golden_logits() const;

    /// A layer's output changes. \param golden, output  as golden_map(). \returns whether a bit differs
    bool strike(NodeId layer, const float* golden, const float* output);

    /**
     * Follow the change to the logits.
     *
     * Behind the cut it is followed either in the boxes that it reaches, which takes the golden values there,
     * or everywhere, which does not: whichever is less work for all faults that are left. The result is the
     * same.
     *
     * \param golden_logits  of this image, as computed by a Replay
     * \param left  faults of this layer on this image still to come, this one included
     * \returns the logits, [classes], valid until the next call; null if they are as golden, to the bit, or
     * if overflowed()
     */
    [[nodiscard]] const float* follow(const LayerSuffix& suffix, const float* golden_logits,
                                      std::int64_t left);

    /// Whether a sum of the change followed last may overflow: it was given up there.
    [[nodiscard]] bool overflowed() const { return overflowed_; }

    /// Multiply-accumulate operations done so far.
    [[nodiscard]] double macs() const { return macs_; }

  private:
    [[nodiscard]] const PaddedForm& form(NodeId id) const { return network_.native().form(id); }
    [[nodiscard]] const Node& node(NodeId id) const { return network_.graph().node(id); }
    [[nodiscard]] bool changed(NodeId id) const { return !box_[index(id)].empty(); }
    [[nodiscard]] Box whole(NodeId id) const { return whole_box(form(id)); }
    [[nodiscard]] Box reach(NodeId id) const;
    [[nodiscard]] double macs(NodeId id, const Box& box) const;
    [[nodiscard]] double macs_of_boxes(const std::vector<NodeId>& nodes);
    void forget(const std::vector<NodeId>& nodes);
    void replay(NodeId id);
    [[nodiscard]] bool follow_far(const LayerSuffix& suffix, std::int64_t left);
    [[nodiscard]] bool may_overflow(NodeId id, const Box& box) const;
    void compute(NodeId id, const Box& box, float* to);

    const ReplayNetwork& network_;
    ReplayValues values_;
    std::vector<bool> known_;         ///< by node: the golden value is there
    std::vector<Box> box_;            ///< by node: where the faulty value differs; empty: nowhere
    std::vector<const float*> from_;  ///< by node: the values that compute() reads
    BoxSpace space_;
    bool huge_ = false;        ///< the change: its sums are watched
    bool overflowed_ = false;  ///< one of them may
    double macs_ = 0;
};

}  // namespace flipstorm
