#include "engine/evaluate/evaluator.hpp"

#include <malloc.h>
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/base/parallel.hpp"
#include "engine/base/timing.hpp"
#include "engine/base/tolerance.hpp"
#include "engine/compute/cpu/native_network.hpp"
#include "engine/evaluate/golden_logits.hpp"
#include "engine/evaluate/golden_pass.hpp"
#include "engine/evaluate/image_batches.hpp"
#include "engine/evaluate/tile_evaluator.hpp"
#include "engine/network/change_flow.hpp"

namespace flipstorm
{
namespace
{

/// Let the system have what the allocator keeps of freed memory: the tiles of the next layer have other
/// sizes, and would come on top of it.
void give_back_memory()
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

}  // namespace

int evaluation_threads(const Device& device, int threads)
{
    constexpr int kCudaThreads = 2;
    return device.cuda ? std::min(threads, kCudaThreads) : threads;
}

bool computes_natively(const Graph& graph, const EvaluationOptions& options)
{
    if (options.mode == EvaluationMode::reference || options.backend == Backend::libtorch) return false;
    const std::string obstacle = options.device.cuda
                                     ? fmt::format("the device is {}", to_string(options.device))
                                     : native_obstacle(graph);
    FS_CHECK(
        JobError, obstacle.empty() || options.backend == Backend::automatic,
        "campaign.backend = \"native\" computes on the CPU, and not every network: {}; use \"libtorch\" or "
        "\"auto\"",
        obstacle);
    return obstacle.empty();
}

/// Images in evaluation order, cut into waves of tiles; prepared tiles kept for as many as the budget holds.
class Evaluator::Implementation
{
  public:
    Implementation(const Network& network, const ImageSet& images, const EvaluationOptions& options)
        : network_(network),
          images_(images),
          options_(options),
          layers_(injectable_layers(network)),
          tile_images_(tile_images(network.graph, options.mode)),
          native_(computes_natively(network.graph, options)),
          executor_(network, torch_device(options.device))
    {
        check_test_images(network, images);
        FS_REQUIRE(!options.tolerances.empty(), "an evaluator needs a tolerance");
        if (options_.device.cuda) set_reproducible_arithmetic();
        options_.threads = evaluation_threads(options_.device, options_.threads);
        golden_ = golden_of(logits_of_all(), images_.labels);
        order_ = evaluation_order(golden_);
        mean_margin_ = std::accumulate(golden_.margin.begin(), golden_.margin.end(), 0.0F) /
                       static_cast<float>(golden_.margin.size());
        evaluator_ = make_evaluator();
        for (const InjectableLayer& layer : layers_)
            static_cast<void>(budget_of(layer, tile_count(), options_.threads));
    }

    [[nodiscard]] LayerMemory memory(LayerId layer_id, std::uint64_t images, int threads) const
    {
        FS_REQUIRE(layer_id.value() >= 0 && static_cast<std::size_t>(layer_id.value()) < layers_.size(),
                   "layer {} of {}", layer_id.value(), layers_.size());
        threads = evaluation_threads(options_.device, threads);
        const std::size_t tiles = tiles_of(static_cast<std::int64_t>(images));
        const Budget budget = budget_of(layers_[static_cast<std::size_t>(layer_id.value())], tiles, threads);
        const auto there = static_cast<std::uint64_t>(std::min(budget.kept + budget.together, tiles));
        LayerMemory memory;
        memory.tile_images = static_cast<std::uint64_t>(tile_images_);
        memory.tiles = tiles;
        memory.together = budget.together;
        memory.kept = budget.kept;
        memory.group = evaluator_->group_size();
        memory.prepared = there * (budget.tile.prepared + tile_bytes());
        memory.preparing = budget.together * budget.tile.preparing;
        memory.work = budget.tile.work * static_cast<std::uint64_t>(threads);
        return memory;
    }

    [[nodiscard]] const Golden& golden() const { return golden_; }
    [[nodiscard]] const WorkCount& work() const { return work_; }

