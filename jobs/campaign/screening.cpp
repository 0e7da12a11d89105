#include "jobs/campaign/screening.hpp"

#include <algorithm>
#include <limits>

#include "analysis/estimates.hpp"
#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// Mean of a Poisson variable that is 0 or 1 with probability 0.05.
constexpr double kAuditsForOneDisagreement = 4.743865;

/// κ times this and τ over this at the level `tightened`.
constexpr double kTightening = 4;

/// The number of audits is random: a little more, so that it is seldom too small.
constexpr double kAuditReserve = 1.1;

/// Nothing is screened: κ is infinite.
constexpr Screen kExactScreen{std::numeric_limits<double>::infinity(), 0, 0};

/// Share of so many pairs that has to be audited to prove the policy's bound and bear a disagreement.
double needed_share(const ScreenPolicy& policy, std::uint64_t pairs)
{
    return kAuditsForOneDisagreement / (policy.bound * static_cast<double>(pairs));
}

/// Moves a layer whose trial has failed to its next level.
void move_on(LayerScreening& layer, const ScreenPolicy& policy, const ScreenTotals& failed)
{
    const double share =
        std::max(layer.screen.audit_share, kAuditReserve * needed_share(policy, failed.screened));
    const bool too_few = screen_bound95(failed.screened, failed.audited, 0) > policy.bound;
    const bool promising =
        static_cast<double>(failed.disagreements) <= policy.bound * static_cast<double>(failed.audited);
    if (layer.level == ScreenLevel::as_asked && too_few && promising && share < 1)
    {
        layer.level = ScreenLevel::audited_more;
        layer.screen.audit_share = share;
    }
    else if (layer.level < ScreenLevel::tightened && failed.disagreements > 0 && 2 * share < 1)
    {
        layer.level = ScreenLevel::tightened;
        layer.screen = {policy.kappa * kTightening, policy.tau / kTightening, 2 * share};
    }
    else
    {
        layer.level = ScreenLevel::exact;
        layer.screen = kExactScreen;
    }
}

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

void add_chunk(ScreenTotals& totals, const ChunkRecord& chunk)
{
    ++totals.chunks;
    totals.screened += chunk.screened;
    totals.audited += chunk.audited;
    totals.disagreements += chunk.disagreements;
}

double first_audit_share(const ScreenPolicy& policy, std::uint64_t pairs)
{
    if (pairs == 0) return 1;
    return std::min(1.0, std::max(policy.audit_share, needed_share(policy, pairs)));
}

LayerScreening first_screening(const ScreenPolicy& policy, std::uint64_t pairs)
{
    LayerScreening layer;
    layer.screen = kExactScreen;
    const double share = first_audit_share(policy, pairs);
    if (policy.screened && share < 1)
    {
        layer.level = ScreenLevel::as_asked;
        layer.screen = {policy.kappa, policy.tau, share};
    }
    return layer;
}

void judge_screen(LayerScreening& layer, const ScreenPolicy& policy, const LayerWork& work,
                  const ScreenTotals& totals)
{
    const bool exact = layer.level == ScreenLevel::exact;
    FS_REQUIRE(totals.chunks == work.chunks, "{} chunks done of a layer with {}", totals.chunks, work.chunks);
    const double bound = screen_bound95(totals.screened, totals.audited, totals.disagreements);
    layer.complete = exact || bound <= policy.bound;
    if (work.chunks > 0)
        layer.trials.push_back({layer.level, layer.screen, totals, bound, layer.complete, work.pairs});
    if (!layer.complete) move_on(layer, policy, totals);
}

LayerScreening screening_of(const ScreenPolicy& policy, const LayerWork& work, const LevelTotals& done)
{
    LayerScreening layer = first_screening(policy, work.pairs);
    while (!layer.complete)
    {
        const ScreenTotals& totals = done.at(static_cast<std::size_t>(layer.level));
        FS_REQUIRE(layer.level != ScreenLevel::exact || totals.screened == 0,
                   "{} pairs screened of a layer that is evaluated exactly", totals.screened);
        if (totals.chunks < work.chunks) break;
        judge_screen(layer, policy, work, totals);
    }
    return layer;
}

}  // namespace flipstorm
