#pragma once
// Networks from PyTorch: reads a TorchScript file, scripted or traced, and makes the graph of it. No LibTorch
// here.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/data/dataset.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/// A network made from TorchScript.
struct ImportedNetwork
{
    Network network;  ///< arch "torchscript", fp32

    /// Parameters whose name in the graph is not their state-dict name: (that name, the graph's). The first
    /// is empty for a tensor without one: a constant of a frozen or traced module, or the weight 1 and bias 0
    /// of a batch norm without parameters.
    std::vector<std::pair<std::string, std::string>> renamed;
};

/// How well the logits of a graph agree with those of the TorchScript it was made from.
struct LogitAgreement
{
    std::int64_t images = 0;        ///< compared
    double largest_logit = 0;       ///< largest absolute logit of the TorchScript
    double max_difference = 0;      ///< largest absolute difference of two logits; NaN if one is NaN
    std::int64_t top1_changed = 0;  ///< images with another top-1

    /// max_difference relative to largest_logit; at most this is rounding.
    static constexpr double kTolerance = 1e-3;
    [[nodiscard]] bool holds() const { return max_difference <= kTolerance * largest_logit; }
};

/**
 * A module in TorchScript, set to evaluation.
 *
 * The graph is found by following `forward`, and every method it calls, with the module's attributes as known
 * values and the images as unknown ones: so branches, loops and shape arithmetic that do not depend on the
 * images disappear, and every parameter keeps its state-dict name. Nothing is folded: a fault strikes stored
 * weights. Not to be used from several threads.
 */
class TorchScript
{
  public:
    /**
     * Read a file saved with torch.jit.save.
     * \throws FileError if it cannot be read, is truncated, or is no TorchScript; DataError if it needs an
     * operation that LibTorch does not have.
     */
    explicit TorchScript(const std::filesystem::path& file);
    ~TorchScript();
    TorchScript(const TorchScript&) = delete;
    TorchScript& operator=(const TorchScript&) = delete;

    /// SHA-256 of the file.
    [[nodiscard]] const std::string& sha256() const;

    /**
     * The module as a network for images of [C, H, W].
     *
     * It has as many classes as outputs. A node is called as the module whose parameters it has
     * (`layer1.0.conv1`), or after the module it is in.
     *
     * \throws DataError naming the file and
     * - for what the graph cannot represent the TorchScript node, its attribute, and the Python source line;
     * - weights that two layers share, or that are computed, not stored;
     * - parameters that are not float32 or not finite;
     * - images that do not fit, or an output that is not one logit per class.
     */
    [[nodiscard]] ImportedNetwork to_network(const Shape& input_shape,
                                             const Normalisation& normalisation) const;

    /**
     * Run both on `count` images of standard normal noise.
     * \throws DataError if the TorchScript fails or does not return [count, classes] float32.
     */
    [[nodiscard]] LogitAgreement compare_on_noise(const Network& network, std::int64_t count,
                                                  std::uint64_t seed) const;

    /// The same on images of a data set, normalised as the network says.
    [[nodiscard]] LogitAgreement compare(const Network& network, const ImageSet& images) const;

  private:
    class Implementation;
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace flipstorm
