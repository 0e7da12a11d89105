#include "engine/train/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"
#include "engine/compute/torch/executor.hpp"
#include "engine/train/fault_layer.hpp"
#include "engine/train/gradient_buckets.hpp"
#include "engine/train/loss.hpp"
#include "engine/train/quantised_forward.hpp"
#include "engine/train/sync_batch_norm.hpp"

namespace flipstorm
{
namespace
{

/// Fisher-Yates with the epoch's own stream.
std::vector<std::int64_t> shuffled(std::int64_t count, std::uint64_t seed, std::int64_t epoch)
{
    std::vector<std::int64_t> order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    RandomStream random(seed, RandomPurpose::shuffle, static_cast<std::uint64_t>(epoch));
    for (std::size_t i = order.size(); i > 1; --i)
        std::swap(order[i - 1], order[random.below(i)]);
    return order;
}

/// This rank's part [begin, end) of a batch.
struct Part
{
    std::int64_t begin = 0;
    std::int64_t end = 0;
};

Part part_of(std::int64_t count, const TrainingRanks& ranks)
{
    return {count * ranks.rank() / ranks.size(), count * (ranks.rank() + 1) / ranks.size()};
}

/// Images of a part, by their places in it, that a fault does not strike.
std::vector<std::int64_t> spared_by(const TrainingFault& fault, Part part)
{
    std::vector<std::int64_t> spared;
    for (std::int64_t image = part.begin; image < part.end; ++image)
    {
        if (!std::binary_search(fault.images.begin(), fault.images.end(), image))
            spared.push_back(image - part.begin);
    }
    return spared;
}

void require_floats(const Network& network)
{
    FS_REQUIRE(!network.computes_in_integers(), "a network of whole numbers cannot be trained");
    for (const Parameter& parameter : network.parameters)
    {
        FS_REQUIRE(parameter.format() == NumberFormat::fp32, "'{}' is {}; a training changes floats",
                   parameter.name, parameter.traits().name);
    }
}

std::vector<float> floats_of(const torch::Tensor& tensor)
{
    const torch::Tensor values = tensor.detach().to(torch::kCPU).contiguous();
    return {values.data_ptr<float>(), values.data_ptr<float>() + values.numel()};
}

void set_floats(const torch::Tensor& tensor, const std::vector<float>& values, const std::string& name)
{
    FS_CHECK(DataError, values.size() == static_cast<std::size_t>(tensor.numel()),
             "{} values for '{}', which has {}", values.size(), name, tensor.numel());
    const torch::Tensor source =
        torch::from_blob(const_cast<float*>(values.data()), tensor.sizes(), torch::kFloat32);
    tensor.detach().copy_(source);
}

}  // namespace

class Trainer::Implementation
{
  public:
    Implementation(const Network& network, const ImageSet& images, const TrainOptions& options,
                   TrainingRanks& ranks)
        : images_(images),
          options_(options),
          ranks_(ranks),
          normalisation_(network.normalisation),
          executor_(network, torch_device(options.device)),
          specs_(network.graph.parameters()),
          quantised_(options.format, network.graph)
    {
        require_floats(network);
        executor_.own_parameters();
        quantised_.attach(hooks_);
        for (std::size_t i = 0; i < specs_.size(); ++i)
        {
            const torch::Tensor& parameter = executor_.parameters()[i];
            if (!specs_[i].trainable)
            {
                statistics_.push_back(parameter);
                continue;
            }
            parameter.set_requires_grad(true);
            trainable_.push_back(parameter);
            momentum_.push_back(torch::zeros_like(parameter));
        }
        const std::int64_t last = images_.size() - (steps_per_epoch() - 1) * options_.batch;
        FS_CHECK(
            JobError,
            options_.batch_norm != BatchNormScope::local || statistics_.empty() || ranks_.size() == 1 ||
                last / ranks_.size() >= 2,
            "train.batch_norm = \"local\": the last batch of an epoch has {} image(s) for {} ranks, and a "
            "batch norm needs two of them on every rank; choose another train.batch, or "
            "\"synchronised\"",
            last, ranks_.size());
        if (ranks_.size() == 1) return;
        buckets_.emplace(trainable_, ranks_);
        if (options_.batch_norm == BatchNormScope::synchronised)
        {
            hooks_.batch_norm = [this](const torch::Tensor& input, const torch::Tensor* parameters,
                                       double momentum, double epsilon) {
                return sync_batch_norm(input, parameters[0], parameters[1], parameters[2], parameters[3],
                                       momentum, epsilon, ranks_);
            };
        }
    }

