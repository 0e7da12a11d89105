#pragma once
// Strong index types: a layer is not a stratum, and neither is a fault.

#include <cstdint>

namespace flipstorm
{

/// An index that only compares with its own kind. `Tag` tells the kinds apart.
template<class Tag, class Int>
class StrongId
{
  public:
    using value_type = Int;

    constexpr StrongId() = default;
    constexpr explicit StrongId(Int value) : value_(value) {}

    [[nodiscard]] constexpr Int value() const { return value_; }

    friend constexpr bool operator==(StrongId a, StrongId b) { return a.value_ == b.value_; }
    friend constexpr bool operator!=(StrongId a, StrongId b) { return a.value_ != b.value_; }
    friend constexpr bool operator<(StrongId a, StrongId b) { return a.value_ < b.value_; }

  private:
    Int value_{};
};

/// Position among the injectable layers (convolutions and linear layers) of a network, in graph order.
using LayerId = StrongId<struct LayerTag, std::int32_t>;
/// Position among the strata of a campaign.
using StratumId = StrongId<struct StratumTag, std::int32_t>;
/// Position of a fault in a campaign, 0 … faults − 1: its row in campaign.h5.
using FaultIndex = StrongId<struct FaultTag, std::uint64_t>;
/// Position among the chunks of a campaign.
using ChunkId = StrongId<struct ChunkTag, std::uint64_t>;

}  // namespace flipstorm
