#include "hdf5_schema/model_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <utility>

#include "engine/memory/stored_tensor.hpp"
#include "hdf5_schema/word_columns.hpp"

namespace flipstorm
{
namespace
{

/// Minor version that had all that a network of fp32 is.
constexpr std::int32_t kMinorOfFloats = 2;

std::int32_t minor_version_of(const ModelRecord& model)
{
    const bool floats =
        model.activations.empty() && std::all_of(model.parameters.begin(), model.parameters.end(),
                                                 [](const ParameterRecord& p) { return p.codes.empty(); });
    return floats ? kMinorOfFloats : model_spec().minor;
}

void write_codes(H5Writer& out, const ParameterRecord& parameter)
{
    const FormatTraits* const format = find_format(parameter.format);
    FS_REQUIRE(format != nullptr, "parameter '{}' is {}, which is no format", parameter.name,
               parameter.format);
    const std::string path = "/codes/" + parameter.name;
    const std::vector<hsize_t> dims(parameter.shape.begin(), parameter.shape.end());
    write_words(out, path, parameter.codes, format->bits, dims);
    out.attribute(path, "format", parameter.format);
    if (!parameter.scales.empty()) out.dataset("/scales/" + parameter.name, parameter.scales.get());
}

std::vector<std::string> names_if_there(const H5Reader& in, const std::string& group)
{
    return in.has(group) ? in.names(group) : std::vector<std::string>();
}

bool has_name(const std::vector<std::string>& names, const std::string& name)
{
    return std::find(names.begin(), names.end(), name) != names.end();
}

/// Words, format and scales of a parameter, whose values are there.
void read_codes(const H5Reader& in, const std::vector<std::string>& with_scales, ParameterRecord& parameter)
{
    const std::string path = "/codes/" + parameter.name;
    parameter.format = in.text_attribute(path, "format");
    const FormatTraits* const format = find_format(parameter.format);
    in.expect(format != nullptr && !format->words_are_values,
              fmt::format("'{}' is of format '{}', which is none that words are stored in here", path,
                          parameter.format));
    const std::vector<hsize_t> dims = in.dims(path);
    in.expect(std::vector<std::int64_t>(dims.begin(), dims.end()) == parameter.shape,
              fmt::format("'{}' has shape [{}], the parameter [{}]", path, fmt::join(dims, ", "),
                          fmt::join(parameter.shape, ", ")));
    parameter.codes = read_words(in, path, format->bits);
    in.expect(parameter.codes.size() == parameter.values.size(), fmt::format("'{}' has no values", path));
    const std::string scales_path = "/scales/" + parameter.name;
    const bool has_scales = has_name(with_scales, parameter.name);
    in.expect(has_scales || format->scaling == Scaling::none,
              fmt::format("'{}' is missing, the scale of '{}' in {}", scales_path, path, format->name));
    if (has_scales) parameter.scales = in.dataset<float>(scales_path);
    const std::string problem = scales_problem(*format, parameter.scales, parameter.shape);
    in.expect(problem.empty(), fmt::format("'{}': {}", scales_path, problem));
}

/// \throws FileError unless the words of a parameter read as its values, bit for bit, all of them numbers.
void require_decoded(const H5Reader& in, const ParameterRecord& parameter)
{
    const StoredTensor read = StoredTensor::of_words(parameter.shape, parameter.codes,
                                                     *find_format(parameter.format), parameter.scales);
    const std::vector<float>& values = parameter.values;
    const auto same = [](float value, float decoded) {
        return std::memcmp(&value, &decoded, sizeof value) == 0 && !std::isnan(decoded);
    };
    const auto first = std::mismatch(values.begin(), values.end(), read.values().begin(), same).first;
    if (first == values.end()) return;
    const auto i = static_cast<std::size_t>(first - values.begin());
    in.expect(false,
              fmt::format("element {} of '/parameters/{}' is {}, but its word {:#x} in '/codes' reads as {}",
                          i, parameter.name, values[i], parameter.codes[i], read.values()[i]));
}

void read_all_codes(const H5Reader& in, ModelRecord& model)
{
    const std::vector<std::string> coded = names_if_there(in, "/codes");
    const std::vector<std::string> with_scales = names_if_there(in, "/scales");
    for (const std::string& name : with_scales)
        in.expect(has_name(coded, name), fmt::format("'/scales/{0}' is there, but no '/codes/{0}'", name));
    std::size_t found = 0;
    for (ParameterRecord& parameter : model.parameters)
    {
        if (!has_name(coded, parameter.name)) continue;
        ++found;
        read_codes(in, with_scales, parameter);
        require_decoded(in, parameter);
    }
    in.expect(found == coded.size(),
              fmt::format("'/codes' has {} tensors, of which {} are in '/parameters'", coded.size(), found));
    // A format that is none is refused with what else is wrong with the network.
    const FormatTraits* const format = find_format(model.format);
    const bool has_its_format =
        format == nullptr || format->words_are_values ||
        std::any_of(model.parameters.begin(), model.parameters.end(),
                    [&](const ParameterRecord& parameter) { return parameter.format == model.format; });
    in.expect(has_its_format, fmt::format("its format is '{}', but no tensor of '/codes' is", model.format));
}

void read_activations(const H5Reader& in, ModelRecord& model)
{
    for (const std::string& node : names_if_there(in, "/activations"))
    {
        const std::string path = "/activations/" + node;
        model.activations.push_back(
            {node, in.attribute<float>(path, "scale"), in.attribute<std::int32_t>(path, "bits")});
        const ActivationRecord& activation = model.activations.back();
        in.expect(
            std::isfinite(activation.scale) && activation.scale > 0,
            fmt::format("'scale' of '{}' is {}; a scale is finite and above 0", path, activation.scale));
        in.expect(activation.bits >= 2 && activation.bits <= 32,
                  fmt::format("'bits' of '{}' is {}; 2 … 32 are possible", path, activation.bits));
    }
    const bool whole =
        std::any_of(model.parameters.begin(), model.parameters.end(),
                    [](const ParameterRecord& p) { return find_format(p.format)->whole_numbers; });
    in.expect(whole == !model.activations.empty(),
              whole ? "'/activations' is missing: words of '/codes' are whole numbers"
                    : "'/activations' is there, but no words of '/codes' are whole numbers");
}

void read_training(const H5Reader& in, TrainingColumns& training)
{
    training.epoch = in.dataset<std::int32_t>("/training/epoch");
    training.loss = in.dataset<double>("/training/loss");
    training.train_accuracy = in.dataset<double>("/training/train_accuracy");
    training.learning_rate = in.dataset<double>("/training/learning_rate");
    training.seconds = in.dataset<double>("/training/seconds");
    const std::size_t epochs = training.epoch.size();
    in.expect(training.loss.size() == epochs && training.train_accuracy.size() == epochs &&
                  training.learning_rate.size() == epochs && training.seconds.size() == epochs,
              "the columns of '/training' differ in length");
}

}  // namespace

void write_model(const std::filesystem::path& file, const ModelRecord& model)
{
    H5Writer out(file, model_spec(), model.provenance, minor_version_of(model));
    out.attribute("/", "arch", model.arch);
    out.attribute("/", "format", model.format);
    out.attribute("/", "input_shape", model.input_shape);
    out.attribute("/", "num_classes", model.num_classes);
    out.attribute("/", "mean", model.mean);
    out.attribute("/", "std", model.std_dev);
    out.attribute("/", "test_accuracy", model.test_accuracy);
    out.text("/graph", model.graph);
    for (const ParameterRecord& parameter : model.parameters)
    {
        out.dataset("/parameters/" + parameter.name, parameter.values.get(),
                    std::vector<hsize_t>(parameter.shape.begin(), parameter.shape.end()));
        if (!parameter.codes.empty()) write_codes(out, parameter);
    }
    for (const ActivationRecord& activation : model.activations)
    {
        out.attribute("/activations/" + activation.node, "scale", activation.scale);
        out.attribute("/activations/" + activation.node, "bits", activation.bits);
    }
    out.dataset("/training/epoch", model.training.epoch);
    out.dataset("/training/loss", model.training.loss);
    out.dataset("/training/train_accuracy", model.training.train_accuracy);
    out.dataset("/training/learning_rate", model.training.learning_rate);
    out.dataset("/training/seconds", model.training.seconds);
    out.publish();
}

ModelRecord read_model(const std::filesystem::path& file)
{
    constexpr std::size_t kMostDimensions = 8;
    const H5Reader in(file, model_spec());
    ModelRecord model;
    model.provenance = in.provenance();
    model.arch = in.text_attribute("/", "arch");
    model.format = in.text_attribute("/", "format");
    model.input_shape = in.attributes<std::int32_t>("/", "input_shape");
    in.expect(model.input_shape.size() == 3, "'input_shape' is not [C, H, W]");
    in.expect(std::all_of(model.input_shape.begin(), model.input_shape.end(),
                          [](std::int32_t size) { return size > 0; }),
              fmt::format("'input_shape' is [{}]", fmt::join(model.input_shape, ", ")));
    model.num_classes = in.attribute<std::int32_t>("/", "num_classes");
    in.expect(model.num_classes > 0, fmt::format("'num_classes' is {}", model.num_classes));
    model.mean = in.attributes<float>("/", "mean");
    model.std_dev = in.attributes<float>("/", "std");
    model.test_accuracy = in.attribute<double>("/", "test_accuracy");
    in.expect(std::isnan(model.test_accuracy) || (model.test_accuracy >= 0 && model.test_accuracy <= 1),
              fmt::format("'test_accuracy' is {}; 0 … 1 is possible", model.test_accuracy));
    const std::vector<std::string> graph = in.texts("/graph");
    in.expect(graph.size() == 1, "'/graph' is not a single text");
    model.graph = graph.front();
    for (const std::string& name : in.names("/parameters"))
    {
        const std::string path = "/parameters/" + name;
        const std::vector<hsize_t> dims = in.dims(path);
        in.expect(dims.size() <= kMostDimensions, fmt::format("'{}' has {} dimensions", path, dims.size()));
        std::vector<float> values = in.dataset<float>(path);
        in.expect(values.size() == std::accumulate(dims.begin(), dims.end(), hsize_t{1}, std::multiplies<>()),
                  fmt::format("'{}' has no values", path));
        model.parameters.push_back(
            {name, std::vector<std::int64_t>(dims.begin(), dims.end()), std::move(values)});
    }
    read_all_codes(in, model);
    read_activations(in, model);
    if (in.minor_version() >= 1) read_training(in, model.training);
    return model;
}

}  // namespace flipstorm
