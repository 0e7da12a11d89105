#include "engine/train/train.hpp"

#include <omp.h>

#include <algorithm>
#include <numeric>

#include "engine/base/error.hpp"
#include "engine/base/timing.hpp"
#include "engine/compute/integer/integer_logits.hpp"
#include "engine/compute/torch/executor.hpp"
#include "engine/train/calibrate.hpp"
#include "engine/train/loss.hpp"
#include "engine/train/trainer.hpp"

namespace flipstorm
{
namespace
{

/// Close the epoch under way.
void end_epoch(TrainingState& state, const ImageSet& images, double lr)
{
    const auto count = static_cast<double>(images.size());
    EpochReport report;
    report.epoch = static_cast<std::int64_t>(state.curve.size()) + 1;
    report.loss = state.loss_sum / count;
    report.train_accuracy = static_cast<double>(state.correct) / count;
    report.learning_rate = lr;
    report.seconds = state.seconds;
    state.curve.push_back(report);
    state.loss_sum = 0;
    state.correct = 0;
    state.seconds = 0;
}

/// The ranges that a training learnt; those of values that it never saw (its faults struck all images) as the
/// trained network has them.
std::vector<float> complete_ranges(const std::vector<float>& learnt, const Network& trained,
                                   const ImageSet& images, const TrainOptions& options)
{
    std::vector<float> ranges = learnt;
    bool complete = true;
    for (std::size_t i = 0; i < ranges.size(); ++i)
        complete = complete && (ranges[i] > 0 || !has_own_scale(trained.graph.nodes()[i].operation));
    if (complete) return ranges;
    const std::vector<float> measured = calibrate_ranges(trained, images, options.device);
    for (std::size_t i = 0; i < ranges.size(); ++i)
        ranges[i] = ranges[i] > 0 ? ranges[i] : measured[i];
    return ranges;
}

}  // namespace

bool train(Network& network, const ImageSet& images, const TrainOptions& options, TrainingRanks& ranks,
           TrainingState& state, const TrainObserver& observer, TrainTiming* timing)
{
    Trainer trainer(network, images, options, ranks);
    FS_CHECK(DataError, state.step <= trainer.steps(), "a training state after step {} of {}", state.step,
             trainer.steps());
    if (state.step > 0) trainer.load(state);
    const Stopwatch whole;
    const auto save = [&] {
        if (!observer.save) return;
        trainer.save(state);
        observer.save(state);
    };
    bool stopped = false;
    while (state.step < trainer.steps() && !stopped)
    {
        const Stopwatch watch;
        const StepReport report = trainer.step(state.step, observer.should_stop && observer.should_stop());
        ++state.step;
        state.loss_sum += report.loss * static_cast<double>(report.images);
        state.correct += report.correct;
        state.seconds += watch.seconds();
        stopped = report.stop;
        if (state.step % trainer.steps_per_epoch() == 0)
        {
            end_epoch(state, images, report.learning_rate);
            if (observer.on_epoch) observer.on_epoch(state.curve.back());
        }
        if (!stopped && state.step < trainer.steps() && observer.checkpoint_due && observer.checkpoint_due())
            save();
    }
    if (timing != nullptr) *timing = {whole.seconds(), trainer.waited_seconds()};
    if (state.step < trainer.steps())
    {
        save();
        return false;
    }
    trainer.save(state);
    trainer.store(network);
    network = stored_as(network, options.format, complete_ranges(trainer.ranges(), network, images, options));
    return true;
}

bool train(Network& network, const ImageSet& images, const TrainOptions& options,
           const EpochCallback& on_epoch, const StopCallback& should_stop)
{
    TrainingRanks alone;
    TrainingState state;
    return train(network, images, options, alone, state, {on_epoch, should_stop, {}, {}});
}

double accuracy(const Network& network, const ImageSet& images, Device device)
{
    constexpr std::int64_t kBatch = 500;
    std::int64_t correct = 0;
    if (network.computes_in_integers())
    {
        const std::vector<float> logits =
            integer_logits(network, images, 0, images.size(), omp_get_max_threads());
        for (std::int64_t n = 0; n < images.size(); ++n)
        {
            const auto first = logits.begin() + n * network.num_classes;
            const auto top1 = std::max_element(first, first + network.num_classes) - first;
            correct += top1 == images.labels[static_cast<std::size_t>(n)] ? 1 : 0;
        }
        return static_cast<double>(correct) / static_cast<double>(images.size());
    }
    const c10::InferenceMode no_gradients;
    const Executor executor(network, torch_device(device));
    for (std::int64_t first = 0; first < images.size(); first += kBatch)
    {
        std::vector<std::int64_t> indices(static_cast<std::size_t>(std::min(kBatch, images.size() - first)));
        std::iota(indices.begin(), indices.end(), first);
        const torch::Tensor logits =
            executor.forward(image_batch(images, indices, network.normalisation, executor.device()));
        correct +=
            logits.argmax(1).eq(label_batch(images, indices, executor.device())).sum().item<std::int64_t>();
    }
    return static_cast<double>(correct) / static_cast<double>(images.size());
}

}  // namespace flipstorm
