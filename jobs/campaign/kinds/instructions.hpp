#pragma once
// Faults in the instructions of a layer's dot products.

#include "jobs/campaign/kinds/transient.hpp"

namespace flipstorm
{

/// Target "instructions".
class InstructionKind final : public TransientKind
{
  public:
    [[nodiscard]] Target target() const override { return Target::instructions; }
    [[nodiscard]] TransientRules rules(const TransientTable& table) const override;
    [[nodiscard]] std::string describe_rules(const TransientTable& table) const override;
    void complete(TransientHeader& header, const TransientTable& table, std::int64_t channels,
                  std::int64_t positions) const override;
};

}  // namespace flipstorm
