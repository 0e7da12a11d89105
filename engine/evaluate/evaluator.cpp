#include "engine/evaluate/evaluator.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/base/error.hpp"
#include "engine/base/parallel.hpp"
#include "engine/base/tolerance.hpp"
#include "engine/evaluate/tile_evaluator.hpp"

namespace flipstorm
{
namespace
{

/// Images per tile: the step in which a fault may stop, and the batch of a golden pass.
constexpr std::int64_t kTileImages = 200;

Golden golden_pass(const Executor& executor, const Network& network, const ImageSet& images)
{
    Golden golden;
    golden.label = images.labels;
    for (std::int64_t first = 0; first < images.size(); first += kTileImages)
    {
        std::vector<std::int64_t> indices(
            static_cast<std::size_t>(std::min(kTileImages, images.size() - first)));
        std::iota(indices.begin(), indices.end(), first);
        const torch::Tensor logits =
            executor.forward(image_batch(images, indices, network.normalisation, executor.device()))
                .to(torch::kCPU)
                .contiguous();
        const std::int64_t classes = logits.size(1);
        for (std::int64_t n = 0; n < logits.size(0); ++n)
        {
            const float* row = logits.data_ptr<float>() + n * classes;
            FS_CHECK(DataError, std::all_of(row, row + classes, [](float z) { return std::isfinite(z); }),
                     "the fault-free network gives a non-finite logit for test image {}", first + n);
            const float* top = std::max_element(row, row + classes);
            float rival = -std::numeric_limits<float>::infinity();
            for (const float* z = row; z != row + classes; ++z)
            {
                if (z != top) rival = std::max(rival, *z);
            }
            golden.top1.push_back(static_cast<std::int32_t>(top - row));
            golden.margin.push_back(*top - rival);
        }
    }
    for (std::size_t i = 0; i < golden.label.size(); ++i)
        golden.correct += golden.label[i] == golden.top1[i] ? 1U : 0U;
    return golden;
}

}  // namespace

/// Images in evaluation order, cut into tiles; golden values kept for as many tiles as the budget holds.
class Evaluator::Implementation
{
  public:
    Implementation(const Network& network, const ImageSet& images, const EvaluationOptions& options)
        : network_(network),
          images_(images),
          options_(options),
          layers_(injectable_layers(network)),
          executor_(network, torch_device(options.device))
    {
        FS_CHECK(DataError, images.size() > 0, "no test images");
        FS_CHECK(DataError,
                 network.graph.input_shape() == (Shape{images.channels, images.height, images.width}),
                 "the network takes {}x{}x{} images (C×H×W), the test images are {}x{}x{}",
                 network.graph.input_shape()[0], network.graph.input_shape()[1],
                 network.graph.input_shape()[2], images.channels, images.height, images.width);
        FS_REQUIRE(!options.tolerances.empty(), "an evaluator needs a tolerance");
        const c10::InferenceMode no_gradients;
        golden_ = golden_pass(executor_, network_, images_);
        order_ = evaluation_order(golden_);
        evaluator_ = options.mode == EvaluationMode::reference ? make_reference_evaluator(network_, executor_)
                                                               : make_exact_evaluator(network_, executor_);
        for (const InjectableLayer& layer : layers_)
            static_cast<void>(tiles_in_budget(layer));
    }

    [[nodiscard]] const Golden& golden() const { return golden_; }

    std::optional<std::vector<Outcome>> evaluate(LayerId layer_id, const std::vector<WeightChange>& changes,
                                                 const std::function<bool()>& should_stop)
    {
        FS_REQUIRE(layer_id.value() >= 0 && static_cast<std::size_t>(layer_id.value()) < layers_.size(),
                   "layer {} of {}", layer_id.value(), layers_.size());
        const InjectableLayer& layer = layers_[static_cast<std::size_t>(layer_id.value())];
        for (const WeightChange& change : changes)
        {
            FS_REQUIRE(change.parameter < layer.weights, "parameter {} of layer '{}' with {}",
                       change.parameter, layer.name, layer.weights);
        }
        prepare(layer);
        const auto images = static_cast<std::uint64_t>(images_.size());
        std::vector<Outcome> outcomes(changes.size());
        std::vector<std::size_t> alive(changes.size());
        std::iota(alive.begin(), alive.end(), std::size_t{0});
        for (std::size_t t = 0; t < tile_count() && !alive.empty(); ++t)
        {
            if (should_stop && should_stop()) return std::nullopt;
            std::vector<WeightChange> batch;
            for (const std::size_t f : alive)
                batch.push_back(changes[f]);
            const std::vector<Tally> tallies = evaluate_tile(layer, batch, t);
            std::vector<std::size_t> survivors;
            for (std::size_t k = 0; k < alive.size(); ++k)
            {
                Outcome& outcome = outcomes[alive[k]];
                outcome.tally += tallies[k];
                outcome.drop = certain_drop(outcome.tally, golden_.correct, images);
                outcome.stopped = options_.mode != EvaluationMode::reference &&
                                  outcome.tally.evaluated < images &&
                                  exceeds(outcome.drop, options_.tolerances.back());
                if (!outcome.stopped) survivors.push_back(alive[k]);
            }
            alive = std::move(survivors);
        }
        return outcomes;
    }

  private:
    [[nodiscard]] std::size_t tile_count() const
    {
        return static_cast<std::size_t>((images_.size() + kTileImages - 1) / kTileImages);
    }

