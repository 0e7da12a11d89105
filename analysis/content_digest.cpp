#include "analysis/content_digest.hpp"

#include <cstdint>
#include <type_traits>
#include <vector>

#include "engine/base/sha256.hpp"

namespace flipstorm
{
namespace
{

/// A digest of values and columns in a fixed order.
class Content
{
  public:
    explicit Content(const std::string& kind) { add(kind); }

    template<class T>
    void add(const T& value)
    {
        static_assert(std::is_arithmetic_v<T>);
        sum_.update(&value, sizeof(T));
    }
    void add(const std::string& text)
    {
        add(std::uint64_t{text.size()});
        sum_.update(text);
    }
    template<class T>
    void add(const std::vector<T>& column)
    {
        add(std::uint64_t{column.size()});
        if constexpr (std::is_arithmetic_v<T>)
        {
            sum_.update(column.data(), column.size() * sizeof(T));
        }
        else
        {
            for (const T& value : column)
                add(value);
        }
    }

    std::string hex() { return sum_.hex(); }

  private:
    Sha256 sum_;
};

template<class... Values>
void add_all(Content& content, const Values&... values)
{
    (content.add(values), ...);
}

}  // namespace

std::string content_digest(const CampaignRecord& campaign)
{
    const CampaignHeader& header = campaign.header;
    const LayerTable& layers = header.layers;
    const StrataTable& strata = header.strata;
    const FaultTable& faults = campaign.faults;
    const OutcomeTable& outcomes = campaign.outcomes;
    Content content("flipstorm campaign");
    add_all(content, layers.name, layers.weights, layers.out_channels, layers.in_channels, layers.word_bits,
            layers.injected, header.fault_model, header.upset_bits);
    add_all(content, strata.layer, strata.bit, strata.population, strata.planned, strata.evaluated);
    add_all(content, header.golden.label, header.golden.top1, header.golden.margin, header.tolerances);
    add_all(content, faults.stratum, faults.layer, faults.parameter, faults.out_channel, faults.in_channel,
            faults.bit, faults.sign, faults.value_before, faults.value_after, faults.mask, faults.effect);
    add_all(content, outcomes.evaluated, outcomes.correct, outcomes.mismatches, outcomes.nonfinite,
            outcomes.stopped, outcomes.drop);
    return content.hex();
}

std::string content_digest(const ForestRecord& forest)
{
    Content content("flipstorm forest");
    add_all(content, forest.kind, forest.features, forest.test_share, forest.provenance.seed,
            forest.tolerance, std::uint64_t{forest.tolerances.size()});
    for (const ToleranceRecord& t : forest.tolerances)
    {
        add_all(content, t.tolerance, t.trained, t.rows, t.critical);
        add_all(content, t.trees.first_node, t.trees.feature, t.trees.threshold, t.trees.left, t.trees.right,
                t.trees.probability);
    }
    content.add(std::uint64_t{forest.criticality.size()});
    for (const LayerCriticality& map : forest.criticality)
        add_all(content, map.layer, map.weights, map.bits, map.probability);
    if (!forest.calibration.probability.empty())
    {
        add_all(content, forest.threshold, forest.calibration.probability, forest.calibration.low,
                forest.calibration.high);
        for (const LayerCriticality& map : forest.criticality)
            content.add(map.level);
    }
    return content.hex();
}

}  // namespace flipstorm
