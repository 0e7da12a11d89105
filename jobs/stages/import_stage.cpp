// Command `import`: TorchScript file → model.h5.

#include <fmt/ranges.h>
#include <algorithm>
#include <utility>

#include "engine/base/durable_file.hpp"
#include "engine/base/log.hpp"
#include "engine/base/sha256.hpp"
#include "engine/network/import/torchscript/torchscript.hpp"
#include "engine/train/train.hpp"
#include "jobs/resolve/inputs.hpp"
#include "jobs/resolve/stage_digest.hpp"
#include "jobs/resolve/stoppable.hpp"
#include "jobs/stages/stages.hpp"

namespace flipstorm
{
namespace
{

/// Images of noise, and at most so many test images, on which logits are compared with TorchScript's.
constexpr std::int64_t kNoiseImages = 32;
constexpr std::int64_t kTestImages = 1000;

/// \throws DataError if the graph does not compute what the TorchScript does.
void require_agreement(const std::filesystem::path& model, const LogitAgreement& agreement,
                       const std::string& images)
{
    FS_CHECK(
        DataError, agreement.holds(),
        "'{}': on {} {} the imported graph's logits differ by up to {:.3g} from TorchScript's, which are up "
        "to {:.3g}; more than {:.0e} of that is no rounding, so the graph is not that network",
        model.string(), agreement.images, images, agreement.max_difference, agreement.largest_logit,
        LogitAgreement::kTolerance);
    log_info(
        "{} {}: logits up to {:.3g}, largest difference from TorchScript's {:.2g}, {} with another top-1",
        agreement.images, images, agreement.largest_logit, agreement.max_difference, agreement.top1_changed);
}

/// Say which parameters are not called as in the state dict.
void report_names(const std::vector<std::pair<std::string, std::string>>& renamed)
{
    std::vector<std::string> nameless;
    for (const auto& [from, name] : renamed)
    {
        if (from.empty()) nameless.push_back(name);
        if (!from.empty()) log_warning("the parameter '{}' is called '{}' in the graph", from, name);
    }
    if (nameless.empty()) return;
    const std::size_t shown = std::min<std::size_t>(nameless.size(), 4);
    log_info("{} parameter(s) that the state dict does not have: {}{}", nameless.size(),
             fmt::join(nameless.begin(), nameless.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
             shown < nameless.size() ? ", …" : "");
}

/// What is said of labels that are none of the outputs: "'model.pt' has 26 outputs; 'data'".
std::string outputs_text(const Job& job, const std::filesystem::path& model, std::int32_t outputs)
{
    constexpr std::int32_t kSuperclasses = 20;
    const bool coarse = job.data.kind == "cifar100" && job.data.labels == "fine" && outputs == kSuperclasses;
    return fmt::format("'{}' has {} outputs{}; '{}'", model.string(), outputs,
                       coarse ? ", as many as CIFAR-100 has superclasses (data.labels = \"coarse\")" : "",
                       data_name(job));
}

/// Take the network's outputs for the classes of the data set. \throws DataError where a label is none of
/// them
void judge_by_network(Dataset& dataset, const Network& network, const std::string& where)
{
    const std::int32_t expected = std::exchange(dataset.num_classes, network.num_classes);
    check_dataset(dataset, where);
    if (expected < network.num_classes)
    {
        log_info("the network has {} outputs, the data set {} classes: answers beyond these are wrong ones",
                 network.num_classes, expected);
    }
}

StageEnd import_on_root(const Context& context, const std::filesystem::path& model,
                        const std::filesystem::path& to, const StopRequest& stop)
{
    const Job& job = context.job;
    FS_CHECK(JobError, number_format(job.model.format) == NumberFormat::fp32,
             "model.format is \"{}\"; TorchScript networks are imported as \"fp32\"", job.model.format);
    const TorchScript script(model);
    stop_if_asked(stop);
    Dataset dataset = load_dataset(job);
    const std::string dataset_sha256 = sha256_hex(digest(dataset.train) + digest(dataset.test));
    const std::string stage_sha256 = import_digest(job, script.sha256(), dataset_sha256);
    if (output_is_current(context, to, stage_sha256, true)) return StageEnd::complete;

    set_compute_threads(context.threads);
    const ImageSet& images = dataset.test;
    const auto [network, renamed] =
        script.to_network({images.channels, images.height, images.width}, dataset.normalisation);
    judge_by_network(dataset, network, outputs_text(job, model, network.num_classes));
    log_info("{}", normalisation_text(dataset));
    report_names(renamed);
    stop_if_asked(stop);
    require_agreement(model, script.compare_on_noise(network, kNoiseImages, job.job.seed), "images of noise");
    stop_if_asked(stop);
    require_agreement(model, script.compare(network, images.head(std::min(images.size(), kTestImages))),
                      "test images");
    stop_if_asked(stop);

    ModelRecord record = to_record(network);
    record.test_accuracy = accuracy(network, images, context.device);
    record.provenance = make_provenance(context, stage_sha256, digest(network), dataset_sha256);
    stop_if_asked(stop);
    if (to.has_parent_path()) make_folder(to.parent_path());
    write_model(to, record);
    log_info("{}: {} nodes, {} injectable layers, {} classes, {:.2f} % of {} test images correct",
             to.string(), network.graph.nodes().size(), injectable_layers(network).size(),
             network.num_classes, 100 * record.test_accuracy, images.size());
    warn_of_chance(record.test_accuracy, images.size(), network.num_classes);
    return StageEnd::complete;
}

}  // namespace

StageEnd run_import(const Context& context)
{
    const std::filesystem::path model = context.model_files.from;
    const std::filesystem::path to = context.model_files.to;
    return on_root_until_stopped(
        context, {"an import keeps nothing; run the same command again", {to}},
        [&](const StopRequest& stop) { return import_on_root(context, model, to, stop); });
}

}  // namespace flipstorm
