#include "jobs/screening.hpp"

#include <algorithm>
#include <limits>

#include "analysis/estimates.hpp"
#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// x such that a Poisson variable of mean x is 0 or 1 with probability 0.05.
constexpr double kAuditsForOneDisagreement = 4.743865;

/// κ times this and τ over this at the second level.
constexpr double kTightening = 4;

}  // namespace

ScreenPolicy screen_policy(const Job& job)
{
    const CampaignTable& campaign = job.campaign;
    return {campaign.evaluation == "screened", campaign.kappa, campaign.tau, campaign.audit_share,
            campaign.screen_bound};
}

std::vector<LayerWork> work_of_layers(const Plan& plan, std::size_t layers, std::uint64_t images)
{
    std::vector<LayerWork> work(layers);
    for (const Chunk& chunk : plan.chunks())
    {
        LayerWork& layer = work.at(static_cast<std::size_t>(chunk.layer.value()));
        ++layer.chunks;
        layer.faults += chunk.count;
        layer.pairs += chunk.count * images;
    }
    return work;
}

double audit_share(const ScreenPolicy& policy, std::uint64_t pairs)
{
    if (pairs == 0) return 1;
    return std::min(1.0, std::max(policy.audit_share,
                                  kAuditsForOneDisagreement / (policy.bound * static_cast<double>(pairs))));
}

ScreenLevel first_level(const ScreenPolicy& policy, std::uint64_t pairs)
{
    return policy.screened && audit_share(policy, pairs) < 1 ? ScreenLevel::as_asked : ScreenLevel::exact;
}

Screen screen_at(const ScreenPolicy& policy, std::uint64_t pairs, ScreenLevel level)
{
    switch (level)
    {
        case ScreenLevel::as_asked:
            return {policy.kappa, policy.tau, audit_share(policy, pairs)};
        case ScreenLevel::tightened:
            return {policy.kappa * kTightening, policy.tau / kTightening, audit_share(policy, pairs)};
        case ScreenLevel::exact:
            break;
    }
    return {std::numeric_limits<double>::infinity(), 0, 0};
}

LayerScreening screening_of(const ScreenPolicy& policy, const LayerWork& work, const LevelTotals& done)
{
    LayerScreening layer;
    layer.level = first_level(policy, work.pairs);
    while (true)
    {
        const ScreenTotals& totals = done.at(static_cast<std::size_t>(layer.level));
        FS_REQUIRE(totals.chunks <= work.chunks, "{} chunks done of a layer with {}", totals.chunks,
                   work.chunks);
        FS_REQUIRE(layer.level != ScreenLevel::exact || totals.screened == 0,
                   "{} pairs screened of a layer that is evaluated exactly", totals.screened);
        if (totals.chunks < work.chunks) return layer;
        const double bound = screen_bound95(totals.screened, totals.audited, totals.disagreements);
        layer.complete = layer.level == ScreenLevel::exact || bound <= policy.bound;
        if (work.chunks > 0) layer.trials.push_back({layer.level, totals, bound, layer.complete});
        if (layer.complete) return layer;
        const bool hopeless = screen_bound95(totals.screened, totals.audited, 0) > policy.bound;
        layer.level =
            layer.level == ScreenLevel::as_asked && !hopeless ? ScreenLevel::tightened : ScreenLevel::exact;
    }
}

}  // namespace flipstorm
