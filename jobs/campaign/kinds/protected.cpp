#include "jobs/campaign/kinds/protected.hpp"

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/evaluate/results_revision.hpp"
#include "jobs/campaign/outcome_codec.hpp"
#include "jobs/resolve/plan_options.hpp"
#include "jobs/stages/stages.hpp"

namespace flipstorm
{

ProtectedFaults::ProtectedFaults(std::shared_ptr<const ProtectedMemory> memory, const PlanOptions& options)
    : memory_(std::move(memory)), plan_(memory_->parts(), options), images_(options.images)
{}

UpsetReading ProtectedFaults::reading(FaultIndex fault) const
{
    const WeightFault upset = plan_.fault(fault);
    return memory_->read(upset.layer, upset.parameter, upset.word);
}

bool ProtectedFaults::may_overflow(const Network& network, FaultIndex fault) const
{
    const WeightFault upset = plan_.fault(fault);
    const std::vector<ChangedWord> changed = reading(fault).changed;
    if (changed.empty()) return false;
    // Parts of words stand first, and their tensors are those of the network.
    const InjectableLayer& part = layers()[static_cast<std::size_t>(upset.layer.value())];
    if (memory_->region(upset.layer) == MemoryRegion::check) return true;
    const StoredTensor tensor = struck_tensor(network, part);
    return std::any_of(changed.begin(), changed.end(), [&](const ChangedWord& word) {
        return flipstorm::may_overflow(tensor.values()[word.element],
                                       tensor.decoded(word.element, word.word));
    });
}

std::string ProtectedFaults::encode(const ChunkRecord& record) const
{
    return encode_record(record);
}

ChunkRecord ProtectedFaults::decode(const std::string& bytes, std::uint64_t count) const
{
    return decode_outcomes(bytes, count, images_);
}

Network ProtectedKind::network_of(const Job& job, Network network) const
{
    const std::string& file = job.campaign.protected_memory;
    ProtectedMemory(network, struck_parameters(job), read_protected_of(file, network), file)
        .put_into(network);
    return network;
}

std::unique_ptr<CampaignFaults> ProtectedKind::plan(const Job& job, const Network& network,
                                                    std::uint64_t images) const
{
    auto memory = std::make_shared<const ProtectedMemory>(
        load_protected_memory(job.campaign.protected_memory, network, struck_parameters(job)));
    return std::make_unique<ProtectedFaults>(memory, plan_options(job, memory->parts(), images));
}

std::string ProtectedKind::identity(const Job& job) const
{
    return "memory " + identify_protected(job.campaign.protected_memory).memory_sha256 + "\n";
}

StageEnd ProtectedKind::report(const Context& context, const StopRequest& stop) const
{
    return report_protected_on_root(context, stop);
}

}  // namespace flipstorm