    std::optional<std::vector<Outcome>> evaluate(LayerId layer_id, const std::vector<WeightChange>& changes,
                                                 const Screen& screen,
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
        // A neuron of the last layer moves one logit: a sum says by how much, no estimate is needed.
        const bool screened = options_.mode == EvaluationMode::screened && std::isfinite(screen.kappa) &&
                              layer.node != network_.graph.output();
        make_room(layer, screened);
        const auto images = static_cast<std::uint64_t>(images_.size());
        std::vector<Outcome> outcomes(changes.size());
        std::vector<std::size_t> alive(changes.size());
        std::iota(alive.begin(), alive.end(), std::size_t{0});
        // Faults of one weight side by side: they share the direction of their change.
        std::stable_sort(alive.begin(), alive.end(), [&](std::size_t a, std::size_t b) {
            return changes[a].parameter < changes[b].parameter;
        });
        const std::size_t tiles_of_wave = static_cast<std::size_t>(kWaveImages / tile_images_);
        for (std::size_t t = 0; t < tile_count() && !alive.empty(); t += tiles_of_wave)
        {
            std::vector<WeightChange> batch;
            for (const std::size_t f : alive)
                batch.push_back(changes[f]);
            std::vector<Tally> tallies(alive.size());
            std::vector<ScreenTally> screens(alive.size());
            const std::size_t end = std::min(t + tiles_of_wave, tile_count());
            for (std::size_t first = t; first < end; first += budget_.together)
            {
                if (should_stop && should_stop()) return std::nullopt;
                const bool whole =
                    evaluate_tiles(layer, screened ? &screen : nullptr, batch, first,
                                   std::min(first + budget_.together, end), tallies, screens, should_stop);
                if (!whole) return std::nullopt;
            }
            std::vector<std::size_t> survivors;
            for (std::size_t k = 0; k < alive.size(); ++k)
            {
                Outcome& outcome = outcomes[alive[k]];
                outcome.tally += tallies[k];
                outcome.screen += screens[k];
                outcome.drop = certain_drop(outcome.tally, golden_.correct, images);
                outcome.stopped = options_.mode != EvaluationMode::reference &&
                                  outcome.tally.evaluated < images &&
                                  exceeds(outcome.drop, options_.tolerances.back());
                if (outcome.stopped)
                {
                    work_.pairs += images - outcome.tally.evaluated;
                    work_.stopped += images - outcome.tally.evaluated;
                }
                else
                    survivors.push_back(alive[k]);
            }
            alive = std::move(survivors);
        }
        return outcomes;
    }

  private:
    /// How the memory budget is spent on a layer.
    struct Budget
    {
        std::size_t together = 1;  ///< tiles prepared and evaluated at a time
        std::size_t kept = 0;      ///< prepared tiles that stay for the next chunk of the layer
        TileMemory tile;
    };

    /// Fault-free logits, from the options or by a pass over all images.
    [[nodiscard]] torch::Tensor logits_of_all()
    {
        std::vector<float>& known = options_.golden_logits;
        if (known.empty()) return golden_logits(executor_, network_, images_, tile_images_, options_.threads);
        FS_REQUIRE(known.size() == static_cast<std::size_t>(images_.size() * network_.num_classes),
                   "{} golden logits for {} images of {} classes", known.size(), images_.size(),
                   network_.num_classes);
        return torch::tensor(std::exchange(known, {}), torch::kFloat32)
            .view({images_.size(), network_.num_classes});
    }

