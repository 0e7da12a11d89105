#pragma once
// The plan of a campaign of transient faults: faults that strike while the network computes an image. Each
// fault of the plan is a pure function of the seed, its stratum and its number there.

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/faults/feature_map_fault.hpp"
#include "engine/faults/instruction_fault.hpp"
#include "engine/faults/plan.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/// What the faults of a campaign look like.
using TransientRules = std::variant<FeatureMapRules, InstructionRules>;

/// A fault, drawn.
using TransientFault = std::variant<FeatureMapFault, InstructionFault>;

/// A fault and the images that it strikes.
struct TransientStrike
{
    StratumId stratum;
    LayerId layer;
    TransientFault fault;
    std::vector<std::int64_t> images;  ///< in data-set order, rising
};

/// How likely a layer is struck, in feature maps.
enum class LayerWeight
{
    uniform,  ///< all layers alike
    macs,     ///< in proportion to their multiply-accumulate operations
};

/// Weight of that name. \throws JobError naming the known ones.
[[nodiscard]] LayerWeight layer_weight_from(std::string_view name);

/// What decides a transient plan beside the network.
struct TransientPlanOptions
{
    PlanOptions plan;  ///< `images`: of the test set; the scheme is network_wise or layer_wise
    TransientRules rules;
    LayerWeight layers = LayerWeight::uniform;  ///< of faults in feature maps
    std::uint64_t images_per_fault = 1;         ///< 0: every image
};

/**
 * A plan of transient faults.
 *
 * There are infinitely many: error values and moments are continuous. The plan's populations stand for them.
 * A layer's is 2^20 times its weight, so that populations compare as the probabilities that a fault strikes
 * the layers, and sample sizes are those of an unbounded population. The weight of a layer is its number of
 * instructions; with faults in feature maps 2^20 for each, or its MACs. An element of the population, divided
 * by 2^20, is the instruction that is struck; all else that makes up a fault is drawn from a stream of random
 * numbers of its own.
 *
 * Images: of each stratum and layer, fault k strikes m images. The test set is permuted, and consecutive
 * faults take consecutive m images of it; when fewer than m are left, it is permuted anew. So each fault
 * strikes a simple random sample of the images, and all images are struck equally often, as near as can be.
 *
 * Thread-safe: the object does not change.
 */
class TransientPlan
{
  public:
    /// \throws JobError if an option is out of range, or more images are to be struck than there are.
    TransientPlan(const Network& network, const TransientPlanOptions& options);

    /// Strata, chunks and number of faults.
    [[nodiscard]] const Plan& plan() const { return plan_; }
    /// Images that each fault strikes.
    [[nodiscard]] std::uint64_t images_per_fault() const { return images_per_fault_; }
    [[nodiscard]] const TransientRules& rules() const { return options_.rules; }
    /// The fault of that number, and its images. \throws Error if there is none.
    [[nodiscard]] TransientStrike strike(FaultIndex index) const;

  private:
    [[nodiscard]] std::vector<std::int64_t> images_of(std::uint64_t stream, std::uint64_t number) const;

    TransientPlanOptions options_;
    std::uint64_t images_per_fault_;
    std::vector<Shape> maps_;          ///< output of each layer
    std::vector<int> map_bits_;        ///< of its values as they are stored
    std::vector<DotProducts> layers_;  ///< by layer id
    Plan plan_;
};

}  // namespace flipstorm
