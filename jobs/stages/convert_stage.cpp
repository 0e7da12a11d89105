// Command `convert`: model.h5 of fp32 → model.h5 in other number formats.

#include <fmt/ranges.h>

#include <algorithm>

#include "engine/base/durable_file.hpp"
#include "engine/base/log.hpp"
#include "engine/base/sha256.hpp"
#include "engine/network/network_format.hpp"
#include "engine/train/calibrate.hpp"
#include "engine/train/train.hpp"
#include "jobs/resolve/format_choice.hpp"
#include "jobs/resolve/inputs.hpp"
#include "jobs/resolve/stage_digest.hpp"
#include "jobs/resolve/stoppable.hpp"
#include "jobs/stages/stages.hpp"

namespace flipstorm
{
namespace
{

/// "int8", "fxp8 with conv1 in fxp16"
std::string formats_text(const FormatChoice& choice)
{
    std::string others;
    for (const auto& [layer, format] : choice.of_layer)
    {
        if (format != choice.format)
            others += fmt::format("{}{} in {}", others.empty() ? " with " : ", ", layer, to_string(format));
    }
    return to_string(choice.format) + others;
}

/// The network to convert. \throws DataError unless all of it is fp32; JobError if the job asks for nothing
/// else
Network network_of_floats(const std::filesystem::path& model, const FormatChoice& choice)
{
    Network network = load_network(model);
    for (const Parameter& parameter : network.parameters)
    {
        FS_CHECK(DataError, parameter.format() == NumberFormat::fp32,
                 "'{}' is {} already ('{}' is {}); only networks of fp32 are converted", model.string(),
                 to_string(network.format), parameter.name, parameter.traits().name);
    }
    check_choice(choice, network.graph);
    const bool asks = choice.format != NumberFormat::fp32 ||
                      std::any_of(choice.of_layer.begin(), choice.of_layer.end(),
                                  [](const auto& of_layer) { return of_layer.second != NumberFormat::fp32; });
    FS_CHECK(JobError, asks,
             "model.format is \"fp32\", which '{}' is already; set another one, or that of some layers "
             "(model.formats)",
             model.string());
    return network;
}

/// \throws DataError unless the images and labels of a set fit the network.
void require_images_of(const Network& network, const ImageSet& images, const std::string& where)
{
    const Shape shape{images.channels, images.height, images.width};
    FS_CHECK(DataError, shape == network.graph.input_shape(),
             "the images of '{}' are {}; the network's are {}", where, shape, network.graph.input_shape());
    check_images(images, network.num_classes, where);
}

StageEnd convert_on_root(const Context& context, const std::filesystem::path& model,
                         const std::filesystem::path& to, const StopRequest& stop)
{
    const Job& job = context.job;
    std::error_code no_such_file;
    FS_CHECK(JobError, !std::filesystem::equivalent(model, to, no_such_file),
             "--to names '{}', the file to convert; name another one", to.string());
    const FormatChoice choice = format_choice(job.model);
    const Network network = network_of_floats(model, choice);
    stop_if_asked(stop);
    const Dataset dataset = load_dataset(job);
    const std::string dataset_sha256 = sha256_hex(digest(dataset.train) + digest(dataset.test));
    const std::string stage_sha256 = convert_digest(job, digest(network), dataset_sha256);
    if (output_is_current(context, to, stage_sha256, true)) return StageEnd::complete;

    set_compute_threads(context.threads);
    require_images_of(network, dataset.train, data_name(job) + ", training set");
    require_images_of(network, dataset.test, data_name(job) + ", test set");
    stop_if_asked(stop);
    std::vector<float> ranges(network.graph.nodes().size(), 0.0F);
    if (choice.in_integers())
    {
        ranges = calibrate_ranges(network, dataset.train, context.device);
        log_info("ranges of the values between layers: of {} training images",
                 std::min(dataset.train.size(), kCalibrationImages));
    }
    stop_if_asked(stop);
    const Network stored = stored_as(network, choice, ranges);
    check_network(stored, model.string());
    const double before = accuracy(network, dataset.test, context.device);
    stop_if_asked(stop);

    ModelRecord record = to_record(stored);
    record.test_accuracy = accuracy(stored, dataset.test, context.device);
    record.provenance = make_provenance(context, stage_sha256, digest(stored), dataset_sha256);
    stop_if_asked(stop);
    if (to.has_parent_path()) make_folder(to.parent_path());
    write_model(to, record);
    log_info("{}: {}; of {} test images {:.2f} % correct, {:.2f} % in fp32", to.string(),
             formats_text(choice), dataset.test.size(), 100 * record.test_accuracy, 100 * before);
    warn_of_chance(record.test_accuracy, dataset.test.size(), network.num_classes);
    return StageEnd::complete;
}

}  // namespace

StageEnd run_convert(const Context& context)
{
    const std::filesystem::path model = context.model_files.from;
    const std::filesystem::path to = context.model_files.to;
    return on_root_until_stopped(
        context, {"a conversion keeps nothing; run the same command again", {to}},
        [&](const StopRequest& stop) { return convert_on_root(context, model, to, stop); });
}

}  // namespace flipstorm
