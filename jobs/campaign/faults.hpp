#pragma once
// The faults of a campaign, of whatever kind: what the course, the injection, the status and the benchmark
// ask of them. Which class they are of is in jobs/campaign/kinds; what computes them, in kinds/injection.hpp.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "engine/faults/plan.hpp"
#include "engine/network/network.hpp"
#include "jobs/campaign/chunk_record.hpp"

namespace flipstorm
{

class WeightFaults;
class TransientFaults;
class ProtectedFaults;

/// Planned faults as what they are.
using FaultsByKind = std::variant<const WeightFaults*, const TransientFaults*, const ProtectedFaults*>;

/// The planned faults of a job on a network. Does not change; thread-safe.
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

    /// The outcomes of a chunk of `count` faults as bytes, for the journal and for the way between ranks, and
    /// back. \throws FileError if bytes are not those of such a chunk
    [[nodiscard]] virtual std::string encode(const ChunkRecord& record) const = 0;
    [[nodiscard]] virtual ChunkRecord decode(const std::string& bytes, std::uint64_t count) const = 0;

    /// These faults, for what is done otherwise for each kind.
    [[nodiscard]] virtual FaultsByKind by_kind() const = 0;
};

}  // namespace flipstorm
