#pragma once
// What becomes of the pairs of a group of faults on a tile, for every backend: which are masked, proven
// harmless, screened, audited, followed, left to mode `reference` because a sum may overflow, and how they
// are tallied.

#include <cstdint>
#include <utility>
#include <vector>

#include "engine/compute/backend.hpp"
#include "engine/evaluate/evaluation_options.hpp"
#include "engine/evaluate/judge.hpp"

namespace flipstorm
{

/// What the policy of a layer knows beside the golden pass.
struct LayerPolicy
{
    const Screen* screen = nullptr;  ///< nothing is screened if null or if its kappa is infinite
    const std::vector<std::vector<float>>* spread = nullptr;  ///< see channel_spread()
    const std::vector<double>* gains = nullptr;  ///< by channel, see LogitGains; empty: nothing is proven
    std::uint64_t seed = 0;                      ///< of the audits
};

/// Where tallies of a group go, by fault; added to.
struct GroupTallies
{
    Tally* tallies = nullptr;
    ScreenTally* screens = nullptr;
};

class GroupPolicy : public PairPolicy
{
  public:
    /// All that it is given must outlive it.
    GroupPolicy(const LayerPolicy& layer, const ChangeGroup& group, const Tile& tile,
                const TileMargins& margins, std::int64_t classes, GroupTallies tallies);

    [[nodiscard]] bool screens() const override { return screens_; }
    [[nodiscard]] float tau(std::int64_t image) const override;
    [[nodiscard]] const std::vector<float>& spread(NodeId node) const override
    {
        return (*layer_.spread)[index(node)];
    }
    [[nodiscard]] float reach(std::int64_t image, const float* moves) const override;
    [[nodiscard]] bool harmless(std::int64_t image, const float* moves) const override;
    [[nodiscard]] bool proves() const override { return !layer_.gains->empty(); }
    [[nodiscard]] float harmless_length(std::int64_t image, std::int64_t channel) const override;

    void at_layer(std::int64_t image, LayerMeasure* measures, std::size_t count) override;
    void masked(const Pair& pair) override;
    [[nodiscard]] bool screened_later(Pair& pair) override;
    void at_logits(const Pair& pair, const float* logits) override;
    void may_overflow(OverflowingPair pair) override { overflowing_.push_back(std::move(pair)); }

    /// Pairs that may_overflow() was told of.
    [[nodiscard]] const std::vector<OverflowingPair>& overflowing() const { return overflowing_; }

    /// Pairs by what became of them.
    [[nodiscard]] const WorkCount& work() const { return work_; }

  private:
    [[nodiscard]] bool audited(std::size_t fault, std::int64_t image) const
    {
        return audited_[static_cast<std::size_t>(image) * group_.count + fault] != 0;
    }

    LayerPolicy layer_;
    ChangeGroup group_;
    const Tile& tile_;
    const TileMargins& margins_;
    std::int64_t classes_;
    GroupTallies tallies_;
    bool screens_;
    float kappa_ = 0;
    std::vector<char> audited_;  ///< [tile][faults]
    std::vector<OverflowingPair> overflowing_;
    WorkCount work_;
};

}  // namespace flipstorm
