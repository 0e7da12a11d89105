// Stage `train`: data set → model.h5.

#include "engine/base/durable_file.hpp"
#include "engine/base/log.hpp"
#include "engine/base/sha256.hpp"
#include "engine/train/train.hpp"
#include "jobs/inputs.hpp"
#include "jobs/job_print.hpp"
#include "jobs/stages.hpp"

namespace flipstorm
{
namespace
{

StageEnd train_on_root(const Context& context)
{
    const Job& job = context.job;
    const std::filesystem::path file = context.file("model.h5");
    const Dataset dataset = load_dataset(job);
    const std::string dataset_sha256 = sha256_hex(digest(dataset.train) + digest(dataset.test));
    const std::string stage_sha256 = train_digest(job, dataset_sha256);
    if (output_is_current(context, file, stage_sha256, true)) return StageEnd::complete;
    make_folder(context.out());

    const ImageSet& images = dataset.train;
    Network network = fresh_network(job, dataset);
    TrainOptions options;
    options.epochs = job.train.epochs;
    options.batch = job.train.batch;
    options.lr = job.train.lr;
    options.momentum = job.train.momentum;
    options.weight_decay = job.train.weight_decay;
    options.clip = job.train.clip;
    options.schedule = schedule_from(job.train.schedule);
    options.seed = job.job.seed;
    options.device = context.device;
    log_info("training {} on {} images for {} epochs, {} on {} thread(s)", network.arch, images.size(),
             options.epochs, to_string(options.device), context.threads);
    set_compute_threads(context.threads);
    const auto on_epoch = [&](const EpochReport& report) {
        log_info("epoch {}/{}: loss {:.4f}, training accuracy {:.2f} %, {:.1f} s", report.epoch,
                 options.epochs, report.loss, 100 * report.train_accuracy, report.seconds);
    };
    if (!train(network, images, options, on_epoch, [&] { return context.stop->check().has_value(); }))
    {
        log_warning("training stopped ({}); it starts again from the beginning next time",
                    context.stop->check()->text);
        return StageEnd::stopped;
    }
    ModelRecord record = to_record(network);
    record.test_accuracy = accuracy(network, dataset.test, options.device);
    record.provenance = make_provenance(context, stage_sha256, digest(network), dataset_sha256);
    write_model(file, record);
    log_info("{}: {:.2f} % of {} test images correct", file.string(), 100 * record.test_accuracy,
             dataset.test.size());
    return StageEnd::complete;
}

}  // namespace

std::string train_digest(const Job& job, const std::string& dataset_sha256)
{
    Job relevant = job;
    relevant.data.test_images = 0;  // what a campaign looks at
    return sha256_hex("flipstorm train 1\n" + canonical_tables(relevant, {"data", "model", "train"}) +
                      dataset_sha256);
}

StageEnd run_train(const Context& context)
{
    if (!context.job.model.file.empty())
    {
        log_info("model.file names {}: nothing to train", context.job.model.file);
        return StageEnd::complete;
    }
    return on_root(context, [&] { return train_on_root(context); });
}

}  // namespace flipstorm