    [[nodiscard]] std::int64_t steps_per_epoch() const
    {
        return (images_.size() + options_.batch - 1) / options_.batch;
    }
    [[nodiscard]] std::int64_t steps() const { return steps_per_epoch() * options_.epochs; }

    StepReport step(std::int64_t number, bool stop)
    {
        FS_REQUIRE(number >= 0 && number < steps(), "training step {} of {}", number, steps());
        const std::int64_t epoch = number / steps_per_epoch();
        if (epoch != order_epoch_)
        {
            order_ = shuffled(images_.size(), options_.seed, epoch);
            order_epoch_ = epoch;
        }
        const std::int64_t first = number % steps_per_epoch() * options_.batch;
        const std::int64_t count = std::min(options_.batch, images_.size() - first);
        const Part part = part_of(count, ranks_);
        const std::vector<std::int64_t> indices(order_.begin() + first + part.begin,
                                                order_.begin() + first + part.end);
        begin_forward(number, epoch, count, part);

        const torch::Tensor labels = label_batch(images_, indices, executor_.device());
        const torch::Tensor logits = executor_.forward_training(batch(indices, epoch), hooks_);
        // Times one part of all: the loss of the whole batch is the sum of this over the ranks.
        const double share = static_cast<double>(indices.size()) / static_cast<double>(count);
        torch::Tensor loss = indices.empty() ? logits.sum() : mean_loss(options_.loss, logits, labels);
        if (ranks_.size() > 1) loss = loss * share;
        for (torch::Tensor& parameter : trainable_)
            parameter.mutable_grad().reset();

        // [loss, correct, stop, running statistics of local batch norms, magnitudes of the values]
        std::vector<float> extras{loss.item<float>(), correct_of(logits, labels), stop ? 1.0F : 0.0F};
        const bool averages = ranks_.size() > 1 && options_.batch_norm == BatchNormScope::local;
        if (averages) append_statistics(extras);
        const std::size_t magnitudes = extras.size();
        if (quantised_.learns_ranges()) quantised_.append_magnitudes(extras, ranks_.rank(), ranks_.size());
        if (buckets_) buckets_->start(extras);
        loss.backward();
        if (buckets_) buckets_->finish();
        if (averages) take_mean_statistics(extras);
        if (quantised_.learns_ranges()) quantised_.learn(extras.data() + magnitudes, ranks_.size());

        StepReport report;
        report.loss = static_cast<double>(extras[0]);
        report.correct = std::llround(extras[1]);
        report.images = count;
        report.learning_rate = learning_rate(options_.schedule, options_.lr, number, steps());
        report.stop = extras[2] > 0;
        if (options_.clip > 0) torch::nn::utils::clip_grad_norm_(trainable_, options_.clip);
        descend(report.learning_rate);
        FS_CHECK(DataError, std::isfinite(report.loss),
                 "training diverged: the loss is {} in epoch {}, step {}; lower train.lr ({}) or set "
                 "train.clip",
                 report.loss, epoch + 1, number % steps_per_epoch() + 1, options_.lr);
        return report;
    }

    void meet_faults(bool meet) { meets_faults_ = meet; }

    void save(TrainingState& state) const
    {
        state.parameters.clear();
        state.momentum.clear();
        for (const torch::Tensor& parameter : executor_.parameters())
            state.parameters.push_back(floats_of(parameter));
        for (const torch::Tensor& buffer : momentum_)
            state.momentum.push_back(floats_of(buffer));
        state.ranges = quantised_.ranges();
    }

    void load(const TrainingState& state)
    {
        FS_CHECK(DataError,
                 state.parameters.size() == specs_.size() && state.momentum.size() == trainable_.size(),
                 "a training state of {} parameters, {} of them trained, for a network of {} and {}",
                 state.parameters.size(), state.momentum.size(), specs_.size(), trainable_.size());
        FS_CHECK(DataError, state.ranges.size() == quantised_.ranges().size(),
                 "a training state of {} ranges for a training that learns {}", state.ranges.size(),
                 quantised_.ranges().size());
        quantised_.set_ranges(state.ranges);
        std::size_t trained = 0;
        for (std::size_t i = 0; i < specs_.size(); ++i)
        {
            set_floats(executor_.parameters()[i], state.parameters[i], specs_[i].name);
            if (!specs_[i].trainable) continue;
            set_floats(momentum_[trained], state.momentum[trained], specs_[i].name);
            ++trained;
        }
    }

    void store(Network& network) const { executor_.store(network); }

    [[nodiscard]] const std::vector<float>& ranges() const { return quantised_.ranges(); }

    [[nodiscard]] double waited_seconds() const { return buckets_ ? buckets_->waited_seconds() : 0; }

