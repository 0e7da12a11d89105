#pragma once
// The faults of a campaign, of whatever kind: what the course, the injection, the status and the benchmark
// ask of them. Which class they are of is in jobs/campaign/kinds.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/stop_request.hpp"
#include "engine/evaluate/evaluator.hpp"
#include "engine/faults/plan.hpp"
#include "engine/network/network.hpp"
#include "jobs/campaign/chunk_record.hpp"

namespace flipstorm
{

struct Campaign;
struct Context;
struct Harvest;
enum class StageEnd;

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

/// The planned faults of a job on a network. Does not change; thread-safe but for what is \collective.
class CampaignFaults
{
  public:
    CampaignFaults() = default;
    virtual ~CampaignFaults() = default;
    CampaignFaults(const CampaignFaults&) = delete;
    CampaignFaults& operator=(const CampaignFaults&) = delete;

    /// All layers of the network that faults may strike, by layer id.
    [[nodiscard]] virtual const std::vector<InjectableLayer>& layers() const = 0;
    /// Strata, chunks and number of faults.
    [[nodiscard]] virtual const Plan& plan() const = 0;
    [[nodiscard]] virtual std::uint64_t images_per_fault() const = 0;

    /// Whether values may overflow behind a fault of the plan on its network (see results_revision.hpp).
    [[nodiscard]] virtual bool may_overflow(const Network& network, FaultIndex fault) const = 0;

    /// What computes them. \throws DataError, JobError: see Evaluator and TransientEvaluator. \collective
    [[nodiscard]] virtual std::unique_ptr<ChunkWork> work(const Context& context,
                                                          const Campaign& campaign) const = 0;

    /// The outcomes of a chunk of `count` faults as bytes, for the journal and for the way between ranks, and
    /// back. \throws FileError if bytes are not those of such a chunk
    [[nodiscard]] virtual std::string encode(const ChunkRecord& record) const = 0;
    [[nodiscard]] virtual ChunkRecord decode(const std::string& bytes, std::uint64_t count) const = 0;

    /// Write campaign.h5: header, rows of the faults and of what they did. \throws FileError. \collective
    virtual void write(const Context& context, const Campaign& campaign, const Golden& golden,
                       Harvest harvest) const = 0;

    /// Strata, sample sizes and cost, as text. \param trained  the network is, so that its weights mean
    /// something \throws Stopped, JobError, FileError
    [[nodiscard]] virtual std::string describe(const Context& context, const Campaign& campaign, bool trained,
                                               const StopRequest& stop) const = 0;

    /// Time evaluation modes on some of the faults, and print what they are worth. \throws Stopped, JobError
    virtual StageEnd bench(const Context& context, const Campaign& campaign,
                           const std::vector<EvaluationMode>& modes, const StopRequest& stop) const = 0;
};

}  // namespace flipstorm
