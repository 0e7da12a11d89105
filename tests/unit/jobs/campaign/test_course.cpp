#include "jobs/campaign/course.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "analysis/estimates.hpp"
#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"
#include "engine/faults/iterative.hpp"
#include "engine/network/builders.hpp"
#include "jobs/campaign/campaign_rows.hpp"
#include "jobs/cost/plan_tables.hpp"

namespace flipstorm
{
namespace
{

const Precision kPrecision{0.03, 1.96, 0.5};
constexpr std::uint64_t kImages = 1000;

std::vector<InjectableLayer> lenet_layers()
{
    return injectable_layers(build_network("lenet5", {1, 28, 28}, 10, {{0.3F}, {0.3F}}, 1));
}

Plan plan_of(Scheme scheme, std::uint64_t limit = 0)
{
    PlanOptions options;
    options.scheme = scheme;
    options.precision = kPrecision;
    options.limit = limit;
    options.images = kImages;
    return Plan(lenet_layers(), options);
}

ScreenPolicy exact()
{
    return {};
}

/// What a fault does, by its number: critical for two tolerances with a probability that depends on its bit.
std::array<bool, 2> critical(const Plan& plan, std::uint64_t fault)
{
    const std::int32_t bit = plan.fault(FaultIndex(fault)).bit;
    const double p = bit == 30 ? 0.5 : bit == 29 ? 0.08 : bit == 28 ? 0.02 : 0;
    RandomStream random(3, RandomPurpose::test, fault);
    const double u = random.uniform();
    return {u < p, u < p / 2};
}

/// All there is to know of the chunks in `chunks` at a level.
void do_chunks(const Plan& plan, ScreenLevel level, const std::vector<ChunkId>& chunks, DoneWork& done)
{
    const std::size_t all = plan.chunks().size();
    done.chunks.resize(kScreenLevels * all);
    done.hits.resize(kScreenLevels * all * 2);
    done.screens.resize(5);
    for (const ChunkId id : chunks)
    {
        const std::size_t place = static_cast<std::size_t>(level) * all + id.value();
        if (done.chunks[place] != 0) continue;
        done.chunks[place] = 1;
        const Chunk& chunk = plan.chunks()[id.value()];
        ++done.screens[static_cast<std::size_t>(chunk.layer.value())]
              .at(static_cast<std::size_t>(level))
              .chunks;
        for (std::uint64_t i = 0; i < chunk.count; ++i)
        {
            const auto hit = critical(plan, chunk.first.value() + i);
            done.hits[place * 2] += hit[0] ? 1 : 0;
            done.hits[place * 2 + 1] += hit[1] ? 1 : 0;
        }
    }
}

std::vector<ChunkId> chunks_of(const std::vector<Batch>& batches)
{
    std::vector<ChunkId> chunks;
    for (const Batch& batch : batches)
        chunks.insert(chunks.end(), batch.chunks.begin(), batch.chunks.end());
    return chunks;
}

Course new_course(const Plan& plan, const ScreenPolicy& policy = exact())
{
    return Course(plan, 5, kImages, policy, {kPrecision, 2});
}

/// Run a course to its end; the chunks it wanted.
std::vector<ChunkId> run(const Plan& plan, DoneWork& done)
{
    Course course = new_course(plan);
    do_chunks(plan, ScreenLevel::exact, {}, done);
    course.advance(done);
    for (std::vector<Batch> batches = course.missing(done); !batches.empty(); batches = course.missing(done))
    {
        do_chunks(plan, ScreenLevel::exact, chunks_of(batches), done);
        course.advance(done);
    }
    return course.wanted();
}

TEST(Course, OfAPlanThatIsNotIterativeIsAllItsChunks)
{
    const Plan plan = plan_of(Scheme::layer_wise);
    Course course = new_course(plan);
    DoneWork done;
    do_chunks(plan, ScreenLevel::exact, {}, done);
    const std::vector<Batch> batches = course.missing(done);
    ASSERT_EQ(batches.size(), plan.chunks().size());
    const std::vector<ChunkId> order = dearest_first(plan);
    for (std::size_t i = 0; i < order.size(); ++i)
    {
        EXPECT_EQ(batches[i].chunks, std::vector<ChunkId>{order[i]});
        EXPECT_EQ(batches[i].macs, plan.chunks()[order[i].value()].macs);
    }
    EXPECT_EQ(run(plan, done).size(), plan.chunks().size());
}

// Each stratum alone, the obvious way: take the pilot, then chunk by chunk what the worst tolerance asks for.
TEST(Course, AsksForWhatEachStratumNeedsAndNoMore)
{
    const Plan plan = plan_of(Scheme::iterative);
    DoneWork done;
    Course course = new_course(plan);
    const std::vector<ChunkId> wanted = run(plan, done);
    course.advance(done);
    std::set<std::uint64_t> expected;
    std::uint64_t faults = 0;
    for (std::size_t s = 0; s < plan.strata().size(); ++s)
    {
        const std::uint64_t population = plan.strata()[s].population;
        std::vector<ChunkId> own;
        for (std::size_t c = 0; c < plan.chunks().size(); ++c)
        {
            if (plan.fault(plan.chunks()[c].first).stratum.value() == static_cast<std::int32_t>(s))
                own.emplace_back(c);
        }
        std::uint64_t needed = smallest_sample(population, kPrecision);
        std::uint64_t seen = 0;
        std::array<std::uint64_t, 2> hits{};
        std::size_t next = 0;
        while (seen < needed && next < own.size())
        {
            while (seen < needed && next < own.size())
            {
                const Chunk& chunk = plan.chunks()[own[next].value()];
                expected.insert(own[next++].value());
                for (std::uint64_t i = 0; i < chunk.count; ++i)
                {
                    hits[0] += critical(plan, chunk.first.value() + i)[0] ? 1U : 0U;
                    hits[1] += critical(plan, chunk.first.value() + i)[1] ? 1U : 0U;
                }
                seen += chunk.count;
            }
            for (const std::uint64_t of_tolerance : hits)
                needed = std::max(needed, next_sample_size(population, {seen, of_tolerance}, kPrecision));
        }
        EXPECT_EQ(course.evaluated()[s], seen);
        EXPECT_LE(course.planned()[s], seen);
        faults += seen;
        for (const std::uint64_t of_tolerance : hits)
        {
            const double share = static_cast<double>(of_tolerance) / static_cast<double>(seen);
            EXPECT_LE(wilson_half_width(share, seen, population, kPrecision.quantile),
                      kPrecision.error_margin);
        }
    }
    EXPECT_EQ(wanted.size(), expected.size());
    for (const ChunkId id : wanted)
        EXPECT_EQ(expected.count(id.value()), 1U) << id.value();
    // Most bits are never critical: a small part of the plan for p = 0.5.
    EXPECT_LT(faults, plan.size() / 3);
    EXPECT_EQ(CampaignRows(plan, wanted).size(), faults);
}

TEST(Course, IsTheSameAfterAnyInterruption)
{
    const Plan plan = plan_of(Scheme::iterative);
    DoneWork whole;
    const std::vector<ChunkId> wanted = run(plan, whole);
    RandomStream random(8, RandomPurpose::test);
    DoneWork done;
    do_chunks(plan, ScreenLevel::exact, {}, done);
    while (true)
    {
        Course course = new_course(plan);  // a new start knows what is done, and nothing else
        course.advance(done);
        const std::vector<Batch> batches = course.missing(done);
        if (batches.empty())
        {
            EXPECT_EQ(course.wanted(), wanted);
            break;
        }
        std::vector<ChunkId> some;
        for (const ChunkId id : chunks_of(batches))
        {
            if (some.empty() || random.uniform() < 0.6) some.push_back(id);
        }
        do_chunks(plan, ScreenLevel::exact, some, done);
        // A batch is the same whichever of its chunks are done.
        Course again = new_course(plan);
        again.advance(done);
        for (const Batch& batch : again.missing(done))
        {
            const auto same = [&](const Batch& b) { return b.chunks == batch.chunks; };
            if (again.wanted() == course.wanted())
            {
                EXPECT_TRUE(std::any_of(batches.begin(), batches.end(), same));
            }
        }
    }
    EXPECT_EQ(done.chunks, whole.chunks);
}

// A screen is judged when no stratum asks for more; a layer that moves on computes all its chunks again.
TEST(Course, AScreenThatFailsIsGivenUpForTheWholeLayer)
{
    const Plan plan = plan_of(Scheme::iterative);
    const ScreenPolicy policy{true, 3, 3, 0.2, 1e-4};
    Course course = new_course(plan, policy);
    DoneWork done;
    do_chunks(plan, ScreenLevel::as_asked, {}, done);
    int rounds = 0;
    for (std::vector<Batch> batches = course.missing(done); !batches.empty(); batches = course.missing(done))
    {
        for (const Batch& batch : batches)
        {
            const auto layer = static_cast<std::size_t>(batch.layer.value());
            const ScreenLevel level = course.screens()[layer].level;
            do_chunks(plan, level, batch.chunks, done);
            ScreenTotals& totals = done.screens[layer].at(static_cast<std::size_t>(level));
            const std::uint64_t pairs = course.work(layer).pairs;
            if (level != ScreenLevel::exact)
                totals = {totals.chunks, pairs, pairs / 5, layer == 2 ? pairs / 50 : 0};
        }
        course.advance(done);
        ++rounds;
    }
    EXPECT_GT(rounds, 3);
    for (std::size_t layer = 0; layer < 5; ++layer)
    {
        const LayerScreening& screen = course.screens()[layer];
        EXPECT_TRUE(screen.complete);
        EXPECT_EQ(screen.level, layer == 2 ? ScreenLevel::exact : ScreenLevel::as_asked) << layer;
        EXPECT_EQ(screen.trials.back().pairs, course.work(layer).faults * kImages);
        EXPECT_EQ(screen.trials.back().totals.chunks, course.work(layer).chunks);
    }
    EXPECT_EQ(course.screens()[2].trials.size(), 3U);
    DoneWork plain;
    EXPECT_EQ(course.wanted(), run(plan, plain));
}

TEST(CampaignRows, AreTheFaultsOfTheChunksInOrder)
{
    const Plan plan = plan_of(Scheme::iterative);
    const std::vector<ChunkId> chunks{ChunkId(1), ChunkId(4), ChunkId(5)};
    const CampaignRows rows(plan, chunks);
    std::uint64_t row = 0;
    for (const ChunkId id : chunks)
    {
        EXPECT_EQ(rows.first_row(id), row);
        const Chunk& chunk = plan.chunks()[id.value()];
        for (std::uint64_t i = 0; i < chunk.count; ++i)
            EXPECT_EQ(rows.fault(row++).value(), chunk.first.value() + i);
    }
    EXPECT_EQ(rows.size(), row);
    EXPECT_THROW(static_cast<void>(rows.fault(row)), Error);
    EXPECT_THROW(static_cast<void>(rows.first_row(ChunkId(2))), Error);
    EXPECT_EQ(CampaignRows(plan, {}).size(), 0U);
}

TEST(SchemeTotals, StandBesideEachOther)
{
    PlanOptions options;
    options.precision = {0.01, 2.58, 0.5};
    options.scheme = Scheme::layer_wise;
    options.limit = 100;
    options.priors.assign(5, std::vector<double>(32, 0.1));
    const std::vector<SchemeTotal> totals = scheme_totals(lenet_layers(), options);
    ASSERT_EQ(totals.size(), 5U);
    EXPECT_EQ(totals[1].most, 59'971U);
    EXPECT_EQ(totals[2].most, 693'856U);
    EXPECT_LT(totals[3].most, totals[2].most);
    EXPECT_EQ(totals[4].most, totals[2].most);
    // 5 × 32 strata of 150, 2,400, 48,000, 10,080 and 840 weights, without a critical fault.
    std::uint64_t least = 0;
    for (const std::uint64_t weights : {150, 2400, 48000, 10080, 840})
        least += 32 * smallest_sample(weights, options.precision);
    EXPECT_EQ(totals[4].least, least);
    for (const SchemeTotal& total : totals)
        EXPECT_EQ(total.population, 61'470U * 32);
    const ResultTable table = totals_table(lenet_layers(), options, true);
    EXPECT_EQ(table.rows[static_cast<std::size_t>(table.marked)][0], "layer_wise");
    EXPECT_EQ(table.rows.back(), (std::vector<std::string>{"exhaustive", "1", "1,967,040", "100.000"}));
}

}  // namespace
}  // namespace flipstorm