  private:
    torch::Tensor batch(const std::vector<std::int64_t>& indices, std::int64_t epoch) const
    {
        if (options_.augment == Augment::none)
            return image_batch(images_, indices, normalisation_, executor_.device());
        torch::Tensor values = torch::empty(
            {static_cast<std::int64_t>(indices.size()), images_.channels, images_.height, images_.width},
            torch::kFloat32);
        crop_flip(images_, indices, normalisation_, options_.seed, epoch, values.data_ptr<float>());
        return values.to(executor_.device());
    }

    /// Have the next forward pass quantise as its step does, and meet its fault. All ranks draw the same one.
    void begin_forward(std::int64_t number, std::int64_t epoch, std::int64_t count, Part part)
    {
        // The ranges of the values settle first.
        const bool quantises_values = 2 * number >= steps_per_epoch();
        hooks_.layer_output = nullptr;
        if (options_.fault_aware.rule == FaultRule::none || !meets_faults_)
        {
            quantised_.begin(quantises_values, std::nullopt);
            return;
        }
        TrainingFault fault = draw_training_fault(options_.fault_aware, executor_.graph(), options_.seed,
                                                  number, epoch + 1, count);
        quantised_.begin(quantises_values, spared_by(fault, part));
        hooks_.layer_output = [fault = std::move(fault), first = part.begin](NodeId node,
                                                                             const torch::Tensor& value) {
            if (node == fault.node) apply_fault(value, fault, first);
        };
    }

    static float correct_of(const torch::Tensor& logits, const torch::Tensor& labels)
    {
        if (logits.size(0) == 0) return 0;
        return static_cast<float>(logits.argmax(1).eq(labels).sum().item<std::int64_t>());
    }

    void append_statistics(std::vector<float>& extras) const
    {
        for (const torch::Tensor& statistic : statistics_)
        {
            const std::vector<float> values = floats_of(statistic);
            extras.insert(extras.end(), values.begin(), values.end());
        }
    }

    void take_mean_statistics(std::vector<float>& extras)
    {
        const auto ranks = static_cast<float>(ranks_.size());
        auto next = extras.begin() + 3;
        for (const torch::Tensor& statistic : statistics_)
        {
            std::vector<float> values(next, next + statistic.numel());
            next += statistic.numel();
            for (float& value : values)
                value /= ranks;
            set_floats(statistic, values, "running statistics");
        }
    }

    /// One step of SGD, in torch.optim.SGD's order of operations.
    void descend(double lr)
    {
        const torch::NoGradGuard no_gradients;
        for (std::size_t i = 0; i < trainable_.size(); ++i)
        {
            torch::Tensor direction = trainable_[i].grad();
            if (options_.weight_decay != 0) direction = direction.add(trainable_[i], options_.weight_decay);
            if (options_.momentum != 0) direction = momentum_[i].mul_(options_.momentum).add_(direction);
            trainable_[i].add_(direction, -lr);
        }
    }

    const ImageSet& images_;
    TrainOptions options_;
    TrainingRanks& ranks_;
    Normalisation normalisation_;
    Executor executor_;
    std::vector<ParameterSpec> specs_;
    QuantisedForward quantised_;
    std::vector<torch::Tensor> trainable_;
    std::vector<torch::Tensor> momentum_;    ///< of the trainable ones
    std::vector<torch::Tensor> statistics_;  ///< running statistics of the batch norms
    TrainingHooks hooks_;
    bool meets_faults_ = true;
    std::optional<GradientBuckets> buckets_;  ///< only among several ranks
    std::vector<std::int64_t> order_;         ///< of the images in epoch order_epoch_
    std::int64_t order_epoch_ = -1;
};

Trainer::Trainer(const Network& network, const ImageSet& images, const TrainOptions& options,
                 TrainingRanks& ranks)
    : implementation_(std::make_unique<Implementation>(network, images, options, ranks))
{}

Trainer::~Trainer() = default;

std::int64_t Trainer::steps_per_epoch() const
{
    return implementation_->steps_per_epoch();
}

std::int64_t Trainer::steps() const
{
    return implementation_->steps();
}

StepReport Trainer::step(std::int64_t number, bool stop)
{
    return implementation_->step(number, stop);
}

void Trainer::meet_faults(bool meet)
{
    implementation_->meet_faults(meet);
}

void Trainer::save(TrainingState& state) const
{
    implementation_->save(state);
}

void Trainer::load(const TrainingState& state)
{
    implementation_->load(state);
}

void Trainer::store(Network& network) const
{
    implementation_->store(network);
}

const std::vector<float>& Trainer::ranges() const
{
    return implementation_->ranges();
}

double Trainer::waited_seconds() const
{
    return implementation_->waited_seconds();
}

}  // namespace flipstorm
