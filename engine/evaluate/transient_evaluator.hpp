#pragma once
// Evaluates transient faults: what does the network do with an image while whose computation something in the
// output of one layer went wrong?

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "engine/evaluate/evaluator.hpp"
#include "engine/faults/transient_plan.hpp"

namespace flipstorm
{

/**
 * Evaluates batches of transient faults of one layer.
 *
 * The (fault, image) pairs are sorted by image and cut into batches. A pair's image is computed without the
 * fault up to the layer, whose output the fault corrupts; what it changes is followed through what is behind.
 *
 * On the CPU, in `exact`, the native kernels do that, image by image. Their sums have one order, so that a
 * value is changed if and only if it differs in a bit from the golden one: where several faults strike a
 * layer of the same image and it is less work, golden values behind the layer are computed, too, and each
 * change is followed in the rows and columns that it reaches alone. An image of whose change nothing is left
 * is masked.
 *
 * Else LibTorch does it, batch by batch. Where nothing is left of the change at the last place before another
 * convolution or linear layer that all paths to the logits pass, the image is masked; the other pairs of the
 * batch go on to the logits together. Whether logits are bit-identical to golden ones is only decided between
 * passes of the same shape, so that the batching of a product cannot show; mode `reference` follows all pairs
 * to the logits.
 *
 * Results do not depend on the number of threads. Those of the two ways differ as their sums are rounded.
 *
 * Not to be called from several threads.
 */
class TransientEvaluator
{
  public:
    /**
     * Runs the fault-free network once over all images, which have to outlive the evaluator.
     * \param options  mode `exact` or `reference`; tolerances and seed are not used
     * \throws DataError as Evaluator; JobError if the memory budget does not hold one batch.
     */
    TransientEvaluator(const Network& network, const ImageSet& images, const EvaluationOptions& options);
    TransientEvaluator(const Network& network, ImageSet&& images, const EvaluationOptions& options) = delete;
    ~TransientEvaluator();
    TransientEvaluator(const TransientEvaluator&) = delete;
    TransientEvaluator& operator=(const TransientEvaluator&) = delete;

    [[nodiscard]] const Golden& golden() const;

    /**
     * Outcomes of strikes on one layer, in the order given; nothing once `should_stop`, if given and asked
     * before every batch, says yes.
     *
     * \throws Error if the layer or an image does not exist.
     */
    [[nodiscard]] std::optional<std::vector<TransientOutcome>> evaluate(
        LayerId layer, const std::vector<TransientStrike>& strikes,
        const std::function<bool()>& should_stop = {});

    /// Pairs by what became of them: `masked` on the way, `finished` followed to the logits.
    [[nodiscard]] WorkCount work() const;

  private:
    class Implementation;
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace flipstorm
