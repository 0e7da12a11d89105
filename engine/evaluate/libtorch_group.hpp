#pragma once
// One group of faults of one layer on one tile, in LibTorch operations: which pairs are masked, proven
// harmless, screened, audited, followed, computed as mode `reference` does because a sum may overflow, and
// how they are tallied. Internal to the engine: this header brings in LibTorch.

#include <cstdint>
#include <vector>

#include "engine/evaluate/libtorch_evaluator.hpp"

namespace flipstorm
{

/// (fault, image) pairs at a checkpoint, or, without a change, at the faulty layer.
struct PairBatch
{
    torch::Tensor image;     ///< [pairs]
    torch::Tensor fault;     ///< [pairs]
    torch::Tensor screened;  ///< whether the screen would have let it go; [pairs]
    torch::Tensor change;    ///< [pairs, …]

    [[nodiscard]] std::int64_t size() const { return image.defined() ? image.size(0) : 0; }

    [[nodiscard]] PairBatch range(std::int64_t first, std::int64_t count) const
    {
        const auto part = [&](const torch::Tensor& t) { return t.defined() ? t.narrow(0, first, count) : t; };
        return {part(image), part(fault), part(screened), part(change)};
    }

    [[nodiscard]] PairBatch selected(const torch::Tensor& rows) const
    {
        return {image.index_select(0, rows), fault.index_select(0, rows), screened.index_select(0, rows),
                change.index_select(0, rows)};
    }

    void append(const PairBatch& other)
    {
        if (size() == 0)
            *this = other;
        else
        {
            image = torch::cat({image, other.image});
            fault = torch::cat({fault, other.fault});
            screened = torch::cat({screened, other.screened});
            change = torch::cat({change, other.change});
        }
    }
};

/// Follows a group's changes of one layer on one tile.
class LibtorchGroup
{
  public:
    LibtorchGroup(const LibtorchEvaluator& evaluator, const InjectableLayer& layer, const Screen* screen,
                  const ChangeGroup& group, const Tile& tile, const LibtorchTile& golden);

    /// Tally every pair. \returns what became of them
    WorkCount run();

  private:
    enum Column : std::size_t;

    void upload();
    [[nodiscard]] torch::Tensor reach() const;
    [[nodiscard]] torch::Tensor unfinished();
    [[nodiscard]] torch::Tensor start(const PairBatch& pairs) const;
    void follow(std::size_t segment, PairBatch pairs);
    void leave_to_reference(const Segment& way, PairBatch& pairs);
    void arrive(std::size_t segment, const PairBatch& pairs);
    [[nodiscard]] PairBatch check(NodeId checkpoint, PairBatch pairs);
    [[nodiscard]] torch::Tensor small(NodeId checkpoint, const PairBatch& pairs,
                                      const torch::Tensor& magnitude) const;
    void finish(const PairBatch& pairs);
    WorkCount tallies();

    /// How many standard deviations a change may have: in proportion to the image's margin. [tile]
    [[nodiscard]] torch::Tensor tau() const { return golden_.certainty * static_cast<float>(screen_->tau); }

    [[nodiscard]] PairIndex index_of(const PairBatch& pairs) const
    {
        return {pairs.image, channel_.index_select(0, pairs.fault)};
    }

    /// Count where `what` [pairs] is not zero, or add its numbers.
    void count(Column column, const torch::Tensor& fault, const torch::Tensor& what)
    {
        counts_.select(0, static_cast<std::int64_t>(column)).index_add_(0, fault, what.to(torch::kInt64));
    }

    const LibtorchEvaluator& evaluator_;
    const ChangeOperations& operations_;
    const LibtorchProgram& program_;
    const InjectableLayer& layer_;
    LayerGeometry geometry_;
    const Screen* screen_;
    const ChangeGroup& group_;
    const Tile& tile_;
    const LibtorchTile& golden_;
    std::int64_t batch_;
    std::vector<PairBatch> waiting_;  ///< by segment: fewer than a batch, to start it together
    bool has_products_ = false;       ///< of two values, behind the layer
    torch::Tensor huge_;              ///< change of a weight, [faults]
    bool any_huge_ = false;           ///< change of a weight
    torch::Tensor weight_;            ///< faulty weight's index, [faults]
    torch::Tensor element_;           ///< of the input, flat: what a weight meets, [faults]
    torch::Tensor input_;             ///< its input channel, [faults]
    torch::Tensor row_;               ///< within the kernel, [faults]
    torch::Tensor column_;            ///< within the kernel, [faults]
    torch::Tensor channel_;           ///< faulty output channel, [faults]
    torch::Tensor delta_;             ///< faulty minus golden weight, [faults]
    torch::Tensor audited_;           ///< whether to audit the pair if it is screened, [tile, faults]
    torch::Tensor screened_;          ///< at the faulty layer, [tile, faults]
    torch::Tensor counts_;            ///< [columns, faults]
    std::vector<OverflowingPair> overflowing_;
    WorkCount work_;
};

}  // namespace flipstorm
