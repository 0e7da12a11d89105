#pragma once
// Words of a network that read otherwise than without a fault.

#include <cstdint>
#include <vector>

#include "engine/network/network.hpp"

namespace flipstorm
{

/// A word of a tensor that reads otherwise.
struct ChangedWord
{
    LayerId tensor;  ///< as injectable_layers() numbers it
    std::uint64_t element = 0;
    std::uint32_t word = 0;
};

/// The network with the changed words in place of its own. \param tensors  that the words name by their id
[[nodiscard]] Network with_words(Network network, const std::vector<InjectableLayer>& tensors,
                                 const std::vector<ChangedWord>& changed);

}  // namespace flipstorm
