#include "engine/evaluate/transient_evaluator.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "engine/base/error.hpp"
#include "engine/base/parallel.hpp"
#include "engine/evaluate/golden_logits.hpp"
#include "engine/evaluate/layer_suffix.hpp"
#include "engine/evaluate/tile_evaluator.hpp"

namespace flipstorm
{
namespace
{

/// Threads that feed a GPU.
constexpr int kCudaThreads = 2;

/// Logits that differ by less, in relation to the largest, may be golden ones that were rounded otherwise.
constexpr float kRounding = 1e-3F;

/// A layer, and what its faults need.
struct StruckLayer
{
    LayerSuffix suffix;
    NodeId input;
    DotProducts products;
    const float* weight = nullptr;
    const float* bias = nullptr;  ///< null: none
};

/// What became of a pair.
struct PairOutcome
{
    Tally tally;
    bool masked = false;
    bool followed = false;  ///< to the logits
};

std::int64_t batch_size(const Graph& graph)
{
    constexpr std::int64_t kBatchElements = std::int64_t{1} << 24;
    std::int64_t all = 0;
    for (const Node& node : graph.nodes())
        all += elements(node.shape);
    for (const std::int64_t images : {128, 64, 32, 16, 8, 4, 2})
    {
        if (images * all <= kBatchElements) return images;
    }
    return 1;
}

torch::Tensor to_rows(const std::vector<std::int64_t>& rows, torch::Device device)
{
    return torch::tensor(rows, torch::kLong).to(device);
}

torch::Tensor pick(const torch::Tensor& values, const torch::Tensor& rows)
{
    return values.index_select(0, rows);
}

/// Rows in which two values differ in a bit, on the CPU. bool [rows]
torch::Tensor rows_that_differ(const torch::Tensor& a, const torch::Tensor& b)
{
    const torch::Tensor differs = a.contiguous().view(torch::kInt32) != b.contiguous().view(torch::kInt32);
    return differs.flatten(1).any(1).to(torch::kCPU);
}

/// Whether finite logits are so near the golden ones that only rounding may part them.
bool near_golden(const float* logits, const float* golden, std::int64_t classes)
{
    float scale = 0;
    float distance = 0;
    for (std::int64_t c = 0; c < classes; ++c)
    {
        if (!std::isfinite(logits[c])) return false;
        scale = std::max(scale, std::fabs(golden[c]));
        distance = std::max(distance, std::fabs(logits[c] - golden[c]));
    }
    return distance <= kRounding * scale;
}

}  // namespace

class TransientEvaluator::Implementation
{
  public:
    Implementation(const Network& network, const ImageSet& images, const EvaluationOptions& options)
        : network_(network),
          images_(images),
          follow_all_(options.mode == EvaluationMode::reference),
          threads_(options.threads),
          batch_(batch_size(network.graph)),
          executor_(network, torch_device(options.device))
    {
        check_test_images(network, images);
        FS_REQUIRE(options.mode != EvaluationMode::screened, "transient faults are not screened");
        if (options.device.cuda)
        {
            set_reproducible_arithmetic();
            threads_ = std::min(threads_, kCudaThreads);
        }
        // Golden and faulty values, each with room for what is computed from them.
        const auto bytes = static_cast<std::uint64_t>(
            batch_ * (4 * live_elements(network.graph, NodeId(0)) + elements(network.graph.input_shape())) *
            static_cast<std::int64_t>(sizeof(float)));
        FS_CHECK(JobError, options.memory_budget >= bytes,
                 "campaign.memory_budget is {} MiB; a batch of {} images needs {}",
                 options.memory_budget >> 20U, batch_, (bytes >> 20U) + 1);
        threads_ = static_cast<int>(
            std::min<std::uint64_t>(static_cast<std::uint64_t>(threads_), options.memory_budget / bytes));
        logits_ = golden_logits(executor_, network_, images_, batch_, threads_);
        golden_ = golden_of(logits_, images_.labels);
        for (const InjectableLayer& layer : injectable_layers(network_))
        {
            StruckLayer struck;
            struck.suffix = layer_suffix(network_.graph, layer.node);
            struck.input = network_.graph.node(layer.node).inputs[0];
            struck.products = dot_products(network_.graph, layer.node);
            struck.weight = network_.parameters[layer.weight].values.data();
            if (parameters_of(network_.graph.node(layer.node)).size() > 1)
                struck.bias = network_.parameters[layer.weight + 1].values.data();
            layers_.push_back(std::move(struck));
        }
    }