    std::unique_ptr<TileEvaluator> make_evaluator()
    {
        if (options_.mode == EvaluationMode::reference) return make_reference_evaluator(network_, executor_);
        std::vector<std::vector<float>> spread;
        if (options_.mode == EvaluationMode::screened)
        {
            std::vector<std::int64_t> indices(
                static_cast<std::size_t>(std::min(kSpreadImages, images_.size())));
            std::iota(indices.begin(), indices.end(), std::int64_t{0});
            std::vector<NodeId> judged;  // where the screen compares changes with the spread
            for (const InjectableLayer& layer : layers_)
            {
                const ChangeFlow flow = change_flow(network_.graph, layer.node);
                judged.push_back(layer.node);
                judged.insert(judged.end(), flow.checkpoints.begin(), flow.checkpoints.end());
            }
            std::sort(judged.begin(), judged.end());
            judged.erase(std::unique(judged.begin(), judged.end()), judged.end());
            spread = channel_spread(
                executor_, judged, image_batch(images_, indices, network_.normalisation, executor_.device()));
        }
        if (native_) return make_native_evaluator(network_, executor_, std::move(spread), options_.seed);
        return make_libtorch_evaluator(
            network_, executor_, spread, options_.seed,
            options_.memory_budget / (2 * static_cast<std::uint64_t>(options_.threads)));
    }

    [[nodiscard]] std::size_t tile_count() const { return tiles_of(images_.size()); }

    [[nodiscard]] std::size_t tiles_of(std::int64_t images) const
    {
        return static_cast<std::size_t>((images + tile_images_ - 1) / tile_images_);
    }

    /// Of the images of a tile.
    [[nodiscard]] std::uint64_t tile_bytes() const
    {
        return static_cast<std::uint64_t>(elements(network_.graph.input_shape()) * tile_images_) *
               sizeof(float);
    }

    /// \throws JobError if the budget does not hold one tile and the work space.
    [[nodiscard]] Budget budget_of(const InjectableLayer& layer, std::size_t tiles, int thread_count) const
    {
        Budget budget;
        budget.tile = evaluator_->memory(layer, tile_images_);
        const auto threads = static_cast<std::uint64_t>(thread_count);
        const std::uint64_t work = budget.tile.work * threads;
        const std::uint64_t images = tile_bytes();
        const std::uint64_t one =
            std::max<std::uint64_t>(1, budget.tile.prepared + budget.tile.preparing + images);
        FS_CHECK(JobError, options_.memory_budget >= one + work,
                 "campaign.memory_budget is {} MiB; for layer '{}' a tile of {} images and the work space of "
                 "{} threads need {}",
                 options_.memory_budget >> 20U, layer.name, tile_images_, threads, ((one + work) >> 20U) + 1);
        const std::uint64_t left = options_.memory_budget - work;
        budget.together = std::min<std::uint64_t>(
            {left / one, threads, static_cast<std::uint64_t>(kWaveImages / tile_images_)});
        const std::uint64_t kept =
            (left - budget.together * one) / std::max<std::uint64_t>(1, budget.tile.prepared + images);
        budget.kept = std::min<std::uint64_t>(kept, tiles);
        return budget;
    }

    /// Forget what was prepared for another layer.
    void make_room(const InjectableLayer& layer, bool screened)
    {
        if (prepared_for_ == layer.id && prepared_screened_ == screened) return;
        if (!kept_.empty())
        {
            kept_.clear();
            give_back_memory();
        }
        budget_ = budget_of(layer, tile_count(), options_.threads);
        kept_.resize(budget_.kept);
        prepared_for_ = layer.id;
        prepared_screened_ = screened;
    }

    /// A tile and what the backend prepared of it.
    struct Ready
    {
        Tile tile;
        std::shared_ptr<const PreparedTile> prepared;
    };

