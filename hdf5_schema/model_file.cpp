#include "hdf5_schema/model_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "hdf5_schema/h5_reader.hpp"
#include "hdf5_schema/h5_writer.hpp"

namespace flipstorm
{

void write_model(const std::filesystem::path& file, const ModelRecord& model)
{
    H5Writer out(file, model_spec(), model.provenance);
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
        model.parameters.push_back(
            {name, std::vector<std::int64_t>(dims.begin(), dims.end()), in.dataset<float>(path)});
    }
    if (in.minor_version() < 1) return model;
    model.training.epoch = in.dataset<std::int32_t>("/training/epoch");
    model.training.loss = in.dataset<double>("/training/loss");
    model.training.train_accuracy = in.dataset<double>("/training/train_accuracy");
    model.training.learning_rate = in.dataset<double>("/training/learning_rate");
    model.training.seconds = in.dataset<double>("/training/seconds");
    const TrainingColumns& training = model.training;
    const std::size_t epochs = training.epoch.size();
    in.expect(training.loss.size() == epochs && training.train_accuracy.size() == epochs &&
                  training.learning_rate.size() == epochs && training.seconds.size() == epochs,
              "the columns of '/training' differ in length");
    return model;
}

}  // namespace flipstorm
