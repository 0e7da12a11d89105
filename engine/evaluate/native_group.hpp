#pragma once
// One group of faults of one layer on one tile, with the native kernels: which pairs are masked, proven
// harmless, screened, audited, followed, left to LibTorch because a sum may overflow, and how they are
// tallied. Internal to the engine: this header brings in LibTorch.

#include <cstdint>
#include <vector>

#include "engine/compute/cpu/change_batch.hpp"
#include "engine/evaluate/native_evaluator.hpp"
#include "engine/evaluate/native_screen.hpp"
#include "engine/evaluate/native_tile.hpp"

namespace flipstorm
{

class NativeGroup
{
  public:
    /// All that it is given must outlive it; `space` fits the layer's program.
    NativeGroup(const NativeEvaluator& evaluator, const InjectableLayer& layer, const Screen* screen,
                const ChangeGroup& group, const Tile& tile, const NativeTile& golden, ChangeSpace& space);

    /// Tally every pair. \returns what became of them
    WorkCount run();

  private:
    /// A (fault, image) pair on its way: what the batch does not need to know.
    struct Pair
    {
        std::size_t fault = 0;   ///< in its group
        bool audited = false;    ///< goes on to the logits even when it is screened
        bool screened = false;   ///< the screen would have let it go
        bool huge = false;       ///< its sums are watched
        bool overflows = false;  ///< or may: left to tally_as_reference()
        std::vector<float>
            at_restart;  ///< of a huge one: its change at NativeProgram::restart, once it was there
    };

    void neurons();
    void filters(const Conv2dOp& op);
    bool goes_on(std::size_t fault, bool screened);
    float* start(std::size_t fault, std::int64_t channel, bool screened);
    void leave_to_reference(std::size_t fault, std::int64_t channel, std::vector<float> at_restart);
    void remember_restart(const NativeStep& step);
    void watch(const NativeStep& step);
    void find_huge(const NativeStep& step);
    void flush();
    void drop_masked(const NativeStep& step);
    void check(const NativeStep& step);
    void keep(std::int32_t buffer, std::int64_t floats, const std::vector<char>& stays);
    void finish();

    [[nodiscard]] const PaddedForm& form(NodeId id) const { return evaluator_.network().form(id); }
    [[nodiscard]] const Node& layer_node() const { return graph_.node(layer_.node); }
    [[nodiscard]] float harmless_length(std::int64_t channel) const;

    const NativeEvaluator& evaluator_;
    const Graph& graph_;
    const Kernels& kernels_;
    const NativeProgram& plan_;
    const InjectableLayer& layer_;
    const ChangeGroup& group_;
    const Tile& tile_;
    const NativeTile& golden_;
    NativeScreen screen_;
    ChangeBatch batch_;
    std::vector<Pair> pairs_;  ///< by slot of the batch
    WorkCount work_;
    std::int64_t image_ = 0;
    std::vector<std::size_t> order_;  ///< of the group's faults: by parameter
    std::vector<float> delta_;        ///< faulty minus golden weight, by fault of the group
    std::vector<char> audited_;       ///< [tile][faults]
    std::vector<char> flags_;         ///< by slot
    std::vector<float> map_;          ///< what a unit change of a weight adds
    std::vector<float> logits_;
    bool any_huge_ = false;  ///< among the pairs
    std::vector<OverflowingPair> overflowing_;
};

}  // namespace flipstorm