    [[nodiscard]] const Golden& golden() const { return golden_; }
    [[nodiscard]] const WorkCount& work() const { return work_; }

    std::optional<std::vector<TransientOutcome>> evaluate(LayerId layer,
                                                          const std::vector<TransientStrike>& strikes,
                                                          const std::function<bool()>& should_stop)
    {
        const StruckLayer& struck = layers_.at(static_cast<std::size_t>(layer.value()));
        std::vector<Pair> pairs;
        for (const TransientStrike& strike : strikes)
        {
            for (const std::int64_t image : strike.images)
            {
                FS_REQUIRE(image >= 0 && image < images_.size(), "image {} of {}", image, images_.size());
                pairs.push_back({&strike, image});
            }
        }
        std::stable_sort(pairs.begin(), pairs.end(),
                         [](const Pair& a, const Pair& b) { return a.image < b.image; });
        std::vector<PairOutcome> outcomes(pairs.size());
        const auto batch = static_cast<std::size_t>(batch_);
        const std::size_t batches = (pairs.size() + batch - 1) / batch;
        for (std::size_t first = 0; first < batches; first += static_cast<std::size_t>(threads_))
        {
            if (should_stop && should_stop()) return std::nullopt;
            const std::size_t now = std::min(static_cast<std::size_t>(threads_), batches - first);
            parallel_for(static_cast<std::int64_t>(now), threads_, [&](std::int64_t b) {
                const c10::InferenceMode no_gradients;
                const std::size_t begin = (first + static_cast<std::size_t>(b)) * batch;
                const std::size_t end = std::min(begin + batch, pairs.size());
                run(struck,
                    std::vector<Pair>(pairs.begin() + static_cast<std::ptrdiff_t>(begin),
                                      pairs.begin() + static_cast<std::ptrdiff_t>(end)),
                    outcomes.data() + begin);
            });
        }
        return gather(strikes, pairs, outcomes);
    }

  private:
    /// An image that a fault strikes.
    struct Pair
    {
        const TransientStrike* strike = nullptr;
        std::int64_t image = 0;
    };

    /// The fault-free network on the images of a batch.
    struct GoldenBatch
    {
        std::vector<std::int64_t> row;      ///< of each pair's image
        std::vector<torch::Tensor> values;  ///< by node id: [images, …]
    };

    std::vector<TransientOutcome> gather(const std::vector<TransientStrike>& strikes,
                                         const std::vector<Pair>& pairs,
                                         const std::vector<PairOutcome>& of_pairs)
    {
        std::vector<TransientOutcome> outcomes(strikes.size());
        std::vector<std::int64_t> lost(strikes.size(), 0);
        for (std::size_t p = 0; p < pairs.size(); ++p)
        {
            const auto k = static_cast<std::size_t>(pairs[p].strike - strikes.data());
            const auto image = static_cast<std::size_t>(pairs[p].image);
            outcomes[k].tally += of_pairs[p].tally;
            outcomes[k].masked += of_pairs[p].masked ? 1 : 0;
            lost[k] += golden_.top1[image] == golden_.label[image] ? 1 : 0;
            lost[k] -= static_cast<std::int64_t>(of_pairs[p].tally.correct);
            (of_pairs[p].followed ? work_.finished : work_.masked) += 1;
        }
        work_.pairs += pairs.size();
        for (std::size_t k = 0; k < strikes.size(); ++k)
        {
            if (outcomes[k].tally.evaluated == 0) continue;
            outcomes[k].drop =
                static_cast<double>(lost[k]) / static_cast<double>(outcomes[k].tally.evaluated);
        }
        return outcomes;
    }

