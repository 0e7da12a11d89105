#include "jobs/campaign/kinds/protected_rows.hpp"

#include <cmath>

#include "engine/base/error.hpp"
#include "jobs/campaign/kinds/weight_rows.hpp"
#include "jobs/resolve/plan_options.hpp"

namespace flipstorm
{
void write_protected_campaign(const Context& context, const Campaign& campaign, const ProtectedFaults& faults,
                              const Golden& golden, Harvest harvest)
{
    const ProtectedMemory& memory = faults.memory();
    std::vector<StoredTensor> tensors;
    const std::vector<InjectableLayer> injectable =
        injectable_layers(campaign.network, struck_parameters(context.job));
    for (const InjectableLayer& part : memory.parts())
        tensors.push_back(struck_tensor(campaign.network,
                                        injectable[static_cast<std::size_t>(memory.layer(part.id).value())]));
    write_memory_campaign(
        context, campaign, golden, std::move(harvest),
        [&](FaultIndex index, FaultTable& table, OutcomeTable& outcomes, std::uint64_t row) {
            const LayerId part = campaign.plan().fault(index).layer;
            const StoredTensor& tensor = tensors[static_cast<std::size_t>(part.value())];
            const bool data = memory.region(part) == MemoryRegion::data;
            const UpsetReading reading = faults.reading(index);
            // The values of the word that is hit, or of the first that reads otherwise.
            const std::uint64_t element = !reading.changed.empty() ? reading.changed.front().element
                                          : data                   ? table.parameter[row]
                                                                   : 0;
            const float before = tensor.values()[element];
            table.value_before[row] = before;
            table.value_after[row] =
                reading.changed.empty() ? before : tensor.decoded(element, reading.changed.front().word);
            table.sign[row] = std::signbit(before) ? 1 : 0;
            table.region.push_back(static_cast<std::uint8_t>(memory.region(part)));
            outcomes.detected.push_back(reading.verdict == Verdict::detected ? 1 : 0);
            outcomes.corrected.push_back(reading.verdict == Verdict::corrected ? 1 : 0);
            outcomes.changed.push_back(static_cast<std::uint32_t>(reading.changed.size()));
        },
        memory.sha256());
}

}  // namespace flipstorm
