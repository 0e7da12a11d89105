#include "analysis/fault_features.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/campaign_check.hpp"
#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// The table of names. A feature without one does not compile. Null: no feature has that number.
const char* name_of(ExtraFeature feature)
{
    switch (feature)
    {
        case ExtraFeature::kernel_position:
            return "kernel_position";
        case ExtraFeature::layer_type:
            return "layer_type";
        case ExtraFeature::fan_in:
            return "fan_in";
        case ExtraFeature::depth:
            return "depth";
        case ExtraFeature::exponent:
            return "exponent";
        case ExtraFeature::magnitude:
            return "magnitude";
        case ExtraFeature::direction:
            return "direction";
        case ExtraFeature::change:
            return "change";
        case ExtraFeature::filter_norm:
            return "filter_norm";
    }
    return nullptr;
}

/// A number of at least 0 to five significant bits: 16 steps an octave. What is not finite is the largest
/// float.
float rounded(double value)
{
    constexpr int kBits = 5;
    constexpr auto kLargest = static_cast<double>(std::numeric_limits<float>::max());
    if (!(value <= kLargest)) return std::numeric_limits<float>::max();
    int exponent = 0;
    const double mantissa = std::frexp(value, &exponent);
    const double steps = std::nearbyint(std::ldexp(mantissa, kBits));
    return static_cast<float>(std::min(std::ldexp(steps, exponent - kBits), kLargest));
}

float exponent_of(float value)
{
    constexpr float kOfZero = -150;  // below that of the least denormal float
    const float magnitude = std::fabs(value);
    if (magnitude == 0) return kOfZero;
    return static_cast<float>(std::ilogb(magnitude));
}

template<class Int>
std::vector<float> as_floats(const std::vector<Int>& column)
{
    return std::vector<float>(column.begin(), column.end());
}

}  // namespace

std::vector<std::string> extra_feature_names()
{
    std::vector<std::string> names;
    while (const char* name = name_of(static_cast<ExtraFeature>(names.size())))
        names.emplace_back(name);
    return names;
}

ExtraFeature extra_feature(const std::string& name)
{
    const std::vector<std::string> names = extra_feature_names();
    const auto found = std::find(names.begin(), names.end(), name);
    FS_CHECK(JobError, found != names.end(), "forest.features: \"{}\" is not known; it is one of: {}", name,
             fmt::join(names, ", "));
    return static_cast<ExtraFeature>(found - names.begin());
}

FaultFeatures::FaultFeatures(const std::vector<std::string>& extra, const LayerTable& layers,
                             const std::vector<LayerWeights>& weights)
{
    for (const std::string& name : extra)
    {
        const ExtraFeature feature = extra_feature(name);
        FS_CHECK(JobError, std::find(extra_.begin(), extra_.end(), feature) == extra_.end(),
                 "forest.features has \"{}\" twice", name);
        extra_.push_back(feature);
    }
    if (extra_.empty()) return;
    FS_CHECK(DataError, weights.size() == layers.size(),
             "the model has {} injectable layers, the campaign {}: not the same network", weights.size(),
             layers.size());
    for (std::size_t l = 0; l < layers.size(); ++l)
    {
        const StoredTensor& words = weights[l].words;
        FS_CHECK(
            DataError,
            weights[l].name == layers.name[l] && words.size() == layers.weights[l] &&
                words.traits().bits == layers.word_bits[l],
            "layer {} of the model is '{}' with {} words of {} bits, of the campaign '{}' with {} of {}: "
            "not the same network",
            l, weights[l].name, words.size(), words.traits().bits, layers.name[l], layers.weights[l],
            layers.word_bits[l]);
        Layer layer;
        layer.words = words;
        layer.type = weights[l].type;
        layer.depth = weights[l].depth;
        layer.kernel = kernel_elements(layers, l);
        layer.fan_in = layer.kernel * static_cast<std::uint64_t>(layers.in_channels[l]);
        const SharedValues& values = words.values();
        for (std::size_t first = 0; first < values.size(); first += layer.fan_in)
        {
            double squares = 0;
            for (std::size_t w = first; w < first + layer.fan_in; ++w)
                squares += static_cast<double>(values[w]) * static_cast<double>(values[w]);
            layer.filter_norm.push_back(rounded(std::sqrt(squares)));
        }
        layers_.push_back(std::move(layer));
    }
}

std::vector<std::string> FaultFeatures::names() const
{
    std::vector<std::string> names = {"sign", "bit", "layer", "out_channel", "in_channel"};
    for (const ExtraFeature feature : extra_)
        names.emplace_back(name_of(feature));
    return names;
}

float FaultFeatures::value(ExtraFeature feature, std::size_t layer, std::uint64_t parameter,
                           std::int32_t bit) const
{
    const Layer& of = layers_[layer];
    const auto weight = static_cast<std::size_t>(parameter);
    switch (feature)
    {
        case ExtraFeature::kernel_position:
            return static_cast<float>(parameter % of.kernel);
        case ExtraFeature::layer_type:
            return static_cast<float>(of.type);
        case ExtraFeature::fan_in:
            return static_cast<float>(of.fan_in);
        case ExtraFeature::depth:
            return static_cast<float>(of.depth);
        case ExtraFeature::exponent:
            return exponent_of(of.words.values()[weight]);
        case ExtraFeature::magnitude:
            return rounded(std::fabs(static_cast<double>(of.words.values()[weight])));
        case ExtraFeature::direction:
            return static_cast<float>((of.words.word(weight) >> static_cast<unsigned>(bit)) & 1U);
        case ExtraFeature::change: {
            const auto before = static_cast<double>(of.words.values()[weight]);
            return rounded(
                std::fabs(static_cast<double>(of.words.faulty_value(weight, bit_flip(bit))) - before));
        }
        case ExtraFeature::filter_norm:
            return of.filter_norm[weight / of.fan_in];
    }
    throw Error("no feature is number {}", static_cast<int>(feature));
}

FeatureTable FaultFeatures::table(const FaultTable& faults) const
{
    std::vector<std::vector<float>> columns = {as_floats(faults.sign), as_floats(faults.bit),
                                               as_floats(faults.layer), as_floats(faults.out_channel),
                                               as_floats(faults.in_channel)};
    for (const ExtraFeature feature : extra_)
    {
        std::vector<float> column(faults.size());
        for (std::size_t row = 0; row < column.size(); ++row)
        {
            column[row] = value(feature, static_cast<std::size_t>(faults.layer[row]), faults.parameter[row],
                                faults.bit[row]);
        }
        columns.push_back(std::move(column));
    }
    return make_feature_table(names(), columns);
}

}  // namespace flipstorm