    GoldenBatch golden_batch(const StruckLayer& layer, const std::vector<Pair>& pairs) const
    {
        GoldenBatch golden;
        std::vector<std::int64_t> images;
        for (const Pair& pair : pairs)
        {
            if (images.empty() || images.back() != pair.image) images.push_back(pair.image);
            golden.row.push_back(static_cast<std::int64_t>(images.size()) - 1);
        }
        std::vector<NodeId> wanted{layer.suffix.layer, layer.input};
        wanted.insert(wanted.end(), layer.suffix.near_sides.begin(), layer.suffix.near_sides.end());
        wanted.insert(wanted.end(), layer.suffix.far_sides.begin(), layer.suffix.far_sides.end());
        golden.values = executor_.forward_to(
            image_batch(images_, images, network_.normalisation, executor_.device()), wanted);
        return golden;
    }

    /// Corrupt the layer's output, one row per pair. \param output  on the CPU, contiguous, golden
    void strike(const StruckLayer& layer, const std::vector<Pair>& pairs, const GoldenBatch& golden,
                torch::Tensor& output) const
    {
        const Shape& shape = network_.graph.node(layer.suffix.layer).shape;
        torch::Tensor input;
        for (std::size_t p = 0; p < pairs.size(); ++p)
        {
            float* const row = output.data_ptr<float>() + static_cast<std::int64_t>(p) * elements(shape);
            const TransientFault& fault = pairs[p].strike->fault;
            if (const auto* map = std::get_if<FeatureMapFault>(&fault))
            {
                corrupt(*map, shape, row);
                continue;
            }
            if (!input.defined()) input = golden.values[index(layer.input)].to(torch::kCPU).contiguous();
            corrupt(std::get<InstructionFault>(fault), layer.products, layer.weight, layer.bias,
                    input.data_ptr<float>() + golden.row[p] * input.stride(0), row);
        }
    }

    /// Logits of rows of values at the cut, on the CPU. \param rows  of the golden batch, for what comes from
    /// the side
    torch::Tensor finish(const StruckLayer& layer, const torch::Tensor& at_cut, const GoldenBatch& golden,
                         const torch::Tensor& rows) const
    {
        torch::Tensor logits = at_cut;
        if (!layer.suffix.far_nodes.empty())
        {
            std::vector<torch::Tensor> values(network_.graph.nodes().size());
            for (const NodeId side : layer.suffix.far_sides)
                values[index(side)] = pick(golden.values[index(side)], rows);
            values[index(layer.suffix.cut)] = at_cut;
            logits = executor_.resume(std::move(values), layer.suffix.far_nodes);
        }
        return logits.to(torch::kCPU).contiguous();
    }

    /// Values at the cut from those of the layer.
    torch::Tensor to_cut(const StruckLayer& layer, const torch::Tensor& output, const GoldenBatch& golden,
                         const torch::Tensor& rows) const
    {
        if (layer.suffix.near_nodes.empty()) return output;
        std::vector<torch::Tensor> values(network_.graph.nodes().size());
        for (const NodeId side : layer.suffix.near_sides)
            values[index(side)] = pick(golden.values[index(side)], rows);
        values[index(layer.suffix.layer)] = output;
        return executor_.compute(std::move(values), layer.suffix.near_nodes,
                                 {layer.suffix.cut})[index(layer.suffix.cut)];
    }

    /// Masked, with the golden prediction.
    void mask(const Pair& pair, PairOutcome& outcome) const
    {
        const auto image = static_cast<std::size_t>(pair.image);
        outcome.masked = true;
        outcome.tally = {1, golden_.top1[image] == golden_.label[image] ? 1U : 0U, 0, 0};
    }

