#pragma once
// The test images in evaluation order, cut into tiles; what a backend prepares of them for a layer, kept for
// as many as the memory budget holds.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/compute/backend.hpp"
#include "engine/evaluate/evaluator.hpp"
#include "engine/evaluate/judge.hpp"

namespace flipstorm
{

/// A tile and what the backend prepared of it.
struct ReadyTile
{
    Tile tile;
    std::unique_ptr<PreparedTile> prepared;
};

/// How the memory budget is spent on a layer.
struct TileBudget
{
    std::size_t together = 1;  ///< tiles prepared and evaluated at a time
    std::size_t kept = 0;      ///< prepared tiles that stay for the next chunk of the layer
    TileMemory tile;
};

class TileStore
{
  public:
    /// All that it is given must outlive it.
    TileStore(const Network& network, const ImageSet& images, const EvaluationOptions& options,
              const Golden& golden, const ComputeBackend& backend);

    [[nodiscard]] std::int64_t tile_images() const { return tile_images_; }
    /// Number of tiles.
    [[nodiscard]] std::size_t count() const { return count_for(images_.size()); }
    [[nodiscard]] std::size_t count_for(std::int64_t images) const
    {
        return static_cast<std::size_t>((images + tile_images_ - 1) / tile_images_);
    }
    /// Bytes of the images of a tile.
    [[nodiscard]] std::uint64_t image_bytes() const;

    /// \param tiles  in all. \throws JobError if the budget does not hold one tile and the work space.
    [[nodiscard]] TileBudget budget(const InjectableLayer& layer, PreparedFor wanted, std::size_t tiles,
                                    int threads) const;

    /// Forget what was prepared for another layer. \returns how the budget is spent on this one
    const TileBudget& make_room(const InjectableLayer& layer, PreparedFor wanted);

    /// Tiles of the layer of make_room(), prepared side by side; adds to `work` what that took.
    [[nodiscard]] std::vector<std::shared_ptr<const ReadyTile>> ready(const InjectableLayer& layer,
                                                                      std::size_t first, std::size_t count,
                                                                      WorkCount& work);

    /// Bytes while so many tiles from the first one on are evaluated.
    [[nodiscard]] std::uint64_t bytes(std::size_t first, std::size_t count) const;

  private:
    std::shared_ptr<const ReadyTile> tile(const InjectableLayer& layer, std::size_t t);
    [[nodiscard]] double pass_macs(const InjectableLayer& layer) const;

    const Network& network_;
    const ImageSet& images_;
    const EvaluationOptions& options_;
    const Golden& golden_;
    const ComputeBackend& backend_;
    std::int64_t tile_images_;
    std::vector<std::int64_t> order_;
    float mean_margin_ = 0;
    LayerId prepared_for_{-1};  ///< what the kept tiles were prepared for
    PreparedFor wanted_;
    TileBudget budget_;
    std::vector<std::shared_ptr<const ReadyTile>> kept_;  ///< by tile
};

}  // namespace flipstorm
