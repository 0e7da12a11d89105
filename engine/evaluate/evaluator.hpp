#pragma once
// Evaluates faults: what does the network do on the test images when one weight has another value?

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/ids.hpp"
#include "engine/data/dataset.hpp"
#include "engine/evaluate/outcome.hpp"
#include "engine/network/device.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/// How much work an evaluation does; see the README.
enum class EvaluationMode
{
    reference,  ///< a full forward pass over all images per fault: the oracle
    exact,      ///< golden prefix reused, one channel recomputed, sequential stop
};

/// Mode of that name. \throws JobError naming the known ones.
EvaluationMode evaluation_mode(std::string_view name);

/// How an evaluator works. Outcomes depend on `mode` and `tolerances` only, rounding ties aside.
struct EvaluationOptions
{
    EvaluationMode mode = EvaluationMode::exact;
    std::vector<double> tolerances;  ///< rising; a fault that exceeds the last one may stop early
    std::uint64_t memory_budget = std::uint64_t{2} << 30U;  ///< bytes for golden activations and work space
    int threads = 1;
    Device device;
};

/// What beside the options decides where a fault stops: part of a campaign's digest.
std::string evaluation_layout();

/// A weight that reads as another value: what any fault model comes down to.
struct WeightChange
{
    std::uint64_t parameter = 0;  ///< flat row-major index in the layer's weight tensor
    float value = 0;              ///< faulty value; may be NaN or infinite
};

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
     * Runs the fault-free network once over all images.
     * \throws DataError if images and network do not fit or a golden logit is not finite; JobError if the
     * memory budget does not hold one tile.
     */
    Evaluator(const Network& network, const ImageSet& images, const EvaluationOptions& options);
    ~Evaluator();
    Evaluator(const Evaluator&) = delete;
    Evaluator& operator=(const Evaluator&) = delete;

    [[nodiscard]] const Golden& golden() const;

    /**
     * Outcomes of changes of one layer's weights, one at a time each, in the order given.
     * \throws Error if the layer or a parameter does not exist.
     */
    [[nodiscard]] std::vector<Outcome> evaluate(LayerId layer, const std::vector<WeightChange>& changes);

    /// The same, asking `should_stop` before every tile of images; nothing once it says yes.
    [[nodiscard]] std::optional<std::vector<Outcome>> evaluate(LayerId layer,
                                                               const std::vector<WeightChange>& changes,
                                                               const std::function<bool()>& should_stop);

  private:
    class Implementation;
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace flipstorm
