#include "engine/evaluate/evaluator.hpp"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/base/parallel.hpp"
#include "engine/base/tolerance.hpp"
#include "engine/compute/torch/channel_spread.hpp"
#include "engine/compute/torch/golden_logits.hpp"
#include "engine/evaluate/backend_choice.hpp"
#include "engine/evaluate/certificate.hpp"
#include "engine/evaluate/group_policy.hpp"
#include "engine/evaluate/image_batches.hpp"
#include "engine/evaluate/judge.hpp"
#include "engine/evaluate/tile_store.hpp"
#include "engine/network/change_flow.hpp"

namespace flipstorm
{

/// Waves of tiles, and the groups of faults that are evaluated on them.
class Evaluator::Implementation
{
  public:
    Implementation(const Network& network, const ImageSet& images, const EvaluationOptions& options)
        : network_(network),
          images_(images),
          options_(options),
          layers_(injectable_layers(network, options.parameters))
    {
        const bool native = computes_natively(network, options);
        check_test_images(network, images);
        FS_REQUIRE(!options.tolerances.empty(), "an evaluator needs a tolerance");
        if (options_.device.cuda) set_reproducible_arithmetic();
        options_.threads = evaluation_threads(options_.device, options_.threads);
        golden_ = golden_of(logits_of_all(), images_.labels);
        if (layers_.front().kind == TensorKind::weights) weights_ = way_of(make_backend(native));
        if (layers_.back().kind != TensorKind::weights) others_ = way_of(make_backend_of_others());
        measure_scales();
        for (const InjectableLayer& layer : layers_)
        {
            const TileStore& tiles = *way(layer).tiles;
            for (const bool screened : {false, may_screen(layer)})
                static_cast<void>(
                    tiles.budget(layer, wanted(layer, screened), tiles.count(), options_.threads));
        }
    }

