#pragma once
// The memory of a network under the scheme that was chosen.

#include <optional>
#include <vector>

#include "engine/memory/stored_tensor.hpp"
#include "hdf5_schema/protected_file.hpp"
#include "hdf5_schema/protection_file.hpp"

namespace flipstorm
{

/// How the chosen scheme keeps each layer; nothing where it is not the same for all words of a layer
/// ("sec_critical"), or none was chosen.
[[nodiscard]] std::optional<std::vector<LayerProtection>> chosen_plan(const ProtectionRecord& protection,
                                                                      const std::vector<StoredTensor>& words);

/// Encode the words of a network, by layer as protection.plan and signature have them. \return everything but
/// `provenance`; nothing where chosen_plan has nothing
[[nodiscard]] std::optional<ProtectedRecord> protect_network(const ProtectionRecord& protection,
                                                             const std::vector<StoredTensor>& words);

}  // namespace flipstorm
