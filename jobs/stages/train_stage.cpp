// Stage `train`: data set → model.h5, on all ranks.

#include <filesystem>
#include <optional>

#include "engine/base/durable_file.hpp"
#include "engine/base/log.hpp"
#include "engine/base/sha256.hpp"
#include "engine/base/timing.hpp"
#include "engine/train/train.hpp"
#include "jobs/resolve/format_choice.hpp"
#include "jobs/resolve/inputs.hpp"
#include "jobs/resolve/stage_digest.hpp"
#include "jobs/resolve/train_options.hpp"
#include "jobs/stages/stages.hpp"
#include "jobs/stages/train_checkpoint.hpp"
#include "jobs/stages/training_ranks.hpp"
#include "mpi/agreed_error.hpp"

namespace flipstorm
{
namespace
{

/// What the ranks agree on before they train.
struct Preparation
{
    bool is_current = false;  ///< model.h5 is there
    std::string dataset_sha256;
    std::string stage_sha256;
    std::string checkpoint;  ///< its state, encoded; empty: begin anew
};

/// Rank 0 looks at what is there; all learn what it found. \collective
Preparation prepare(const Context& context, const std::optional<Dataset>& dataset)
{
    Preparation found;
    on_root(context, [&] {
        found.dataset_sha256 = sha256_hex(digest(dataset->train) + digest(dataset->test));
        const std::string start_sha256 =
            fine_tunes(context.job) ? digest(load_network(context.job.model.file)) : std::string();
        found.stage_sha256 = train_digest(context.job, found.dataset_sha256, start_sha256);
        found.is_current = output_is_current(context, context.file("model.h5"), found.stage_sha256, true);
        if (found.is_current) return StageEnd::complete;
        make_folder(context.out());
        const std::filesystem::path file = context.file(kTrainCheckpoint);
        if (context.fresh) std::filesystem::remove(file);
        if (std::optional<TrainingState> state = read_checkpoint(file, found.stage_sha256))
        {
            found.checkpoint = encode_checkpoint({found.stage_sha256, std::move(*state)});
        }
        return StageEnd::complete;
    });
    found.is_current = context.world.broadcast(found.is_current ? 1U : 0U) != 0;
    context.world.broadcast(found.dataset_sha256);
    context.world.broadcast(found.stage_sha256);
    context.world.broadcast(found.checkpoint);
    return found;
}

/// The state of the checkpoint; that of the start, with a warning, if it cannot be one of this training.
TrainingState fitting_state(const Context& context, const Preparation& preparation, const Network& network,
                            const Dataset& dataset, const TrainOptions& options)
{
    TrainingState state = decode_checkpoint(preparation.checkpoint).state;
    const std::int64_t steps = (dataset.train.size() + options.batch - 1) / options.batch;
    const std::string problem = misfit(state, network, steps, options.epochs, options.format);
    if (problem.empty()) return state;
    if (context.world.is_root())
    {
        log_warning("checkpoint '{}' is ignored, the training begins anew: {}",
                    context.file(kTrainCheckpoint).string(), problem);
    }
    return {};
}

TrainObserver observer_of(const Context& context, const Preparation& preparation)
{
    TrainObserver observer;
    observer.should_stop = [&context] { return context.stop->check().has_value(); };
    if (!context.world.is_root()) return observer;
    const std::int64_t epochs = context.job.train.epochs;
    observer.on_epoch = [epochs](const EpochReport& report) {
        log_info("epoch {}/{}: loss {:.4f}, training accuracy {:.2f} %, {:.1f} s", report.epoch, epochs,
                 report.loss, 100 * report.train_accuracy, report.seconds);
    };
    // The ranks' states are equal: rank 0 saves its own, whenever its clock says so.
    observer.checkpoint_due = [last = Stopwatch(), minutes = context.job.train.checkpoint_minutes]() mutable {
        if (last.seconds() < 60 * minutes) return false;
        last = Stopwatch();
        return true;
    };
    observer.save = [file = context.file(kTrainCheckpoint),
                     stage_sha256 = preparation.stage_sha256](const TrainingState& state) {
        write_file_durably(file, encode_checkpoint({stage_sha256, state}));
    };
    return observer;
}

TrainingColumns columns_of(const std::vector<EpochReport>& curve)
{
    TrainingColumns columns;
    for (const EpochReport& report : curve)
    {
        columns.epoch.push_back(static_cast<std::int32_t>(report.epoch));
        columns.loss.push_back(report.loss);
        columns.train_accuracy.push_back(report.train_accuracy);
        columns.learning_rate.push_back(report.learning_rate);
        columns.seconds.push_back(report.seconds);
    }
    return columns;
}

/// Measure, write model.h5, and drop the checkpoint.
void finish_on_root(const Context& context, const Network& network, const Dataset& dataset,
                    const Preparation& preparation, const TrainingState& state)
{
    const std::filesystem::path file = context.file("model.h5");
    ModelRecord record = to_record(network);
    record.training = columns_of(state.curve);
    record.test_accuracy = accuracy(network, dataset.test, context.device);
    record.provenance =
        make_provenance(context, preparation.stage_sha256, digest(network), preparation.dataset_sha256);
    write_model(file, record);
    std::filesystem::remove(context.file(kTrainCheckpoint));
    log_info("{}: {:.2f} % of {} test images correct", file.string(), 100 * record.test_accuracy,
             dataset.test.size());
    warn_of_chance(record.test_accuracy, dataset.test.size(), network.num_classes);
}

/// Train, with errors that all ranks meet alike as such. \collective
bool train_together(Network& network, const Dataset& dataset, const TrainOptions& options,
                    JobTrainingRanks& ranks, TrainingState& state, const TrainObserver& observer,
                    TrainTiming& timing)
{
    try
    {
        return train(network, dataset.train, options, ranks, state, observer, &timing);
    }
    catch (const DataError& error)
    {
        throw AgreedError(error.what(), error.exit_code());
    }
    catch (const JobError& error)
    {
        throw AgreedError(error.what(), error.exit_code());
    }
}

/// Whether the job names a model that is used as it is. \collective
bool is_trained(const Context& context)
{
    if (context.job.model.file.empty()) return false;
    bool trained = false;
    on_root(context, [&] {
        trained = !fine_tunes(context.job);
        return StageEnd::complete;
    });
    return context.world.broadcast(trained ? 1U : 0U) != 0;
}

/// "training lenet5 on 60000 images for 6 epochs", and what else is not usual.
std::string training_text(const Context& context, const Network& network, const Dataset& dataset,
                          const TrainOptions& options)
{
    std::string text = fmt::format("training {} on {} images for {} epochs", network.arch,
                                   dataset.train.size(), options.epochs);
    if (options.format.format != NumberFormat::fp32)
        text += fmt::format(", for {}", to_string(options.format.format));
    if (!context.job.model.file.empty()) text += fmt::format(", from '{}'", context.job.model.file);
    return text;
}

}  // namespace

StageEnd run_train(const Context& context)
{
    if (is_trained(context))
    {
        log_info("model.file names {}: nothing to train", context.job.model.file);
        return StageEnd::complete;
    }
    // The other ranks read the images only once there is something to train.
    std::optional<Dataset> dataset;
    on_root(context, [&] {
        dataset = load_dataset(context.job);
        return StageEnd::complete;
    });
    const Preparation preparation = prepare(context, dataset);
    if (preparation.is_current) return StageEnd::complete;
    std::optional<Network> network;
    on_all(context.world, [&] {
        if (!dataset) dataset = load_dataset(context.job);
        network = first_network(context.job, *dataset);
    });

    TrainOptions options = train_options(context.job);
    options.device = context.device;
    TrainingState state;
    if (!preparation.checkpoint.empty())
        state = fitting_state(context, preparation, *network, *dataset, options);
    set_compute_threads(context.threads);
    if (context.job.model.file.empty()) log_info("{}", normalisation_text(*dataset));
    log_info("{}: {} rank(s), {}, {} thread(s) each{}", training_text(context, *network, *dataset, options),
             context.world.size(), to_string(options.device), context.threads,
             state.step > 0 ? fmt::format("; {} steps are done already", state.step) : std::string());
    JobTrainingRanks ranks(context.world, options.device, context.job.device.collectives);
    TrainTiming timing;
    if (!train_together(*network, *dataset, options, ranks, state, observer_of(context, preparation), timing))
    {
        const std::optional<StopReason> reason = context.stop->check();
        if (context.world.is_root())
        {
            log_warning("training stopped ({}) after {} of {} epochs; run the same command to go on",
                        reason ? reason->text : "another rank was asked to", state.curve.size(),
                        options.epochs);
        }
        return StageEnd::stopped;
    }
    if (context.world.size() > 1)
    {
        log_info("{:.1f} s, {:.1f} % of them waiting for the gradients of other ranks, summed by {}",
                 timing.seconds, 100 * timing.waited / timing.seconds, ranks.summed_by());
    }
    return on_root(context, [&] {
        finish_on_root(context, *network, *dataset, preparation, state);
        return StageEnd::complete;
    });
}

}  // namespace flipstorm