    [[nodiscard]] LayerMemory memory(LayerId layer_id, std::uint64_t images, int threads) const
    {
        const InjectableLayer& layer = layer_of(layer_id);
        threads = evaluation_threads(options_.device, threads);
        const Way& of = way(layer);
        const std::size_t tiles = of.tiles->count_for(static_cast<std::int64_t>(images));
        const TileBudget budget = of.tiles->budget(layer, wanted(layer, may_screen(layer)), tiles, threads);
        const auto there = static_cast<std::uint64_t>(std::min(budget.kept + budget.together, tiles));
        LayerMemory memory;
        memory.tile_images = static_cast<std::uint64_t>(of.tiles->tile_images());
        memory.tiles = tiles;
        memory.together = budget.together;
        memory.kept = budget.kept;
        memory.group = of.backend->group_size();
        memory.prepared = there * (budget.tile.prepared + of.tiles->image_bytes());
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
        const InjectableLayer& layer = layer_of(layer_id);
        for (const WeightChange& change : changes)
        {
            FS_REQUIRE(change.parameter < layer.weights, "parameter {} of layer '{}' with {}",
                       change.parameter, layer.name, layer.weights);
        }
        const bool screened = may_screen(layer) && std::isfinite(screen.kappa);
        TileStore& all_tiles = *way(layer).tiles;
        const TileBudget& budget = all_tiles.make_room(layer, wanted(layer, screened));
        const auto images = static_cast<std::uint64_t>(images_.size());
        std::vector<Outcome> outcomes(changes.size());
        std::vector<std::size_t> alive(changes.size());
        std::iota(alive.begin(), alive.end(), std::size_t{0});
        // Faults of one weight side by side: they share the direction of their change.
        std::stable_sort(alive.begin(), alive.end(), [&](std::size_t a, std::size_t b) {
            return changes[a].parameter < changes[b].parameter;
        });
        const std::size_t tiles_of_wave = static_cast<std::size_t>(kWaveImages / all_tiles.tile_images());
        for (std::size_t t = 0; t < all_tiles.count() && !alive.empty(); t += tiles_of_wave)
        {
            std::vector<WeightChange> batch;
            for (const std::size_t f : alive)
                batch.push_back(changes[f]);
            std::vector<Tally> tallies(alive.size());
            std::vector<ScreenTally> screens(alive.size());
            const std::size_t end = std::min(t + tiles_of_wave, all_tiles.count());
            const Round round{layer, screened ? &screen : nullptr, batch, should_stop};
            for (std::size_t first = t; first < end; first += budget.together)
            {
                if (should_stop && should_stop()) return std::nullopt;
                if (!evaluate_tiles(round, first, std::min(first + budget.together, end), tallies, screens))
                    return std::nullopt;
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
    /// What evaluates faults, on its tiles.
    struct Way
    {
        std::unique_ptr<ComputeBackend> backend;
        std::unique_ptr<TileStore> tiles;
    };

    [[nodiscard]] Way way_of(std::unique_ptr<ComputeBackend> backend) const
    {
        Way way{std::move(backend), nullptr};
        way.tiles = std::make_unique<TileStore>(network_, images_, options_, golden_, *way.backend);
        return way;
    }

    [[nodiscard]] const Way& way(const InjectableLayer& layer) const
    {
        return layer.kind == TensorKind::weights ? weights_ : others_;
    }

    /// Few words: of floats, the whole network is computed for each fault.
    [[nodiscard]] std::unique_ptr<ComputeBackend> make_backend_of_others() const
    {
        const bool reference = options_.mode == EvaluationMode::reference;
        if (is_emulated(network_, options_))
            return make_emulated_backend(network_, options_.device, reference);
        if (!network_.computes_in_integers()) return make_reference_backend(network_, options_.device);
        return make_integer_parameters(network_, reference);
    }

    /// What a wave asks of all its tiles.
    struct Round
    {
        const InjectableLayer& layer;
        const Screen* screen;
        const std::vector<WeightChange>& changes;
        const std::function<bool()>& should_stop;
    };

    [[nodiscard]] const InjectableLayer& layer_of(LayerId layer) const
    {
        FS_REQUIRE(layer.value() >= 0 && static_cast<std::size_t>(layer.value()) < layers_.size(),
                   "layer {} of {}", layer.value(), layers_.size());
        return layers_[static_cast<std::size_t>(layer.value())];
    }

    /// A neuron of the last layer moves one logit: a sum says by how much, no estimate is needed.
    [[nodiscard]] bool may_screen(const InjectableLayer& layer) const
    {
        return options_.mode == EvaluationMode::screened && layer.kind == TensorKind::weights &&
               layer.node != network_.graph.output() && !is_emulated(network_, options_);
    }

    /// Fault-free logits, from the options or by a pass over all images.
    [[nodiscard]] std::vector<float> logits_of_all()
    {
        std::vector<float>& known = options_.golden_logits;
        if (known.empty())
        {
            return golden_logits(network_, images_, options_.device,
                                 tile_images(network_.graph, options_.mode), options_.threads);
        }
        FS_REQUIRE(known.size() == static_cast<std::size_t>(images_.size() * network_.num_classes),
                   "{} golden logits for {} images of {} classes", known.size(), images_.size(),
                   network_.num_classes);
        return std::exchange(known, {});
    }

    [[nodiscard]] std::unique_ptr<ComputeBackend> make_backend(bool native) const
    {
        const bool reference = options_.mode == EvaluationMode::reference;
        if (is_emulated(network_, options_))
            return make_emulated_backend(network_, options_.device, reference);
        if (network_.computes_in_integers())
            return reference ? make_integer_reference(network_) : make_integer_backend(network_);
        if (reference) return make_reference_backend(network_, options_.device);
        if (native) return make_native_backend(network_);
        return make_libtorch_backend(
            network_, options_.device,
            options_.memory_budget / (2 * static_cast<std::uint64_t>(options_.threads)));
    }

    /// What changes are judged by: the channels' spread for a screen, and gains for a certificate.
    void measure_scales()
    {
        gains_.resize(layers_.size());
        if (options_.mode == EvaluationMode::reference || is_emulated(network_, options_)) return;
        const bool screened = options_.mode == EvaluationMode::screened;
        const bool whole = network_.computes_in_integers();
        std::vector<NodeId> judged;  // where the screen compares changes with the spread
        LogitGains gains(network_);
        for (const InjectableLayer& layer : layers_)
        {
            if (layer.kind != TensorKind::weights) continue;
            const ChangeFlow flow = change_flow(network_.graph, layer.node);
            judged.push_back(layer.node);
            judged.insert(judged.end(), flow.checkpoints.begin(), flow.checkpoints.end());
            // Of whole numbers, nothing is known behind a rounding.
            const bool known = !whole || layer.node == network_.graph.output();
            if (known && !may_screen(layer))
                gains_[static_cast<std::size_t>(layer.id.value())] = gains.of_layer(flow, layer.node);
        }
        if (!screened) return;
        std::sort(judged.begin(), judged.end());
        judged.erase(std::unique(judged.begin(), judged.end()), judged.end());
        spread_ = channel_spread(network_, options_.device, judged, images_);
    }

    [[nodiscard]] const std::vector<double>& gains(const InjectableLayer& layer) const
    {
        return gains_[static_cast<std::size_t>(layer.id.value())];
    }

    [[nodiscard]] PreparedFor wanted(const InjectableLayer& layer, bool screened) const
    {
        return {screened, !gains(layer).empty()};
    }

    /// The tiles [first, end), added to the tallies; false, and nothing added, once `should_stop` says yes.
    bool evaluate_tiles(const Round& round, std::size_t first, std::size_t end, std::vector<Tally>& tallies,
                        std::vector<ScreenTally>& screens)
    {
        const std::vector<WeightChange>& changes = round.changes;
        const std::size_t tiles = end - first;
        const std::vector<std::shared_ptr<const ReadyTile>> ready =
            way(round.layer).tiles->ready(round.layer, first, tiles, work_);
        const std::size_t group = way(round.layer).backend->group_size();
        const std::size_t groups = (changes.size() + group - 1) / group;
        std::vector<Tally> part(tiles * changes.size());
        std::vector<ScreenTally> screen_part(tiles * changes.size());
        std::vector<WorkCount> work(tiles * groups);
        std::atomic<bool> stopped{false};
        parallel_for(static_cast<std::int64_t>(tiles * groups), options_.threads, [&](std::int64_t item) {
            if (!stopped && round.should_stop && omp_get_thread_num() == 0 && round.should_stop())
                stopped = true;
            if (stopped) return;
            const std::size_t tile = static_cast<std::size_t>(item) / groups;
            const std::size_t from = static_cast<std::size_t>(item) % groups * group;
            const std::size_t at = tile * changes.size() + from;
            work[static_cast<std::size_t>(item)] =
                evaluate_group(round, {changes.data() + from, std::min(group, changes.size() - from)},
                               *ready[tile], {part.data() + at, screen_part.data() + at});
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
        work_.peak_bytes = std::max(work_.peak_bytes, way(round.layer).tiles->bytes(first, tiles));
        return true;
    }

    /// A group of faults on a tile. Thread-safe. \returns what became of the pairs
    [[nodiscard]] WorkCount evaluate_group(const Round& round, const ChangeGroup& group,
                                           const ReadyTile& ready, GroupTallies tallies) const
    {
        static const TileMargins unknown;
        const DeviceImages& images = *ready.tile.images;
        const PreparedTile* const prepared = ready.prepared.get();
        GroupPolicy policy({round.screen, &spread_, &gains(round.layer), options_.seed}, group, ready.tile,
                           prepared != nullptr ? prepared->margins : unknown, network_.num_classes, tallies);
        const ComputeBackend& backend = *way(round.layer).backend;
        double macs = backend.follow(round.layer, group, images, prepared, policy);
        macs +=
            backend.follow_as_reference(round.layer, group, images, prepared, policy.overflowing(), policy);
        WorkCount work = policy.work();
        work.macs = macs;
        return work;
    }

    Network network_;
    const ImageSet& images_;
    EvaluationOptions options_;
    std::vector<InjectableLayer> layers_;
    Golden golden_;
    std::vector<std::vector<float>> spread_;  ///< by node, where a screen asks for it
    std::vector<std::vector<double>> gains_;  ///< by layer id; empty where nothing is proven
    Way weights_;                             ///< of faults in weights
    Way others_;                              ///< of faults in other tensors
    WorkCount work_;
};

std::vector<float> golden_share(const Network& network, const ImageSet& images,
                                const EvaluationOptions& options, std::uint64_t part, std::uint64_t parts)
{
    FS_REQUIRE(part < parts, "part {} of {}", part, parts);
    check_test_images(network, images);
    if (options.device.cuda) set_reproducible_arithmetic();
    return golden_logits(network, images, options.device, tile_images(network.graph, options.mode),
                         evaluation_threads(options.device, options.threads), static_cast<std::int64_t>(part),
                         static_cast<std::int64_t>(parts));
}

Evaluator::Evaluator(const Network& network, const ImageSet& images, const EvaluationOptions& options)
    : implementation_(std::make_unique<Implementation>(network, images, options))
{}

Evaluator::Evaluator(const Network& network, ImageSet&& images, const EvaluationOptions& options)
    : own_images_(std::make_unique<const ImageSet>(std::move(images))),
      implementation_(std::make_unique<Implementation>(network, *own_images_, options))
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
