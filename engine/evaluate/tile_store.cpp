#include "engine/evaluate/tile_store.hpp"

#include <malloc.h>

#include <algorithm>
#include <numeric>

#include "engine/base/error.hpp"
#include "engine/base/parallel.hpp"
#include "engine/base/timing.hpp"
#include "engine/evaluate/image_batches.hpp"

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

TileStore::TileStore(const Network& network, const ImageSet& images, const EvaluationOptions& options,
                     const Golden& golden, const ComputeBackend& backend)
    : network_(network),
      images_(images),
      options_(options),
      golden_(golden),
      backend_(backend),
      tile_images_(flipstorm::tile_images(network.graph, options.mode)),
      order_(evaluation_order(golden)),
      mean_margin_(std::accumulate(golden.margin.begin(), golden.margin.end(), 0.0F) /
                   static_cast<float>(golden.margin.size()))
{}

std::uint64_t TileStore::image_bytes() const
{
    return static_cast<std::uint64_t>(elements(network_.graph.input_shape()) * tile_images_) * sizeof(float);
}

TileBudget TileStore::budget(const InjectableLayer& layer, PreparedFor wanted, std::size_t tiles,
                             int threads) const
{
    TileBudget budget;
    budget.tile = backend_.memory(layer, tile_images_, wanted);
    const auto workers = static_cast<std::uint64_t>(threads);
    const std::uint64_t work = budget.tile.work * workers + backend_.bytes();
    const std::uint64_t images = image_bytes();
    const std::uint64_t one =
        std::max<std::uint64_t>(1, budget.tile.prepared + budget.tile.preparing + images);
    FS_CHECK(JobError, options_.memory_budget >= one + work,
             "campaign.memory_budget is {} MiB; for layer '{}' a tile of {} images, the work space of {} "
             "threads and the backend's copy of the weights need {}",
             options_.memory_budget >> 20U, layer.name, tile_images_, threads, ((one + work) >> 20U) + 1);
    const std::uint64_t left = options_.memory_budget - work;
    budget.together = std::min<std::uint64_t>(
        {left / one, workers, static_cast<std::uint64_t>(kWaveImages / tile_images_)});
    const std::uint64_t kept =
        (left - budget.together * one) / std::max<std::uint64_t>(1, budget.tile.prepared + images);
    budget.kept = std::min<std::uint64_t>(kept, tiles);
    return budget;
}

const TileBudget& TileStore::make_room(const InjectableLayer& layer, PreparedFor wanted)
{
    if (prepared_for_ == layer.id && wanted_.gradients == wanted.gradients &&
        wanted_.lengths == wanted.lengths)
        return budget_;
    if (!kept_.empty())
    {
        kept_.clear();
        give_back_memory();
    }
    budget_ = budget(layer, wanted, count(), options_.threads);
    kept_.resize(budget_.kept);
    prepared_for_ = layer.id;
    wanted_ = wanted;
    return budget_;
}

std::vector<std::shared_ptr<const ReadyTile>> TileStore::ready(const InjectableLayer& layer,
                                                               std::size_t first, std::size_t count,
                                                               WorkCount& work)
{
    const auto is_kept = [this](std::size_t t) { return t < kept_.size(); };
    std::vector<std::size_t> fresh;
    for (std::size_t t = first; t < first + count; ++t)
    {
        if (!is_kept(t) || !kept_[t]) fresh.push_back(t);
    }
    const Stopwatch watch;
    std::vector<std::shared_ptr<const ReadyTile>> ready(count);
    parallel_for(static_cast<std::int64_t>(count), options_.threads, [&](std::int64_t i) {
        const auto k = static_cast<std::size_t>(i);
        ready[k] = tile(layer, first + k);
    });
    if (fresh.empty() || options_.mode == EvaluationMode::reference) return ready;
    const double seconds = watch.seconds();
    const auto to_keep = static_cast<double>(std::count_if(fresh.begin(), fresh.end(), is_kept));
    work.pass_seconds += seconds;
    work.kept_seconds += seconds * to_keep / static_cast<double>(fresh.size());
    std::int64_t images = 0;
    for (const std::size_t t : fresh)
        images += ready[t - first]->tile.size();
    work.pass_macs += static_cast<double>(images) * pass_macs(layer);
    return ready;
}

std::uint64_t TileStore::bytes(std::size_t first, std::size_t count) const
{
    std::uint64_t bytes = budget_.tile.work * static_cast<std::uint64_t>(options_.threads);
    for (const auto& kept : kept_)
        bytes += kept && kept->prepared ? kept->prepared->bytes() : 0;
    for (std::size_t t = first; t < first + count; ++t)
        bytes += (t >= kept_.size() ? budget_.tile.prepared : 0) + budget_.tile.preparing;
    return bytes;
}

/// Multiply-accumulate operations of an image's golden and gradient passes.
double TileStore::pass_macs(const InjectableLayer& layer) const
{
    const Graph& graph = network_.graph;
    const std::vector<bool> behind = graph.reachable_from(layer.node);
    const auto backward = wanted_.gradients ? static_cast<double>(rivals_of(graph, layer.node)) : 0.0;
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
std::shared_ptr<const ReadyTile> TileStore::tile(const InjectableLayer& layer, std::size_t t)
{
    if (t < kept_.size() && kept_[t]) return kept_[t];
    auto ready = std::make_shared<ReadyTile>();
    Tile& tile = ready->tile;
    tile.first = static_cast<std::int64_t>(t) * tile_images_;
    const std::int64_t count = std::min(tile_images_, images_.size() - tile.first);
    const std::vector<std::int64_t> indices(order_.begin() + tile.first, order_.begin() + tile.first + count);
    tile.images = backend_.load(images_, indices);
    for (const std::int64_t index : indices)
    {
        tile.label.push_back(golden_.label[static_cast<std::size_t>(index)]);
        tile.top1.push_back(golden_.top1[static_cast<std::size_t>(index)]);
        tile.certainty.push_back(golden_.margin[static_cast<std::size_t>(index)] / mean_margin_);
    }
    ready->prepared = backend_.prepare(layer, *tile.images, wanted_);
    if (t < kept_.size()) kept_[t] = ready;
    return ready;
}

}  // namespace flipstorm
