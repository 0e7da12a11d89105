#include "engine/evaluate/group_policy.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/evaluate/audit.hpp"

namespace flipstorm
{
namespace
{

/// The rivals without a gradient are taken to move at most so many times as far as those with one.
constexpr float kOtherRivals = 2;

}  // namespace

GroupPolicy::GroupPolicy(const LayerPolicy& layer, const ChangeGroup& group, const Tile& tile,
                         const TileMargins& margins, std::int64_t classes, GroupTallies tallies)
    : layer_(layer),
      group_(group),
      tile_(tile),
      margins_(margins),
      classes_(classes),
      tallies_(tallies),
      screens_(layer.screen != nullptr && std::isfinite(layer.screen->kappa) && margins.rivals > 0)
{
    if (screens_) kappa_ = static_cast<float>(layer.screen->kappa);
    audited_ = choose_audits(layer.seed, screens_ ? layer.screen->audit_share : 0, group.changes, group.count,
                             tile.first, tile.size());
    work_.pairs = static_cast<std::uint64_t>(tile.size()) * group.count;
    // As if nothing changed; what changes is tallied when it is known.
    const Tally golden = golden_tally(tile);
    for (std::size_t f = 0; f < group.count; ++f)
        tallies.tallies[f] += golden;
}

/// In proportion to the image's margin.
float GroupPolicy::tau(std::int64_t image) const
{
    return static_cast<float>(layer_.screen->tau) * tile_.certainty[static_cast<std::size_t>(image)];
}

/// min( min over rivals k of margin_k / (kappa |move_k|),  rest / (kOtherRivals · kappa max over k |move_k|)
/// )
float GroupPolicy::reach(std::int64_t image, const float* moves) const
{
    const float* const margin = margins_.nearest.data() + image * margins_.rivals;
    float most = 0;
    float limit = std::numeric_limits<float>::infinity();
    for (std::int64_t k = 0; k < margins_.rivals; ++k)
    {
        const float move = kappa_ * std::fabs(moves[k]);
        // A tie is decided by the least change, and a NaN says nothing of any.
        if (!(margin[k] > 0) || std::isnan(move)) return 0;
        limit = std::min(limit, margin[k] / move);
        most = std::max(most, move);
    }
    return std::min(limit, margins_.rest[static_cast<std::size_t>(image)] / (kOtherRivals * most));
}

bool GroupPolicy::harmless(std::int64_t image, const float* moves) const
{
    const float* const margin = margins_.nearest.data() + image * margins_.rivals;
    float most = 0;
    for (std::int64_t k = 0; k < margins_.rivals; ++k)
    {
        const float move = kappa_ * std::fabs(moves[k]);
        if (!(move < margin[k])) return false;
        most = std::max(most, move);
    }
    return kOtherRivals * most < margins_.rest[static_cast<std::size_t>(image)];
}

float GroupPolicy::harmless_length(std::int64_t image, std::int64_t channel) const
{
    return margins_.certain[static_cast<std::size_t>(image)] /
           static_cast<float>((*layer_.gains)[static_cast<std::size_t>(channel)]);
}

void GroupPolicy::at_layer(std::int64_t image, LayerMeasure* measures, std::size_t count)
{
    for (LayerMeasure* measure = measures; measure != measures + count; ++measure)
    {
        measure->follows = false;
        if (measure->masked)
            ++work_.masked;
        else if (measure->size < measure->proven)
            ++work_.proven;
        else if (measure->overflows)
            overflowing_.push_back({{measure->fault, image, false}, 0, {}});
        else
        {
            measure->screened = screens_ && measure->size < measure->small;
            measure->follows = !measure->screened || audited(measure->fault, image);
            if (!measure->screened) continue;
            ++work_.screened;
            ++tallies_.screens[measure->fault].screened;
        }
    }
}

void GroupPolicy::masked(const Pair& pair)
{
    ++work_.masked;
    if (pair.screened) ++tallies_.screens[pair.fault].audited;
}

bool GroupPolicy::screened_later(Pair& pair)
{
    ++work_.rescreened;
    ++tallies_.screens[pair.fault].screened;
    pair.screened = true;
    return audited(pair.fault, pair.image);
}

void GroupPolicy::at_logits(const Pair& pair, const float* logits)
{
    const auto image = static_cast<std::size_t>(pair.image);
    const std::int32_t label = tile_.label[image];
    const std::int32_t top1 = tile_.top1[image];
    const Tally judged = judge(logits, classes_, label, top1);
    ++work_.finished;
    if (pair.screened)
    {
        ++work_.audited;
        ++tallies_.screens[pair.fault].audited;
        tallies_.screens[pair.fault].disagreements += judged.mismatches;
    }
    if (judged.mismatches > 0) tally_change(tallies_.tallies[pair.fault], judged, top1 == label);
}

}  // namespace flipstorm