    /// The tiles [first, end), added to the tallies; false, and nothing added, once `should_stop` says yes.
    bool evaluate_tiles(const InjectableLayer& layer, const Screen* screen,
                        const std::vector<WeightChange>& changes, std::size_t first, std::size_t end,
                        std::vector<Tally>& tallies, std::vector<ScreenTally>& screens,
                        const std::function<bool()>& should_stop)
    {
        const std::size_t tiles = end - first;
        const std::vector<std::shared_ptr<const Ready>> ready =
            ready_tiles(layer, first, tiles, screen != nullptr);
        const std::size_t group = evaluator_->group_size();
        const std::size_t groups = (changes.size() + group - 1) / group;
        std::vector<Tally> part(tiles * changes.size());
        std::vector<ScreenTally> screen_part(tiles * changes.size());
        std::vector<WorkCount> work(tiles * groups);
        std::atomic<bool> stopped{false};
        parallel_for(static_cast<std::int64_t>(tiles * groups), options_.threads, [&](std::int64_t item) {
            if (!stopped && should_stop && omp_get_thread_num() == 0 && should_stop()) stopped = true;
            if (stopped) return;
            const c10::InferenceMode no_gradients;
            const std::size_t tile = static_cast<std::size_t>(item) / groups;
            const std::size_t from = static_cast<std::size_t>(item) % groups * group;
            const std::size_t at = tile * changes.size() + from;
            work[static_cast<std::size_t>(item)] =
                evaluator_->evaluate(layer, screen,
                                     {changes.data() + from, part.data() + at, screen_part.data() + at,
                                      std::min(group, changes.size() - from)},
                                     ready[tile]->tile, ready[tile]->prepared.get());
        });
        if (stopped) return false;
        for (const WorkCount& count : work)
            work_ += count;
        for (std::size_t tile = 0; tile < tiles; ++tile)
        {
            for (std::size_t f = 0; f < changes.size(); ++f)
            {
                tallies[f] += part[tile * changes.size() + f];
                screens[f] += screen_part[tile * changes.size() + f];
            }
        }
        std::uint64_t bytes = budget_.tile.work * static_cast<std::uint64_t>(options_.threads);
        for (const auto& kept : kept_)
            bytes += kept && kept->prepared ? kept->prepared->bytes() : 0;
        for (std::size_t k = 0; k < tiles; ++k)
            bytes += (first + k >= kept_.size() ? budget_.tile.prepared : 0) + budget_.tile.preparing;
        work_.peak_bytes = std::max(work_.peak_bytes, bytes);
        return true;
    }

    /// Tiles, prepared side by side, and what that took.
    std::vector<std::shared_ptr<const Ready>> ready_tiles(const InjectableLayer& layer, std::size_t first,
                                                          std::size_t count, bool screened)
    {
        const auto is_kept = [this](std::size_t t) { return t < kept_.size(); };
        std::vector<std::size_t> fresh;
        for (std::size_t t = first; t < first + count; ++t)
        {
            if (!is_kept(t) || !kept_[t]) fresh.push_back(t);
        }
        const Stopwatch watch;
        std::vector<std::shared_ptr<const Ready>> ready(count);
        parallel_for(static_cast<std::int64_t>(count), options_.threads, [&](std::int64_t i) {
            const auto k = static_cast<std::size_t>(i);
            ready[k] = tile_of(layer, first + k, screened);
        });
        if (fresh.empty() || options_.mode == EvaluationMode::reference) return ready;
        const double seconds = watch.seconds();
        const auto to_keep = static_cast<double>(std::count_if(fresh.begin(), fresh.end(), is_kept));
        work_.pass_seconds += seconds;
        work_.kept_seconds += seconds * to_keep / static_cast<double>(fresh.size());
        std::int64_t images = 0;
        for (const std::size_t t : fresh)
            images += ready[t - first]->tile.size();
        work_.pass_macs += static_cast<double>(images) * pass_macs(layer, screened);
        return ready;
    }

    /// Multiply-accumulate operations of an image's golden and gradient passes.
    [[nodiscard]] double pass_macs(const InjectableLayer& layer, bool screened) const
    {
        const Graph& graph = network_.graph;
        const std::vector<bool> behind = graph.reachable_from(layer.node);
        const auto backward = screened ? static_cast<double>(rivals_of(graph, layer.node)) : 0.0;
        double macs = 0;
        for (std::size_t i = 0; i < graph.nodes().size(); ++i)
        {
            const NodeId id(static_cast<std::int32_t>(i));
            const double passes = behind[i] && id != layer.node ? 1 + backward : 1;
            macs += passes * static_cast<double>(graph.macs(id));
        }
        return macs;
    }