    /// How many tiles of golden values the budget holds beside the work space. \throws JobError if none.
    [[nodiscard]] std::size_t tiles_in_budget(const InjectableLayer& layer) const
    {
        std::int64_t per_image = elements(network_.graph.input_shape());
        for (const NodeId id : evaluator_->golden_nodes(layer))
            per_image += elements(network_.graph.node(id).shape);
        const std::uint64_t tile_bytes = static_cast<std::uint64_t>(per_image * kTileImages) * sizeof(float);
        const std::uint64_t work_bytes =
            evaluator_->work_bytes(layer, kTileImages) * static_cast<std::uint64_t>(options_.threads);
        FS_CHECK(JobError, options_.memory_budget >= tile_bytes + work_bytes,
                 "campaign.memory_budget is {} MiB; for layer '{}' a tile of {} images and the work space of "
                 "{} threads "
                 "need {}",
                 options_.memory_budget >> 20U, layer.name, kTileImages, options_.threads,
                 ((tile_bytes + work_bytes) >> 20U) + 1);
        return std::min<std::uint64_t>(tile_count(), (options_.memory_budget - work_bytes) / tile_bytes);
    }

    /// Make room for the golden values that a layer needs.
    void prepare(const InjectableLayer& layer)
    {
        if (prepared_ == layer.id) return;
        kept_tiles_.clear();
        kept_tiles_.resize(tiles_in_budget(layer));
        wanted_ = evaluator_->golden_nodes(layer);
        prepared_ = layer.id;
    }

    std::vector<Tally> evaluate_tile(const InjectableLayer& layer, const std::vector<WeightChange>& changes,
                                     std::size_t t)
    {
        const Tile tile = golden_tile(t);
        std::vector<Tally> tallies(changes.size());
        const std::size_t group = evaluator_->group_size(tile.size());
        const std::size_t groups = (changes.size() + group - 1) / group;
        parallel_for(static_cast<std::int64_t>(groups), options_.threads, [&](std::int64_t g) {
            const c10::InferenceMode no_gradients;
            const std::size_t first = static_cast<std::size_t>(g) * group;
            evaluator_->evaluate(
                layer,
                {changes.data() + first, tallies.data() + first, std::min(group, changes.size() - first)},
                tile);
        });
        return tallies;
    }

    /// Tile with its golden values, from memory if it is among those kept: the first ones, which every fault
    /// sees.
    Tile golden_tile(std::size_t t)
    {
        if (t < kept_tiles_.size() && kept_tiles_[t].size() > 0) return kept_tiles_[t];
        const c10::InferenceMode no_gradients;
        Tile tile;
        const std::int64_t first = static_cast<std::int64_t>(t) * kTileImages;
        const std::int64_t count = std::min(kTileImages, images_.size() - first);
        const std::vector<std::int64_t> indices(order_.begin() + first, order_.begin() + first + count);
        tile.images = image_batch(images_, indices, network_.normalisation, executor_.device());
        for (const std::int64_t index : indices)
        {
            tile.label.push_back(golden_.label[static_cast<std::size_t>(index)]);
            tile.top1.push_back(golden_.top1[static_cast<std::size_t>(index)]);
        }
        if (!wanted_.empty()) tile.values = executor_.forward_to(tile.images, wanted_);
        if (t < kept_tiles_.size()) kept_tiles_[t] = tile;
        return tile;
    }

    Network network_;
    ImageSet images_;
    EvaluationOptions options_;
    std::vector<InjectableLayer> layers_;
    Executor executor_;
    Golden golden_;
    std::vector<std::int64_t> order_;
    std::unique_ptr<TileEvaluator> evaluator_;
    LayerId prepared_{-1};        ///< the layer that the tiles hold golden values for
    std::vector<NodeId> wanted_;  ///< nodes whose golden values it needs
    std::vector<Tile> kept_tiles_;
};

EvaluationMode evaluation_mode(std::string_view name)
{
    if (name == "reference") return EvaluationMode::reference;
    if (name == "exact") return EvaluationMode::exact;
    if (name == "screened") return EvaluationMode::screened;
    throw JobError("campaign.evaluation: '{}' is not known; it is one of: reference, exact, screened", name);
}

Backend backend_from(std::string_view name)
{
    if (name == "auto") return Backend::automatic;
    if (name == "native") return Backend::native;
    if (name == "libtorch") return Backend::libtorch;
    throw JobError("campaign.backend: '{}' is not known; it is one of: auto, native, libtorch", name);
}

Evaluator::Evaluator(const Network& network, const ImageSet& images, const EvaluationOptions& options)
    : implementation_(std::make_unique<Implementation>(network, images, options))
{}

Evaluator::~Evaluator() = default;

const Golden& Evaluator::golden() const
{
    return implementation_->golden();
}

std::string evaluation_layout()
{
    return fmt::format("tiles of {} images", kTileImages);
}

std::vector<Outcome> Evaluator::evaluate(LayerId layer, const std::vector<WeightChange>& changes,
                                         const Screen& screen)
{
    return *evaluate(layer, changes, screen, {});
}

std::optional<std::vector<Outcome>> Evaluator::evaluate(LayerId layer,
                                                        const std::vector<WeightChange>& changes,
                                                        const Screen& /*screen*/,
                                                        const std::function<bool()>& should_stop)
{
    return implementation_->evaluate(layer, changes, should_stop);
}

WorkCount Evaluator::work() const
{
    return {};
}

}  // namespace flipstorm
