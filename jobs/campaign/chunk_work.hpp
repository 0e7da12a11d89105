#pragma once
// What computes the faults of a campaign, for the injection loop.

#include <functional>
#include <optional>
#include <vector>

#include "engine/evaluate/evaluator.hpp"
#include "engine/faults/plan.hpp"
#include "jobs/campaign/chunk_record.hpp"

namespace flipstorm
{

/// What computes faults of one kind.
class ChunkWork
{
  public:
    ChunkWork() = default;
    virtual ~ChunkWork() = default;
    ChunkWork(const ChunkWork&) = delete;
    ChunkWork& operator=(const ChunkWork&) = delete;

    /// Outcomes of chunks of one layer, evaluated together, for each chunk; nothing once `should_stop` says
    /// yes.
    [[nodiscard]] virtual std::optional<std::vector<ChunkRecord>> compute(
        const std::vector<Chunk>& chunks, const Screen& screen, const std::function<bool()>& should_stop) = 0;

    /// The fault-free network on the test images.
    [[nodiscard]] virtual const Golden& golden() const = 0;
};

}  // namespace flipstorm
