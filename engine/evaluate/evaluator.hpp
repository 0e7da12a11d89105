#pragma once
// Evaluates faults: what does the network do on the test images when one weight has another value?

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "engine/base/ids.hpp"
#include "engine/compute/backend.hpp"
#include "engine/data/dataset.hpp"
#include "engine/evaluate/evaluation_options.hpp"
#include "engine/evaluate/outcome.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/**
 * What the fault-free network says of every `parts`-th batch of the test images, from batch `part` on; zero
 * for the others. The sum over all parts is what an evaluator of these options finds at its start, bit for
 * bit. Thread-safe.
 *
 * \return logits [images, classes], row-major, in data-set order
 * \throws DataError if images and network do not fit.
 */
[[nodiscard]] std::vector<float> golden_share(const Network& network, const ImageSet& images,
                                              const EvaluationOptions& options, std::uint64_t part,
                                              std::uint64_t parts);

/**
 * Evaluates batches of faults of one layer on a fixed set of test images.
 *
 * Results do not depend on the number of threads: images are cut into tiles and faults into groups of fixed
 * size, and each (group, tile) is computed by one thread. Not to be called from several threads.
 */
class Evaluator
{
  public:
    /**
     * Runs the fault-free network once over all images, which have to outlive the evaluator.
     * \throws DataError if images and network do not fit, there are fewer than two classes or a golden logit
     * is not finite; JobError if the memory budget does not hold one tile, or if the native backend is asked
     * for on a GPU or for a network that it cannot evaluate.
     */
    Evaluator(const Network& network, const ImageSet& images, const EvaluationOptions& options);
    /// The same with images of its own.
    Evaluator(const Network& network, ImageSet&& images, const EvaluationOptions& options);
    ~Evaluator();
    Evaluator(const Evaluator&) = delete;
    Evaluator& operator=(const Evaluator&) = delete;

    [[nodiscard]] const Golden& golden() const;

    /**
     * Outcomes of changes of one layer's weights, one at a time each, in the order given.
     *
     * \param screen  used in mode `screened` only
     * \throws Error if the layer or a parameter does not exist.
     */
    [[nodiscard]] std::vector<Outcome> evaluate(LayerId layer, const std::vector<WeightChange>& changes,
                                                const Screen& screen = {});

    /// The same, asking `should_stop` here before every group of faults on a tile; nothing once it says yes.
    [[nodiscard]] std::optional<std::vector<Outcome>> evaluate(LayerId layer,
                                                               const std::vector<WeightChange>& changes,
                                                               const Screen& screen,
                                                               const std::function<bool()>& should_stop);

    [[nodiscard]] WorkCount work() const;

    /**
     * Memory for a layer's faults on `images` images like these with `threads` threads, with the memory
     * budget of the options: what an evaluator of that size would use.
     * \throws JobError if the budget does not hold it, Error if the layer does not exist.
     */
    [[nodiscard]] LayerMemory memory(LayerId layer, std::uint64_t images, int threads) const;

  private:
    class Implementation;
    std::unique_ptr<const ImageSet> own_images_;  ///< null: the caller's
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace flipstorm
