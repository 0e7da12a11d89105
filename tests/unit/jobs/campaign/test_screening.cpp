#include "jobs/campaign/screening.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "analysis/estimates.hpp"
#include "engine/base/error.hpp"
#include "engine/network/builders.hpp"

namespace flipstorm
{
namespace
{

constexpr std::uint64_t kPairs = 10'000'000;

ScreenPolicy policy()
{
    return {true, 8, 0.1, 0.005, 1e-5};
}

/// A layer of ten chunks and kPairs pairs.
LayerWork ten_chunks()
{
    return {10, 1000, kPairs};
}

TEST(AuditShare, IsEnoughToProveTheBoundWithOneDisagreement)
{
    // 1 - cdf: a Poisson variable of mean 4.743865 is 0 or 1 with probability 0.05.
    EXPECT_NEAR(std::exp(-4.743865) * (1 + 4.743865), 0.05, 1e-7);
    const double share = first_audit_share(policy(), kPairs);
    EXPECT_NEAR(share, 0.04743865, 1e-12);
    const auto audited = static_cast<std::uint64_t>(share * kPairs);
    EXPECT_NEAR(clopper_pearson_upper(1, audited) / 1e-5, 1, 1e-4);
    EXPECT_LT(clopper_pearson_upper(0, audited), 0.64e-5);
}

TEST(AuditShare, NeitherFallsBelowTheJobsNorExceedsOne)
{
    EXPECT_EQ(first_audit_share(policy(), 1'000'000'000), 0.005);
    EXPECT_EQ(first_audit_share(policy(), 474'386), 1);
    EXPECT_LT(first_audit_share(policy(), 474'387), 1);
    EXPECT_EQ(first_audit_share(policy(), 0), 1);
    ScreenPolicy lax = policy();
    lax.bound = 1;
    EXPECT_EQ(first_audit_share(lax, kPairs), 0.005);
}

TEST(Screening, StartsAsAskedOrExactlyWhereALayerIsTooSmallForTheBound)
{
    const auto first = [](const ScreenPolicy& asked, std::uint64_t pairs) {
        return screening_of(asked, {10, 1000, pairs}, {});
    };
    const LayerScreening large = first(policy(), kPairs);
    EXPECT_EQ(large.level, ScreenLevel::as_asked);
    EXPECT_EQ(large.screen.kappa, 8);
    EXPECT_EQ(large.screen.tau, 0.1);
    EXPECT_EQ(large.screen.audit_share, first_audit_share(policy(), kPairs));
    EXPECT_EQ(first(policy(), 474'387).level, ScreenLevel::as_asked);
    const LayerScreening small = first(policy(), 474'386);
    EXPECT_EQ(small.level, ScreenLevel::exact);
    EXPECT_TRUE(std::isinf(small.screen.kappa));
    EXPECT_EQ(small.screen.audit_share, 0);
    ScreenPolicy exact = policy();
    exact.screened = false;
    EXPECT_EQ(first(exact, kPairs).level, ScreenLevel::exact);
}

TEST(Screening, StaysWhereItIsUntilAllChunksAreDone)
{
    LevelTotals done{};
    for (std::uint64_t chunks = 0; chunks < 10; ++chunks)
    {
        // Even where the bound is beyond hope already: the verdict is on the whole layer.
        done[0] = {chunks, chunks * 900'000, chunks * 40'000, chunks * 100};
        const LayerScreening layer = screening_of(policy(), ten_chunks(), done);
        EXPECT_EQ(layer.level, ScreenLevel::as_asked);
        EXPECT_FALSE(layer.complete);
        EXPECT_TRUE(layer.trials.empty());
    }
}

TEST(Screening, AScreenWithinTheBoundIsKept)
{
    LevelTotals done{};
    done[0] = {10, 9'900'000, 480'000, 1};
    const LayerScreening layer = screening_of(policy(), ten_chunks(), done);
    EXPECT_TRUE(layer.complete);
    EXPECT_EQ(layer.level, ScreenLevel::as_asked);
    ASSERT_EQ(layer.trials.size(), 1U);
    EXPECT_TRUE(layer.trials[0].kept);
    EXPECT_EQ(layer.trials[0].totals.screened, 9'900'000U);
    EXPECT_EQ(layer.trials[0].screen.kappa, 8);
    EXPECT_EQ(layer.trials[0].bound95, clopper_pearson_upper(1, 480'000));
}

TEST(Screening, AScreenBeyondTheBoundIsTightenedAndThenGivenUp)
{
    LevelTotals done{};
    done[0] = {10, 9'900'000, 480'000, 2};  // 6.30 / 480,000 > 1e-5
    LayerScreening layer = screening_of(policy(), ten_chunks(), done);
    EXPECT_EQ(layer.level, ScreenLevel::tightened);
    EXPECT_FALSE(layer.complete);
    EXPECT_EQ(layer.screen.kappa, 32);
    EXPECT_EQ(layer.screen.tau, 0.025);
    EXPECT_NEAR(layer.screen.audit_share, 2 * 1.1 * 474'386.5 / 9'900'000, 1e-9);
    ASSERT_EQ(layer.trials.size(), 1U);
    EXPECT_FALSE(layer.trials[0].kept);
    EXPECT_GT(layer.trials[0].bound95, 1e-5);

    LevelTotals passed = done;
    passed[2] = {10, 5'000'000, 520'000, 0};
    layer = screening_of(policy(), ten_chunks(), passed);
    EXPECT_TRUE(layer.complete);
    EXPECT_EQ(layer.level, ScreenLevel::tightened);
    ASSERT_EQ(layer.trials.size(), 2U);
    EXPECT_TRUE(layer.trials[1].kept);
    EXPECT_EQ(layer.trials[1].screen.kappa, 32);

    done[2] = {10, 5'000'000, 520'000, 2};
    layer = screening_of(policy(), ten_chunks(), done);
    EXPECT_EQ(layer.level, ScreenLevel::exact);
    EXPECT_TRUE(std::isinf(layer.screen.kappa));
    EXPECT_FALSE(layer.complete);

    done[3] = {10, 0, 0, 0};
    layer = screening_of(policy(), ten_chunks(), done);
    EXPECT_TRUE(layer.complete);
    ASSERT_EQ(layer.trials.size(), 3U);
    EXPECT_EQ(layer.trials[2].bound95, 0);
    EXPECT_TRUE(layer.trials[2].kept);
}

TEST(Screening, WhereFewerPairsAreScreenedThanThereAreMoreOfThemAreAudited)
{
    LevelTotals done{};
    done[0] = {10, 3'000'000, 142'000, 0};  // 3.00 / 142,000 > 1e-5, whatever was found
    LayerScreening layer = screening_of(policy(), ten_chunks(), done);
    EXPECT_EQ(layer.level, ScreenLevel::audited_more);
    EXPECT_EQ(layer.screen.kappa, 8);
    EXPECT_EQ(layer.screen.tau, 0.1);
    EXPECT_NEAR(layer.screen.audit_share, 1.1 * 474'386.5 / 3'000'000, 1e-9);
    // One in 142,000 is less than the bound allows: still worth a second audit. Two are more.
    done[0].disagreements = 1;
    EXPECT_EQ(screening_of(policy(), ten_chunks(), done).level, ScreenLevel::audited_more);
    LevelTotals worse = done;
    worse[0].disagreements = 2;
    EXPECT_EQ(screening_of(policy(), ten_chunks(), worse).level, ScreenLevel::tightened);

    done[1] = {10, 3'000'000, 521'000, 1};
    layer = screening_of(policy(), ten_chunks(), done);
    EXPECT_TRUE(layer.complete);
    ASSERT_EQ(layer.trials.size(), 2U);
    EXPECT_FALSE(layer.trials[0].kept);
    EXPECT_TRUE(layer.trials[1].kept);
    done[1].disagreements = 3;
    EXPECT_EQ(screening_of(policy(), ten_chunks(), done).level, ScreenLevel::tightened);
    done[1] = {10, 3'000'000, 250'000, 0};  // far fewer than were to be audited: no third audit
    EXPECT_EQ(screening_of(policy(), ten_chunks(), done).level, ScreenLevel::exact);
}

TEST(Screening, WhereAllWouldHaveToBeAuditedALayerIsEvaluatedExactly)
{
    LevelTotals done{};
    done[0] = {10, 520'000, 24'600, 0};
    EXPECT_EQ(screening_of(policy(), ten_chunks(), done).level, ScreenLevel::exact);
    done[0] = {10, 1'000'000, 47'000, 40};
    EXPECT_EQ(screening_of(policy(), ten_chunks(), done).level, ScreenLevel::exact);
}

TEST(Screening, NothingScreenedLeavesNothingToDoubt)
{
    LevelTotals done{};
    done[0] = {10, 0, 0, 0};
    const LayerScreening layer = screening_of(policy(), ten_chunks(), done);
    EXPECT_TRUE(layer.complete);
    EXPECT_EQ(layer.trials[0].bound95, 0);
}

TEST(Screening, AChunkLostAtAnEarlierLevelIsAskedForAgain)
{
    LevelTotals done{};
    done[0] = {9, 9'000'000, 430'000, 50};
    done[2] = {10, 8'000'000, 480'000, 0};
    const LayerScreening layer = screening_of(policy(), ten_chunks(), done);
    EXPECT_EQ(layer.level, ScreenLevel::as_asked);
    EXPECT_FALSE(layer.complete);
}

TEST(Screening, WithoutAScreenALayerIsDoneWithItsChunks)
{
    ScreenPolicy exact;
    LevelTotals done{};
    EXPECT_FALSE(screening_of(exact, ten_chunks(), done).complete);
    done[3].chunks = 10;
    const LayerScreening layer = screening_of(exact, ten_chunks(), done);
    EXPECT_TRUE(layer.complete);
    EXPECT_EQ(layer.trials.size(), 1U);
    const LayerScreening empty = screening_of(policy(), {}, {});
    EXPECT_TRUE(empty.complete);
    EXPECT_TRUE(empty.trials.empty());
}

TEST(Screening, RefusesTotalsThatCannotBe)
{
    LevelTotals done{};
    done[0].chunks = 11;
    EXPECT_THROW(static_cast<void>(screening_of(policy(), ten_chunks(), done)), Error);
    done = {};
    done[0] = {10, 9'900'000, 480'000, 480};
    done[2] = {10, 9'000'000, 900'000, 400};
    done[3] = {1, 1, 0, 0};  // screened, though exact
    EXPECT_THROW(static_cast<void>(screening_of(policy(), ten_chunks(), done)), Error);
}

TEST(WorkOfLayers, AddsUpToThePlan)
{
    const auto layers = injectable_layers(build_network("lenet5", {1, 28, 28}, 10, {{0.3F}, {0.3F}}, 1));
    PlanOptions options;
    options.scheme = Scheme::network_wise;
    options.limit = 30;
    options.images = 7;
    const Plan plan(layers, options);
    const std::vector<LayerWork> work = work_of_layers(plan, layers.size(), 7);
    ASSERT_EQ(work.size(), 5U);
    std::uint64_t chunks = 0;
    std::vector<std::uint64_t> faults(layers.size(), 0);
    for (std::uint64_t k = 0; k < plan.size(); ++k)
        ++faults[static_cast<std::size_t>(plan.fault(FaultIndex(k)).layer.value())];
    for (std::size_t l = 0; l < work.size(); ++l)
    {
        EXPECT_EQ(work[l].faults, faults[l]);
        EXPECT_EQ(work[l].pairs, 7 * faults[l]);
        chunks += work[l].chunks;
    }
    EXPECT_EQ(chunks, plan.chunks().size());
}

}  // namespace
}  // namespace flipstorm
