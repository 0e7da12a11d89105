#pragma once
// Faults in feature maps: values between two operations are wrong.

#include "jobs/campaign/kinds/transient.hpp"

namespace flipstorm
{

/// Target "feature_maps".
class FeatureMapKind final : public TransientKind
{
  public:
    [[nodiscard]] Target target() const override { return Target::feature_maps; }
    [[nodiscard]] TransientRules rules(const TransientTable& table) const override;
    [[nodiscard]] std::string describe_rules(const TransientTable& table) const override;
    void complete(TransientHeader& header, const TransientTable& table, std::int64_t channels,
                  std::int64_t positions) const override;
};

}  // namespace flipstorm
