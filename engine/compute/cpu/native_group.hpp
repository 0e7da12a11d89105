#pragma once
// The changes of one group of faults of one layer on the images of a tile, image by image, with the native
// kernels: measured at the layer, and carried from there as far as the policy asks.

#include <cstdint>
#include <vector>

#include "engine/compute/backend.hpp"
#include "engine/compute/cpu/change_batch.hpp"
#include "engine/compute/cpu/native_golden.hpp"
#include "engine/compute/cpu/native_moves.hpp"
#include "engine/compute/cpu/native_watch.hpp"

namespace flipstorm
{

class NativeGroup
{
  public:
    /// All that it is given must outlive it; `space` fits the layer's program.
    NativeGroup(const NativeLayer& layer, const ChangeGroup& group, const NativeGolden& golden,
                ChangeSpace& space, PairPolicy& policy);

    /// \returns multiply-accumulate operations done
    double run();

  private:
    void neurons();
    void filters(const Conv2dOp& op);
    std::size_t filter_faults(const Conv2dOp& op, std::size_t first);
    float* start(const LayerMeasure& measure);
    void flush();
    void drop_masked(const NativeStep& step);
    void check(const NativeStep& step);
    void keep(std::int32_t buffer, std::int64_t floats, const std::vector<char>& stays);
    void finish();

    [[nodiscard]] const PaddedForm& form(NodeId id) const { return layer_.network.form(id); }
    [[nodiscard]] const Node& layer_node() const { return graph_.node(layer_.layer.node); }
    const NativeLayer& layer_;
    const Graph& graph_;
    const Kernels& kernels_;
    const NativeProgram& program_;
    const ChangeGroup& group_;
    const NativeGolden& golden_;
    PairPolicy& policy_;
    bool screens_;
    bool proves_;
    NativeMoves moves_;
    ChangeBatch batch_;
    NativeWatch watch_;
    std::vector<Pair> pairs_;  ///< by slot of the batch
    std::int64_t image_ = 0;
    std::vector<std::size_t> order_;      ///< of the group's faults: by parameter
    std::vector<float> delta_;            ///< faulty minus golden weight, by fault of the group
    std::vector<std::int64_t> channel_;   ///< that its weight belongs to, by fault
    std::vector<std::int64_t> element_;   ///< which weight of the channel's filter, by fault
    std::vector<LayerMeasure> measures_;  ///< of faults side by side
    std::vector<char> flags_;             ///< by slot
    std::vector<float> map_;              ///< what a unit change of a weight adds
    std::vector<float> logits_;
};

}  // namespace flipstorm
