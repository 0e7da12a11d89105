#pragma once
// What the injection loop needs of a kind of faults: to compute a chunk, and to know its outcomes in the
// journal.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/evaluate/evaluator.hpp"
#include "engine/faults/plan.hpp"
#include "jobs/campaign/outcome_codec.hpp"

namespace flipstorm
{

/// Faults of one kind, and what evaluates them.
class ChunkWork
{
  public:
    ChunkWork() = default;
    virtual ~ChunkWork() = default;
    ChunkWork(const ChunkWork&) = delete;
    ChunkWork& operator=(const ChunkWork&) = delete;

    /// Outcomes of chunks of one layer, evaluated together, as bytes for the journal, for each chunk; nothing
    /// once `should_stop` says yes.
    [[nodiscard]] virtual std::optional<std::vector<std::string>> compute(
        const std::vector<Chunk>& chunks, const Screen& screen, const std::function<bool()>& should_stop) = 0;

    /// Such bytes of a chunk of `count` faults. \throws FileError if they are not
    [[nodiscard]] virtual ChunkRecord decode(const std::string& bytes, std::uint64_t count) const = 0;

    /// The fault-free network on the test images.
    [[nodiscard]] virtual const Golden& golden() const = 0;
};

}  // namespace flipstorm
