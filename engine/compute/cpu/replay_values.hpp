#pragma once
// The golden values of one image, and what a change has made of them, where it has been followed to.

#include <cstdint>
#include <vector>

#include "engine/compute/cpu/replay_network.hpp"
#include "engine/compute/cpu/value_box.hpp"

namespace flipstorm
{

class ReplayValues
{
  public:
    explicit ReplayValues(const ReplayNetwork& network);

    /// Bytes of the values.
    [[nodiscard]] static std::uint64_t bytes(const ReplayNetwork& network);

    /// The network's input. \param image  normalised, [C, H, W]
    void load(const float* image);

    /// A golden value [C, H, W] or [features], row-major.
    [[nodiscard]] std::vector<float> golden_map(NodeId id) const;

    /// Where a value differs in a bit, and whether some value there is_huge(), or not finite.
    struct Change
    {
        Box box;
        bool huge = false;
        bool nonfinite = false;
    };

    /// Write a changed value. \param was, is  as golden_map()
    Change change(NodeId id, const float* was, const float* is);

    /// Say that the faulty values of a node are right in a box.
    void set_right(NodeId id, const Box& box) { right_[index(id)] = box; }
    [[nodiscard]] const Box& right(NodeId id) const { return right_[index(id)]; }

    /// Make the faulty values of a changed node right in a box: around what changed they are golden.
    void complete(NodeId id, const Box& box);

    /// The part of a box in which faulty and golden values differ in a bit.
    [[nodiscard]] Box shrunk(NodeId id, const Box& box) const;

    [[nodiscard]] float* golden() { return golden_.data(); }
    [[nodiscard]] float* faulty() { return faulty_.data(); }
    [[nodiscard]] const float* golden(NodeId id) const { return golden_.data() + network_.at(id, 0, 0); }
    [[nodiscard]] const float* faulty(NodeId id) const { return faulty_.data() + network_.at(id, 0, 0); }

  private:
    [[nodiscard]] const PaddedForm& form(NodeId id) const { return network_.native().form(id); }
    void copy(NodeId id, const Box& box);

    const ReplayNetwork& network_;
    std::vector<float> golden_;
    std::vector<float> faulty_;  ///< right in `right_` alone
    std::vector<Box> right_;     ///< by node
};

}  // namespace flipstorm
