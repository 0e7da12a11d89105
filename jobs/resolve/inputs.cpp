#include "jobs/resolve/inputs.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "analysis/golden_check.hpp"
#include "engine/base/error.hpp"
#include "engine/base/failure_text.hpp"
#include "engine/base/log.hpp"
#include "engine/data/cifar.hpp"
#include "engine/data/idx.hpp"
#include "engine/data/synthetic.hpp"
#include "engine/network/builders.hpp"
#include "engine/network/graph_json.hpp"
#include "jobs/resolve/format_choice.hpp"

namespace flipstorm
{
namespace
{

Cifar cifar_of(const Job& job)
{
    if (job.data.kind == "cifar10") return Cifar::cifar10;
    if (job.data.kind == "cifar100")
        return job.data.labels == "coarse" ? Cifar::cifar100_coarse : Cifar::cifar100;
    throw JobError("data.kind: '{}' is not known; this build has: idx, cifar10, cifar100, synthetic",
                   job.data.kind);
}

/// \throws DataError, naming the file, if its format is none that this build has.
NumberFormat format_of(const ModelRecord& record, const std::filesystem::path& file)
{
    try
    {
        return number_format(record.format);
    }
    catch (const JobError& error)
    {
        throw DataError("'{}': {}", file.string(), error.what());
    }
}

/// A parameter as it was stored. \throws DataError if its format is none
Parameter parameter_from(ParameterRecord record)
{
    const FormatTraits* const format = find_format(record.format);
    FS_CHECK(DataError, format != nullptr, "parameter '{}' is of format '{}', which is none", record.name,
             record.format);
    if (format->words_are_values)
        return {std::move(record.name), std::move(record.shape), std::move(record.values), *format};
    return {std::move(record.name), StoredTensor::of_words(std::move(record.shape), std::move(record.codes),
                                                           *format, std::move(record.scales))};
}

/// Of all nodes, in their order, or of none. \throws DataError, naming the file and a node that has none
std::vector<StoredActivation> activations_from(const std::vector<ActivationRecord>& records,
                                               const Graph& graph, const std::filesystem::path& file)
{
    std::vector<StoredActivation> activations;
    if (records.empty()) return activations;
    std::map<std::string, const ActivationRecord*> by_node;
    for (const ActivationRecord& record : records)
        by_node[record.node] = &record;
    for (const Node& node : graph.nodes())
    {
        const auto found = by_node.find(node.name);
        FS_CHECK(DataError, found != by_node.end(), "'{}' lacks the activation of node '{}'", file.string(),
                 node.name);
        activations.push_back({found->second->scale, found->second->bits});
        by_node.erase(found);
    }
    FS_CHECK(DataError, by_node.empty(), "'{}' has an activation of '{}', which is no node of its graph",
             file.string(), by_node.begin()->first);
    return activations;
}

/// Classes of a data set whose labels are 0 … classes − 1 before the offset is subtracted.
std::int32_t shifted_classes(std::int32_t classes, std::int64_t offset)
{
    return static_cast<std::int32_t>(std::max<std::int64_t>(2, classes - offset));
}

std::string data_set_of(const Job& job)
{
    return fmt::format("reading the data set '{}' (data.path, data.kind = \"{}\")", job.data.path,
                       job.data.kind);
}

/// load_dataset(), where memory may run out without a word of what for.
Dataset read_dataset(const Job& job)
{
    Dataset dataset;
    if (job.data.kind == "idx")
    {
        dataset = read_idx_dataset(job.data.path);
    }
    else if (job.data.kind == "synthetic")
    {
        dataset = make_synthetic_dataset(job.job.seed);
    }
    else
    {
        dataset = read_cifar_dataset(cifar_of(job), job.data.path);
    }
    shift_labels(dataset.train, job.data.label_offset);
    shift_labels(dataset.test, job.data.label_offset);
    // Of an IDX data set nothing but the labels says how many classes there are.
    dataset.num_classes = job.data.kind == "idx"
                              ? class_count(dataset.train)
                              : shifted_classes(dataset.num_classes, job.data.label_offset);
    if (!job.data.mean.empty())
    {
        FS_CHECK(JobError, job.data.mean.size() == static_cast<std::size_t>(dataset.train.channels),
                 "data.mean has {} values, the images have {} channels", job.data.mean.size(),
                 dataset.train.channels);
        dataset.normalisation.mean.assign(job.data.mean.begin(), job.data.mean.end());
        dataset.normalisation.std_dev.assign(job.data.std.begin(), job.data.std.end());
        dataset.normalisation_source = "given by the job";
    }
    if (job.data.train_images != 0)
    {
        FS_CHECK(JobError, job.data.train_images <= dataset.train.size(),
                 "data.train_images = {}, but the training set has {} images", job.data.train_images,
                 dataset.train.size());
        dataset.train = dataset.train.head(job.data.train_images);
    }
    return dataset;
}

ImageSet read_test_images(const Job& job)
{
    ImageSet images;
    if (job.data.kind == "idx")
    {
        images = read_idx_test_images(job.data.path);
    }
    else if (job.data.kind == "synthetic")
    {
        images = make_synthetic_test_images(job.job.seed);
    }
    else
    {
        images = read_cifar_test_images(cifar_of(job), job.data.path);
    }
    shift_labels(images, job.data.label_offset);
    if (job.data.test_images == 0) return images;
    FS_CHECK(JobError, job.data.test_images <= images.size(),
             "data.test_images = {}, but the test set has {} images", job.data.test_images, images.size());
    return images.head(job.data.test_images);
}

}  // namespace

std::string data_name(const Job& job)
{
    return job.data.path.empty() ? job.data.kind : job.data.path;
}

std::string normalisation_text(const Dataset& dataset)
{
    return fmt::format("mean [{}] and std [{}] of pixel / 255: {}",
                       fmt::join(dataset.normalisation.mean, ", "),
                       fmt::join(dataset.normalisation.std_dev, ", "), dataset.normalisation_source);
}

Dataset load_dataset(const Job& job)
{
    return naming_memory(data_set_of(job), [&] { return read_dataset(job); });
}

ImageSet load_test_images(const Job& job)
{
    return naming_memory(data_set_of(job), [&] { return read_test_images(job); });
}

Network fresh_network(const Job& job, const Dataset& dataset)
{
    check_dataset(dataset, data_name(job));
    const ImageSet& images = dataset.train;
    return build_network(job.model.arch, {images.channels, images.height, images.width}, dataset.num_classes,
                         dataset.normalisation, job.job.seed,
                         {activation_from(job.model.activation), layer_order_from(job.model.order),
                          shortcut_from(job.model.shortcut), initialisation_from(job.train.init)});
}

Network first_network(const Job& job, const Dataset& dataset)
{
    if (!fine_tunes(job)) return fresh_network(job, dataset);
    Network network = load_network(job.model.file);
    const ImageSet& images = dataset.train;
    const Shape shape{images.channels, images.height, images.width};
    FS_CHECK(DataError, shape == network.graph.input_shape(),
             "the network of '{}' takes images of {}; those of '{}' are {}", job.model.file,
             network.graph.input_shape(), data_name(job), shape);
    const std::string where =
        fmt::format("'{}' has {} outputs; '{}'", job.model.file, network.num_classes, data_name(job));
    check_images(images, network.num_classes, where + ", training set");
    check_images(dataset.test, network.num_classes, where + ", test set");
    return network;
}

void warn_of_chance(double accuracy, std::int64_t images, std::int32_t classes)
{
    const auto correct = static_cast<std::uint64_t>(std::llround(accuracy * static_cast<double>(images)));
    const std::string warning =
        chance_warning(correct, static_cast<std::uint64_t>(images), static_cast<std::uint64_t>(classes));
    if (!warning.empty()) log_warning("{}", warning);
}

ModelRecord to_record(const Network& network)
{
    ModelRecord record;
    record.arch = network.arch;
    record.format = to_string(network.format);
    for (const std::int64_t size : network.graph.input_shape())
        record.input_shape.push_back(static_cast<std::int32_t>(size));
    record.num_classes = network.num_classes;
    record.mean = network.normalisation.mean;
    record.std_dev = network.normalisation.std_dev;
    record.graph = to_json(network.graph);
    for (const Parameter& parameter : network.parameters)
    {
        record.parameters.push_back({parameter.name, parameter.shape(), parameter.values(),
                                     parameter.traits().name, parameter.words(), parameter.scales()});
    }
    for (std::size_t i = 0; i < network.activations.size(); ++i)
    {
        const StoredActivation& activation = network.activations[i];
        record.activations.push_back({network.graph.nodes()[i].name, activation.scale, activation.bits});
    }
    return record;
}

Network from_record(ModelRecord record, const std::filesystem::path& file)
{
    Graph graph = naming(file, [&] { return graph_from_json(record.graph); });
    Network network{record.arch,        format_of(record, file),       std::move(graph),
                    record.num_classes, {record.mean, record.std_dev}, {}};
    const Shape shape(record.input_shape.begin(), record.input_shape.end());
    FS_CHECK(DataError, shape == network.graph.input_shape(), "'{}': 'input_shape' is not that of its graph",
             file.string());
    for (const ParameterSpec& spec : network.graph.parameters())
    {
        const auto found = std::find_if(record.parameters.begin(), record.parameters.end(),
                                        [&](const ParameterRecord& p) { return p.name == spec.name; });
        FS_CHECK(DataError, found != record.parameters.end(), "'{}' lacks the parameter '{}'", file.string(),
                 spec.name);
        network.parameters.push_back(naming(file, [&] { return parameter_from(std::move(*found)); }));
    }
    network.activations = activations_from(record.activations, network.graph, file);
    check_network(network, file.string());
    return network;
}

Network load_network(const std::filesystem::path& file)
{
    ModelRecord record =
        naming_memory(fmt::format("reading '{}'", file.string()), [&] { return read_model(file); });
    const std::string named = record.provenance.model_sha256;
    Network network = from_record(std::move(record), file);
    FS_CHECK(DataError, named.empty() || digest(network) == named,
             "'{}' is not what its model_sha256 names: it was changed after it was written; to use it as it "
             "is, set that "
             "attribute to an empty text",
             file.string());
    return network;
}

Network load_network_of(const Job& job, const std::filesystem::path& file)
{
    Network network = load_network(file);
    const FormatChoice choice = format_choice(job.model);
    const bool asks = choice.format != NumberFormat::fp32 || !choice.of_layer.empty();
    if (!asks || file == job.model.file) return network;
    for (const InjectableLayer& layer : injectable_layers(network))
    {
        const NumberFormat stored = network.parameters[layer.weight].format();
        const NumberFormat asked = choice.layer_format(network.graph.node(layer.node).name);
        FS_CHECK(JobError, stored == asked,
                 "layer '{}' of '{}' is stored in {}, and [model] asks for {}: 'flipstorm train --fresh' "
                 "trains the "
                 "network anew, and another job.out leaves it as it is",
                 layer.name, file.string(), to_string(stored), to_string(asked));
    }
    return network;
}

}  // namespace flipstorm
