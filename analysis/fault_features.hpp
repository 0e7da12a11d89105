#pragma once
// What a forest sees of a fault: the five features of Traiola et al. (DATE 2023), and others that cost no
// inference.

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/feature_table.hpp"
#include "engine/memory/shared_values.hpp"
#include "engine/memory/stored_tensor.hpp"
#include "hdf5_schema/campaign_file.hpp"

namespace flipstorm
{

/// The five features, as columns of every campaign's table; others follow.
enum FaultFeature : std::int32_t
{
    kSignFeature = 0,
    kBitFeature = 1,
    kLayerFeature = 2,
    kOutChannelFeature = 3,
    kInChannelFeature = 4,
    kFaultFeatures = 5,
};

/// Another feature of the flip of a bit of a stored word.
enum class ExtraFeature
{
    kernel_position,  ///< number of the weight in its kernel, row-major
    layer_type,       ///< 0 convolution, 1 linear, 2 another tensor than weights
    fan_in,           ///< products that an output is a sum of
    depth,            ///< convolutions and linear layers on the longest way from the input, its own included
    exponent,         ///< ⌊log2 |w|⌋ of the golden value; −150 of zero
    magnitude,        ///< |w|, to five significant bits
    direction,        ///< 0 the bit goes from 0 to 1, 1 from 1 to 0
    change,           ///< |Δw|, to five significant bits; the largest float where it is not finite
    filter_norm,      ///< √Σ w² over the weights of an output channel, to five significant bits
};

/// Names of all extra features, in the order of the enumeration: what `forest.features` may say.
[[nodiscard]] std::vector<std::string> extra_feature_names();

/// The feature of that name. \throws JobError naming the known ones.
[[nodiscard]] ExtraFeature extra_feature(const std::string& name);

/// Golden weights of an injectable layer, or of another tensor that counts as one.
struct LayerWeights
{
    std::string name;     ///< as in the campaign's layer table
    SharedValues values;  ///< decoded, row-major [out, in, kernel…]
    // What extra features are made of; not there where none is asked for.
    StoredTensor words{};
    std::int32_t type = 0;   ///< ExtraFeature::layer_type
    std::int32_t depth = 0;  ///< ExtraFeature::depth
};

/// Which features the faults of a campaign have. Does not change; thread-safe.
class FaultFeatures
{
  public:
    /// The paper's five.
    FaultFeatures() = default;

    /**
     * The five and others, in this order.
     *
     * \param weights  of all layers, in layer order, with their words
     * \throws JobError for a feature that is unknown or named twice, DataError if the weights do not fit the
     * layer table
     */
    FaultFeatures(const std::vector<std::string>& extra, const LayerTable& layers,
                  const std::vector<LayerWeights>& weights);

    /// Names of all, in the order of the columns.
    [[nodiscard]] std::vector<std::string> names() const;
    [[nodiscard]] std::size_t size() const { return kFaultFeatures + extra_.size(); }
    [[nodiscard]] const std::vector<ExtraFeature>& extra() const { return extra_; }

    /// An extra feature of the flip of a bit. \pre the layer has such a parameter and bit
    [[nodiscard]] float value(ExtraFeature feature, std::size_t layer, std::uint64_t parameter,
                              std::int32_t bit) const;

    /// The features of a campaign's faults. \throws DataError as make_feature_table
    [[nodiscard]] FeatureTable table(const FaultTable& faults) const;

  private:
    /// A layer as the features see it.
    struct Layer
    {
        StoredTensor words;
        std::int32_t type = 0;
        std::int32_t depth = 0;
        std::uint64_t kernel = 1;
        std::uint64_t fan_in = 1;
        std::vector<float> filter_norm;  ///< [output channels]
    };

    std::vector<ExtraFeature> extra_;
    std::vector<Layer> layers_;
};

}  // namespace flipstorm
