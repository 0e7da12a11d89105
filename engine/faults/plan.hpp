#pragma once
// The plan of a campaign: which faults it injects, in which order, in which chunks. A pure function of the
// layers, the options and the seed; nobody stores a list of faults.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/ids.hpp"
#include "engine/base/permutation.hpp"
#include "engine/faults/sample_size.hpp"
#include "engine/memory/bit_value_index.hpp"
#include "engine/memory/word_fault.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/// How the population of faults is cut into strata (Ruospo et al., DATE 2023).
enum class Scheme
{
    network_wise,  ///< one stratum
    layer_wise,    ///< a stratum per layer
    data_unaware,  ///< a stratum per layer and bit position
    data_aware,    ///< the same, with p of a bit from the golden weights (engine/faults/data_aware.hpp)
    iterative,     ///< the same, with n of a stratum from what was seen of it (engine/faults/iterative.hpp)
    guided,        ///< a stratum per layer, bit position and stored bit, in rounds (jobs/campaign/guide.hpp)
};

/// Scheme of that name. \throws JobError naming the known ones.
Scheme scheme_from(std::string_view name);

/// Faults that are sampled together.
struct Stratum
{
    std::int32_t layer = -1;       ///< layer id; −1: all layers
    std::int32_t bit = -1;         ///< bit position, of a fault of several bits the highest; −1: all bits
    std::uint64_t population = 0;  ///< faults there are
    std::uint64_t planned = 0;     ///< sample size the precision asks for; at most, if iterative
    std::uint64_t drawn = 0;       ///< faults this plan injects: `planned`, or fewer under a limit
    std::int32_t direction = -1;   ///< what the struck bit holds, 0 or 1; −1: either
};

/// A fault of a stored weight.
struct WeightFault
{
    StratumId stratum;
    LayerId layer;
    std::uint64_t parameter = 0;  ///< flat row-major index in the layer's weight tensor
    std::int32_t bit = 0;         ///< the highest bit that is hit; 0 = least significant
    WordFault word;               ///< all bits that are hit, and what becomes of them
};

/// A fixed range of faults of one layer: the unit of work, of journaling and of batching.
struct Chunk
{
    LayerId layer;
    FaultIndex first;
    std::uint64_t count = 0;
    double macs = 0;  ///< about what it takes to evaluate it: what "dearest first" sorts by
};

/// A fault of a layer.
struct PlacedFault
{
    std::uint64_t parameter = 0;
    WordFault word;
};

/// What decides a plan beside the layers.
struct PlanOptions
{
    Scheme scheme = Scheme::layer_wise;
    Precision precision;
    std::uint64_t limit = 0;  ///< at most so many faults, spread evenly over the strata; 0: no limit
    std::uint64_t seed = 0;
    std::uint64_t images = 0;  ///< test images per fault; for the cost of a chunk

    /// Share of the (fault, image) pairs that are followed through the network, and passes over all images
    /// that the faults of a chunk share; they decide how large a chunk is.
    double followed_share = 1;
    /// The same of strata of one bit position, [layer id][bit]; empty: all alike.
    std::vector<std::vector<double>> followed_by_bit{};
    double shared_passes = 0;

    UpsetModel upset{};
    std::vector<std::string> layers{};  ///< names of those to inject; empty: all
    bool exhaustive = false;            ///< every fault of them, whatever the precision asks for
    /// Faults per stratum that an iterative or a guided plan starts with; 0: smallest_sample, and an eighth
    /// of all faults spread evenly.
    std::uint64_t pilot = 0;
    /// Prior p of a critical fault by layer id and bit, for data_aware; for the others `precision` has it.
    std::vector<std::vector<double>> priors{};
    /// By layer id: which words hold a 1 at a bit; for guided.
    std::vector<std::shared_ptr<const BitValueIndex>> bit_values{};
    /// By layer id: faults that are known already and belong to no population of this plan; empty: none.
    std::vector<std::vector<PlacedFault>> excluded{};
    /// By layer id: the faults of the plan, in this order, whatever scheme and precision say; empty: they are
    /// drawn.
    std::vector<std::vector<PlacedFault>> listed{};
};

/**
 * The strata of a campaign with their populations and sample sizes; `drawn` is 0. A fault of several bits
 * belongs to the stratum of its highest bit; bits that are the highest of no fault have no stratum.
 *
 * \throws JobError if the precision is out of range, a layer is named that is not there, no word has a fault
 * of the model, or all faults are excluded. Thread-safe.
 */
[[nodiscard]] std::vector<Stratum> planned_strata(const std::vector<InjectableLayer>& layers,
                                                  const PlanOptions& options);

/**
 * Share of the pairs of a layer's faults of one bit position (−1: any) that are followed.
 *
 * `followed_by_bit` holds for layers whose outputs are sums of 576 products (3×3×64) or more. Where they are
 * fewer, each weight matters more, and the share grows in proportion, up to that of the dearest bit.
 */
[[nodiscard]] double followed_share(const PlanOptions& options, const InjectableLayer& layer,
                                    std::int32_t bit);

