#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <tuple>

#include "engine/base/error.hpp"
#include "engine/faults/plan.hpp"
#include "engine/network/builders.hpp"

namespace flipstorm
{
namespace
{

std::vector<InjectableLayer> lenet_layers()
{
    return injectable_layers(build_network("lenet5", {1, 28, 28}, 10, {{0.3F}, {0.3F}}, 1));
}

PlanOptions options(Scheme scheme, std::uint64_t limit = 0, std::uint64_t seed = 1)
{
    return {scheme, {0.01, 2.58, 0.5}, limit, seed, 1000};
}

TEST(Plan, CountsTheFaultsOfLenet)
{
    EXPECT_EQ(Plan(lenet_layers(), options(Scheme::layer_wise)).size(), 59971U);
    EXPECT_EQ(Plan(lenet_layers(), options(Scheme::data_unaware)).size(), 693856U);
    EXPECT_EQ(Plan(lenet_layers(), options(Scheme::network_wise)).size(),
              sample_size(61470ULL * 32, {0.01, 2.58, 0.5}));
}

TEST(Plan, DrawsWithoutReplacementWithinItsStrata)
{
    const std::vector<InjectableLayer> layers = lenet_layers();
    for (const Scheme scheme : {Scheme::network_wise, Scheme::layer_wise, Scheme::data_unaware})
    {
        const Plan plan(layers, options(scheme, 20000));
        std::set<std::tuple<std::int32_t, std::uint64_t, std::int32_t>> seen;
        std::vector<std::uint64_t> drawn(plan.strata().size(), 0);
        for (std::uint64_t k = 0; k < plan.size(); ++k)
        {
            const WeightFault fault = plan.fault(FaultIndex(k));
            const Stratum& stratum = plan.strata()[static_cast<std::size_t>(fault.stratum.value())];
            const InjectableLayer& layer = layers[static_cast<std::size_t>(fault.layer.value())];
            ASSERT_LT(fault.parameter, layer.weights);
            ASSERT_TRUE(fault.bit >= 0 && fault.bit < 32);
            ASSERT_TRUE(stratum.layer < 0 || stratum.layer == fault.layer.value());
            ASSERT_TRUE(stratum.bit < 0 || stratum.bit == fault.bit);
            ASSERT_TRUE(seen.emplace(fault.layer.value(), fault.parameter, fault.bit).second) << k;
            ++drawn[static_cast<std::size_t>(fault.stratum.value())];
        }
        for (std::size_t i = 0; i < drawn.size(); ++i)
            EXPECT_EQ(drawn[i], plan.strata()[i].drawn);
    }
}

TEST(Plan, ChunksCoverEveryFaultOnceAndHoldOneLayer)
{
    for (const Scheme scheme : {Scheme::network_wise, Scheme::layer_wise, Scheme::data_unaware})
    {
        const Plan plan(lenet_layers(), options(scheme, 7001));
        std::uint64_t next = 0;
        for (const Chunk& chunk : plan.chunks())
        {
            EXPECT_EQ(chunk.first.value(), next);
            EXPECT_GT(chunk.count, 0U);
            for (std::uint64_t i = 0; i < chunk.count; ++i)
            {
                ASSERT_EQ(plan.fault(FaultIndex(next + i)).layer, chunk.layer);
            }
            next += chunk.count;
        }
        EXPECT_EQ(next, plan.size());
    }
}

TEST(Plan, ASmallerLimitGivesASubset)
{
    const auto faults = [](std::uint64_t limit) {
        std::set<std::tuple<std::int32_t, std::uint64_t, std::int32_t>> set;
        const Plan plan(lenet_layers(), options(Scheme::network_wise, limit));
        for (std::uint64_t k = 0; k < plan.size(); ++k)
        {
            const WeightFault fault = plan.fault(FaultIndex(k));
            set.emplace(fault.layer.value(), fault.parameter, fault.bit);
        }
        return set;
    };
    const auto large = faults(3000);
    for (const auto& fault : faults(500))
        EXPECT_EQ(large.count(fault), 1U);
}

TEST(Plan, DependsOnTheSeed)
{
    const Plan a(lenet_layers(), options(Scheme::layer_wise, 1000, 1));
    const Plan b(lenet_layers(), options(Scheme::layer_wise, 1000, 2));
    int equal = 0;
    for (std::uint64_t k = 0; k < 1000; ++k)
    {
        equal += a.fault(FaultIndex(k)).parameter == b.fault(FaultIndex(k)).parameter ? 1 : 0;
    }
    EXPECT_LT(equal, 50);
}

// fc1 holds 78 % of the bits: a network-wise sample hits it in proportion.
TEST(Plan, NetworkWiseHitsLayersInProportionToTheirSize)
{
    const Plan plan(lenet_layers(), options(Scheme::network_wise));
    std::vector<double> hits(5, 0);
    for (const Chunk& chunk : plan.chunks())
        hits[static_cast<std::size_t>(chunk.layer.value())] += static_cast<double>(chunk.count);
    const double weights[] = {150, 2400, 48000, 10080, 840};
    for (std::size_t i = 0; i < 5; ++i)
    {
        const double share = weights[i] / 61470;
        const double n = static_cast<double>(plan.size());
        EXPECT_NEAR(hits[i], n * share, 6 * std::sqrt(n * share * (1 - share)));
    }
}

// Each bit position gets its share of a layer-wise sample.
TEST(Plan, BitsOfALayerAreHitEvenly)
{
    const Plan plan(lenet_layers(), options(Scheme::layer_wise));
    std::vector<double> hits(32, 0);
    double n = 0;
    for (std::uint64_t k = 0; k < plan.size(); ++k)
    {
        const WeightFault fault = plan.fault(FaultIndex(k));
        if (fault.layer.value() != 2) continue;
        ++hits[static_cast<std::size_t>(fault.bit)];
        ++n;
    }
    double chi_squared = 0;
    for (const double count : hits)
        chi_squared += (count - n / 32) * (count - n / 32) / (n / 32);
    EXPECT_LT(chi_squared, 75);  // 31 degrees of freedom: exceeded with probability 2e-5
}

TEST(Plan, DearestFirstIsAPermutationOfFallingCost)
{
    for (const Scheme scheme : {Scheme::layer_wise, Scheme::data_unaware})
    {
        const Plan plan(lenet_layers(), options(scheme, 5000));
        const std::vector<ChunkId> order = dearest_first(plan);
        std::set<std::uint64_t> ids;
        double cheapest = plan.chunks()[order.front().value()].macs;
        std::size_t changes = 0;  // of the layer, from a chunk to the next
        for (std::size_t i = 0; i < order.size(); ++i)
        {
            const Chunk& chunk = plan.chunks()[order[i].value()];
            ids.insert(order[i].value());
            EXPECT_LE(chunk.macs, std::sqrt(2.0) * cheapest * (1 + 1e-12));
            cheapest = std::min(cheapest, chunk.macs);
            changes += i > 0 && chunk.layer != plan.chunks()[order[i - 1].value()].layer ? 1U : 0U;
        }
        EXPECT_EQ(ids.size(), plan.chunks().size());
        EXPECT_LT(changes, plan.chunks().size() / 2) << "the chunks of a layer stay together";
    }
}

// What a chunk costs follows from its faults: with bits of known cost, by their number.
TEST(Plan, ChunksOfDearBitsHoldFewerFaults)
{
    PlanOptions dear = options(Scheme::data_unaware);
    const std::vector<InjectableLayer> layers = lenet_layers();
    dear.followed_by_bit.assign(layers.size(), std::vector<double>(32, 0.01));
    for (std::vector<double>& by_bit : dear.followed_by_bit)
        by_bit[30] = 0.1;
    dear.shared_passes = 1;
    // 0.01 · 576 / products where an output is a sum of fewer than 576, but not beyond 0.1.
    const double cheap[] = {0.1, 0.01 * 576 / 150, 0.01 * 576 / 400, 0.01 * 576 / 120, 0.01 * 576 / 84};
    const Plan plan(layers, dear);
    double shared = 0;
    for (const InjectableLayer& layer : layers)
        shared = std::max(shared, 1000.0 * static_cast<double>(layer.suffix_macs));
    std::uint64_t covered = 0;
    for (const Chunk& chunk : plan.chunks())
    {
        double macs = shared;
        for (std::uint64_t k = 0; k < chunk.count; ++k)
        {
            const WeightFault fault = plan.fault(FaultIndex(chunk.first.value() + k));
            macs += 1000.0 * (fault.bit == 30 ? 0.1 : cheap[chunk.layer.value()]) *
                    static_cast<double>(layers[static_cast<std::size_t>(chunk.layer.value())].suffix_macs);
        }
        ASSERT_NEAR(chunk.macs, macs, 1e-9 * macs);
        ASSERT_EQ(chunk.first.value(), covered);
        covered += chunk.count;
    }
    EXPECT_EQ(covered, plan.size());
}

TEST(Plan, RefusesALimitBelowTheStrata)
{
    EXPECT_THROW(Plan(lenet_layers(), options(Scheme::layer_wise, 4)), JobError);
    EXPECT_NO_THROW(Plan(lenet_layers(), options(Scheme::layer_wise, 5)));
    EXPECT_THROW(Plan({}, options(Scheme::layer_wise)), DataError);
    EXPECT_THROW(
        static_cast<void>(Plan(lenet_layers(), options(Scheme::layer_wise)).fault(FaultIndex(59971))), Error);
}

TEST(SpreadLimit, GivesEvenSharesAndPassesOnWhatIsNotUsed)
{
    using Counts = std::vector<std::uint64_t>;
    EXPECT_EQ(spread_limit({100, 100, 100}, 30), (Counts{10, 10, 10}));
    EXPECT_EQ(spread_limit({100, 100, 100}, 32), (Counts{11, 11, 10}));
    EXPECT_EQ(spread_limit({5, 100, 100}, 45), (Counts{5, 20, 20}));
    EXPECT_EQ(spread_limit({5, 100, 7}, 1000), (Counts{5, 100, 7}));
    EXPECT_EQ(spread_limit({}, 10), Counts{});
}

/// What a plan draws, as (layer, parameter, mask, effect).
std::set<std::tuple<std::int32_t, std::uint64_t, std::uint64_t, BitEffect>> drawn(const Plan& plan)
{
    std::set<std::tuple<std::int32_t, std::uint64_t, std::uint64_t, BitEffect>> faults;
    for (std::uint64_t k = 0; k < plan.size(); ++k)
    {
        const WeightFault fault = plan.fault(FaultIndex(k));
        faults.emplace(fault.layer.value(), fault.parameter, fault.word.mask, fault.word.effect);
    }
    return faults;
}

TEST(Plan, LeavesOutPlacedFaultsAndDrawsEveryOther)
{
    const std::vector<InjectableLayer> layers = lenet_layers();
    for (const Scheme scheme : {Scheme::network_wise, Scheme::layer_wise, Scheme::data_unaware})
    {
        for (const FaultModel model : {FaultModel::bit_flip, FaultModel::stuck_at})
        {
            PlanOptions asked = options(scheme, 3000);
            asked.layers = {"conv1", "fc3"};
            asked.upset.model = model;
            const Plan sample(layers, asked);
            const auto known = drawn(sample);
            asked.excluded.resize(layers.size());
            for (const auto& [layer, parameter, mask, effect] : known)
                asked.excluded[static_cast<std::size_t>(layer)].push_back({parameter, {mask, effect}});
            const Plan few(layers, asked);
            std::uint64_t common = 0;
            for (const auto& fault : drawn(few))
                common += known.count(fault);
            EXPECT_EQ(common, 0U);
            EXPECT_EQ(drawn(few).size(), 3000U);
            asked.exhaustive = true;
            for (const std::uint64_t limit : {std::uint64_t{0}, std::uint64_t{1} << 40U})
            {
                asked.limit = limit;
                const Plan rest(layers, asked);
                auto all = drawn(rest);
                EXPECT_EQ(all.size(), rest.size());
                EXPECT_EQ(all.size() + known.size(),
                          (150 + 840) * faults_of_word(asked.upset, 32));  // conv1 and fc3
                all.insert(known.begin(), known.end());
                EXPECT_EQ(all.size(), rest.size() + known.size());
                std::uint64_t population = 0;
                for (const Stratum& stratum : rest.strata())
                    population += stratum.population;
                EXPECT_EQ(population, rest.size());
            }
        }
    }
}

// With the same seed, what is drawn beside a sample must not be its neighbour.
TEST(Plan, DrawsBesideASampleIndependentlyOfIt)
{
    const std::vector<InjectableLayer> layers = lenet_layers();
    PlanOptions asked = options(Scheme::network_wise, 2000);
    const Plan sample(layers, asked);
    asked.excluded.resize(layers.size());
    for (std::uint64_t k = 0; k < sample.size(); ++k)
    {
        const WeightFault fault = sample.fault(FaultIndex(k));
        asked.excluded[static_cast<std::size_t>(fault.layer.value())].push_back(
            {fault.parameter, fault.word});
    }
    const Plan other(layers, asked);
    std::uint64_t near = 0;
    for (const auto& [layer, parameter, mask, effect] : drawn(other))
    {
        for (std::uint64_t k = 0; k < sample.size(); ++k)
        {
            const WeightFault fault = sample.fault(FaultIndex(k));
            if (fault.layer.value() != layer) continue;
            const auto distance = static_cast<std::int64_t>(fault.parameter * 32) + fault.bit -
                                  static_cast<std::int64_t>(parameter * 32) - highest_bit(mask);
            near += std::abs(distance) <= 2 ? 1 : 0;
        }
    }
    // 4 neighbours of 2,000 draws in a population of 1.97 million: about 8 pairs.
    EXPECT_LT(near, 30U);
}

// Each exclusion draws anew: what judges a sample drawn beside another must not be its neighbour either.
TEST(Plan, DrawsBesideTwoSamplesIndependentlyOfBoth)
{
    const std::vector<InjectableLayer> layers = lenet_layers();
    PlanOptions asked = options(Scheme::network_wise, 2000);
    std::vector<std::vector<PlacedFault>> known(layers.size());
    std::vector<std::vector<std::int64_t>> places;
    std::set<std::string> digests;
    for (int step = 0; step < 3; ++step)
    {
        asked.excluded = known;
        const Plan plan(layers, asked);
        EXPECT_TRUE(digests.insert(plan.excluded_sha256()).second);
        EXPECT_EQ(plan.excluded_sha256().empty(), step == 0);
        std::vector<std::int64_t> here;
        for (std::uint64_t k = 0; k < plan.size(); ++k)
        {
            const WeightFault fault = plan.fault(FaultIndex(k));
            known[static_cast<std::size_t>(fault.layer.value())].push_back({fault.parameter, fault.word});
            here.push_back((std::int64_t{fault.layer.value()} << 40) +
                           static_cast<std::int64_t>(fault.parameter * 32) + fault.bit);
        }
        std::sort(here.begin(), here.end());
        places.push_back(std::move(here));
    }
    for (std::size_t a = 0; a < places.size(); ++a)
    {
        for (std::size_t b = a + 1; b < places.size(); ++b)
        {
            std::uint64_t near = 0;
            for (const std::int64_t place : places[a])
            {
                near += static_cast<std::uint64_t>(
                    std::upper_bound(places[b].begin(), places[b].end(), place + 2) -
                    std::lower_bound(places[b].begin(), places[b].end(), place - 2));
            }
            EXPECT_LT(near, 30U) << a << " " << b;
        }
    }
}

TEST(Plan, RefusesToExcludeEverything)
{
    const std::vector<InjectableLayer> layers = lenet_layers();
    PlanOptions asked = options(Scheme::layer_wise);
    asked.layers = {"conv1"};
    asked.excluded.resize(layers.size());
    for (std::uint64_t w = 0; w < 150; ++w)
    {
        for (int bit = 0; bit < 32; ++bit)
            asked.excluded[0].push_back({w, bit_flip(bit)});
    }
    EXPECT_THROW(Plan(layers, asked), JobError);
    asked.excluded[0].pop_back();
    EXPECT_EQ(Plan(layers, asked).size(), 1U);
    EXPECT_EQ(Plan(layers, asked).fault(FaultIndex(0)).bit, 31);
    EXPECT_EQ(Plan(layers, asked).fault(FaultIndex(0)).parameter, 149U);
}

}  // namespace
}  // namespace flipstorm