    /// A tile, prepared, from memory if it is among those kept: the first ones, which every fault sees.
    std::shared_ptr<const Ready> tile_of(const InjectableLayer& layer, std::size_t t, bool screened)
    {
        if (t < kept_.size() && kept_[t]) return kept_[t];
        auto ready = std::make_shared<Ready>();
        Tile& tile = ready->tile;
        tile.first = static_cast<std::int64_t>(t) * tile_images_;
        const std::int64_t count = std::min(tile_images_, images_.size() - tile.first);
        const std::vector<std::int64_t> indices(order_.begin() + tile.first,
                                                order_.begin() + tile.first + count);
        tile.images = image_batch(images_, indices, network_.normalisation, executor_.device())
                          .contiguous(torch::MemoryFormat::ChannelsLast);
        for (const std::int64_t index : indices)
        {
            tile.label.push_back(golden_.label[static_cast<std::size_t>(index)]);
            tile.top1.push_back(golden_.top1[static_cast<std::size_t>(index)]);
            tile.certainty.push_back(golden_.margin[static_cast<std::size_t>(index)] / mean_margin_);
        }
        ready->prepared = evaluator_->prepare(layer, tile, screened);
        if (t < kept_.size()) kept_[t] = ready;
        return ready;
    }

    Network network_;
    ImageSet images_;
    EvaluationOptions options_;
    std::vector<InjectableLayer> layers_;
    std::int64_t tile_images_;
    bool native_;  ///< backend
    Executor executor_;
    Golden golden_;
    std::vector<std::int64_t> order_;
    float mean_margin_ = 0;
    std::unique_ptr<TileEvaluator> evaluator_;
    WorkCount work_;
    LayerId prepared_for_{-1};  ///< what the kept tiles were prepared for
    bool prepared_screened_ = false;
    Budget budget_;
    std::vector<std::shared_ptr<const Ready>> kept_;  ///< by tile
};

std::vector<float> golden_share(const Network& network, const ImageSet& images,
                                const EvaluationOptions& options, std::uint64_t part, std::uint64_t parts)
{
    FS_REQUIRE(part < parts, "part {} of {}", part, parts);
    check_test_images(network, images);
    if (options.device.cuda) set_reproducible_arithmetic();
    const torch::Tensor logits = golden_logits(
        Executor(network, torch_device(options.device)), network, images,
        tile_images(network.graph, options.mode), evaluation_threads(options.device, options.threads),
        static_cast<std::int64_t>(part), static_cast<std::int64_t>(parts));
    return {logits.data_ptr<float>(), logits.data_ptr<float>() + logits.numel()};
}

Evaluator::Evaluator(const Network& network, const ImageSet& images, const EvaluationOptions& options)
    : implementation_(std::make_unique<Implementation>(network, images, options))
{}

Evaluator::~Evaluator() = default;

const Golden& Evaluator::golden() const
{
    return implementation_->golden();
}

std::vector<Outcome> Evaluator::evaluate(LayerId layer, const std::vector<WeightChange>& changes,
                                         const Screen& screen)
{
    return *evaluate(layer, changes, screen, {});
}

std::optional<std::vector<Outcome>> Evaluator::evaluate(LayerId layer,
                                                        const std::vector<WeightChange>& changes,
                                                        const Screen& screen,
                                                        const std::function<bool()>& should_stop)
{
    return implementation_->evaluate(layer, changes, screen, should_stop);
}

WorkCount Evaluator::work() const
{
    return implementation_->work();
}

LayerMemory Evaluator::memory(LayerId layer, std::uint64_t images, int threads) const
{
    return implementation_->memory(layer, images, threads);
}

}  // namespace flipstorm