/**
 * The plan.
 *
 * Faults are numbered stratum by stratum and, within a stratum of several layers, layer by layer. Fault k of
 * a (stratum, layer) is element `permutation(k)` of that part of the population, so a sample is without
 * replacement and a smaller limit gives a subset. How many of a stratum's draws fall on each of its layers is
 * drawn too (multivariate hypergeometric, one simulated draw at a time), which makes the whole a simple
 * random sample of the stratum. An exhaustive plan takes the faults in their own order instead, so that those
 * of a weight stay together.
 *
 * Excluded faults are left out of the populations, which are numbered without them: what is drawn is a random
 * sample of the others, independent of any that was drawn with the same seed before.
 *
 * The chunks of an iterative plan hold one stratum each and cut its faults into a pilot and steps of an
 * eighth of what lies before them (at least 16 faults), so that a campaign stops close to the sample size it
 * finds: the smallest possible sample of a margin of 1 % at 99 % has 326 faults, the next step 40. Passes
 * that faults share are shared by batch_faults() of them, of several chunks.
 *
 * A guided plan is one of single bits that flip. Its strata can each take all of its budget: the limit, or a
 * fifth of the layer-wise sample. Its chunks are cut as those of an iterative one, in finer steps.
 *
 * A plan of listed faults has them as they are, a stratum for each layer, which is its own population.
 *
 * Thread-safe: the object does not change.
 */
class Plan
{
  public:
    /// \throws JobError if the options are out of range or the limit leaves a stratum without a fault.
    Plan(const std::vector<InjectableLayer>& layers, const PlanOptions& options);

    [[nodiscard]] const std::vector<Stratum>& strata() const { return strata_; }
    /// Chunk id = position.
    [[nodiscard]] const std::vector<Chunk>& chunks() const { return chunks_; }
    /// Number of faults.
    [[nodiscard]] std::uint64_t size() const { return size_; }
    /// Fault of that number. \throws Error if there is none.
    [[nodiscard]] WeightFault fault(FaultIndex index) const;

    /// Draws of a stratum that fall on one layer: a contiguous range of fault numbers.
    struct Draw
    {
        StratumId stratum;
        LayerId layer;
        std::uint64_t first = 0;
        std::uint64_t count = 0;
        std::int32_t word_bits = 0;
        std::uint64_t faults_per_weight = 0;
        KeyedPermutation permutation;  ///< of the layer's part of the stratum's population
        /// Of words that hold the stratum's bit, if it is of one; null otherwise.
        std::shared_ptr<const BitValueIndex> bit_values{};
        std::shared_ptr<const std::vector<PlacedFault>> listed{};  ///< these; null: drawn
        std::vector<std::uint64_t> excluded{};  ///< numbers in the part as it is with them, ascending
    };
    [[nodiscard]] const std::vector<Draw>& draws() const { return draws_; }

    /// Whether a campaign asks for chunks as it goes, and injects few of the plan's faults.
    [[nodiscard]] bool iterative() const { return iterative_ || budget_ > 0; }
    /// Faults that a campaign injects at most, and a guided one about.
    [[nodiscard]] std::uint64_t most_faults() const { return budget_ > 0 ? budget_ : size_; }
    /// SHA-256 of the faults that it leaves out; empty if there are none.
    [[nodiscard]] const std::string& excluded_sha256() const { return excluded_sha256_; }
    /// Faults that a guided campaign injects, about; 0: it is not guided.
    [[nodiscard]] std::uint64_t budget() const { return budget_; }
    /// Faults of a layer that are worth evaluating together.
    [[nodiscard]] std::uint64_t batch_faults(LayerId layer) const
    {
        return batches_.at(static_cast<std::size_t>(layer.value()));
    }
    /// Faults that an iterative or guided campaign takes of a stratum at first. \throws Error for other
    /// plans.
    [[nodiscard]] std::uint64_t pilot(StratumId stratum) const;

  private:
    void share_out_sample(const PlanOptions& options);
    void share_out_budget(const std::vector<InjectableLayer>& layers, const PlanOptions& options);
    void add_listed(const std::vector<InjectableLayer>& layers, const PlanOptions& options);
    void add_draws(const std::vector<InjectableLayer>& layers, const PlanOptions& options);
    void add_chunks(const std::vector<InjectableLayer>& layers, const PlanOptions& options);
    void add_steps(const Draw& draw, double shared_macs, double fault_macs, std::uint64_t batch);

    UpsetModel upset_;
    bool in_order_ = false;
    bool iterative_ = false;
    std::uint64_t budget_ = 0;
    std::string excluded_sha256_;
    std::vector<Stratum> strata_;
    std::vector<std::uint64_t> pilots_;   ///< by stratum
    std::vector<std::uint64_t> batches_;  ///< by layer id
    std::vector<Draw> draws_;
    std::vector<Chunk> chunks_;
    std::uint64_t size_ = 0;
};

/// Faults that a guided campaign injects without a limit: a fifth of the layer-wise sample of the same
/// precision. \throws as planned_strata. Thread-safe.
[[nodiscard]] std::uint64_t guided_budget(const std::vector<InjectableLayer>& layers, PlanOptions options);

/// Chunk ids, dearest first; costs within the same half power of two in plan order, so that the chunks of a
/// layer stay together. A pure function of the plan.
[[nodiscard]] std::vector<ChunkId> dearest_first(const Plan& plan);

/**
 * Spread a limit evenly over strata: each gets the same share, what a stratum cannot use goes to the others.
 *
 * The result is at most `wanted` in each place and sums to min(limit, Σ wanted); remainders go to the first.
 */
[[nodiscard]] std::vector<std::uint64_t> spread_limit(const std::vector<std::uint64_t>& wanted,
                                                      std::uint64_t limit);

}  // namespace flipstorm