    void run(const StruckLayer& layer, const std::vector<Pair>& pairs, PairOutcome* outcomes) const
    {
        const GoldenBatch golden = golden_batch(layer, pairs);
        const torch::Device device = executor_.device();
        const torch::Tensor clean =
            pick(golden.values[index(layer.suffix.layer)], to_rows(golden.row, device)).contiguous();
        torch::Tensor struck = clean.to(torch::kCPU).clone();
        strike(layer, pairs, golden, struck);
        struck = struck.to(device);

        // Pairs that the fault has changed so far, and the rows of their images.
        std::vector<std::int64_t> changed(pairs.size());
        std::iota(changed.begin(), changed.end(), std::int64_t{0});
        torch::Tensor rows = to_rows(golden.row, device);
        // Leave out the pairs without a difference between two values; both keep the others' rows.
        const auto drop_masked = [&](torch::Tensor& a, torch::Tensor& b) {
            if (follow_all_) return;
            const torch::Tensor differs = rows_that_differ(a, b);
            const bool* const d = differs.data_ptr<bool>();
            std::vector<std::int64_t> kept;
            std::vector<std::int64_t> kept_pairs;
            for (std::size_t i = 0; i < changed.size(); ++i)
            {
                if (!d[i])
                {
                    mask(pairs[static_cast<std::size_t>(changed[i])], outcomes[changed[i]]);
                    continue;
                }
                kept.push_back(static_cast<std::int64_t>(i));
                kept_pairs.push_back(changed[i]);
            }
            if (kept.size() == changed.size()) return;
            changed = std::move(kept_pairs);
            const torch::Tensor picked = to_rows(kept, device);
            rows = pick(rows, picked);
            a = pick(a, picked);
            b = pick(b, picked);
        };
        torch::Tensor good = clean;
        drop_masked(good, struck);
        if (changed.empty()) return;
        good = to_cut(layer, good, golden, rows);
        struck = to_cut(layer, struck, golden, rows);
        drop_masked(good, struck);
        if (changed.empty()) return;
        judge_logits(layer, pairs, changed, golden, rows, good, struck, outcomes);
    }

    /// Follow the changed pairs to the logits. \param good, struck  values at the cut
    void judge_logits(const StruckLayer& layer, const std::vector<Pair>& pairs,
                      const std::vector<std::int64_t>& changed, const GoldenBatch& golden,
                      const torch::Tensor& rows, const torch::Tensor& good, const torch::Tensor& struck,
                      PairOutcome* outcomes) const
    {
        const torch::Tensor logits = finish(layer, struck, golden, rows);
        const std::int64_t classes = logits.size(1);
        std::vector<std::int64_t> unsure;
        for (std::size_t i = 0; i < changed.size(); ++i)
        {
            const Pair& pair = pairs[static_cast<std::size_t>(changed[i])];
            const auto image = static_cast<std::size_t>(pair.image);
            const float* const row = logits.data_ptr<float>() + static_cast<std::int64_t>(i) * classes;
            PairOutcome& outcome = outcomes[changed[i]];
            outcome.followed = true;
            outcome.tally = judge(row, classes, golden_.label[image], golden_.top1[image]);
            if (follow_all_ || near_golden(row, logits_.data_ptr<float>() + pair.image * classes, classes))
                unsure.push_back(static_cast<std::int64_t>(i));
        }
        if (unsure.empty()) return;
        const torch::Tensor picked = to_rows(unsure, executor_.device());
        const torch::Tensor same_rows = pick(rows, picked);
        const torch::Tensor differs =
            rows_that_differ(finish(layer, pick(good, picked), golden, same_rows),
                             finish(layer, pick(struck, picked), golden, same_rows));
        const bool* const d = differs.data_ptr<bool>();
        for (std::size_t i = 0; i < unsure.size(); ++i)
        {
            const std::int64_t pair = changed[static_cast<std::size_t>(unsure[i])];
            if (!d[i]) mask(pairs[static_cast<std::size_t>(pair)], outcomes[pair]);
        }
    }

    Network network_;
    ImageSet images_;
    bool follow_all_;
    int threads_;
    std::int64_t batch_;
    Executor executor_;
    torch::Tensor logits_;  ///< golden, [images, classes]
    Golden golden_;
    std::vector<StruckLayer> layers_;  ///< by layer id
    WorkCount work_;
};

TransientEvaluator::TransientEvaluator(const Network& network, const ImageSet& images,
                                       const EvaluationOptions& options)
    : implementation_(std::make_unique<Implementation>(network, images, options))
{}

TransientEvaluator::~TransientEvaluator() = default;

const Golden& TransientEvaluator::golden() const
{
    return implementation_->golden();
}

std::optional<std::vector<TransientOutcome>> TransientEvaluator::evaluate(
    LayerId layer, const std::vector<TransientStrike>& strikes, const std::function<bool()>& should_stop)
{
    return implementation_->evaluate(layer, strikes, should_stop);
}

WorkCount TransientEvaluator::work() const
{
    return implementation_->work();
}

}  // namespace flipstorm
