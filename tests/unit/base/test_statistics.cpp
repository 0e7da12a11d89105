#include "engine/base/statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

TEST(ClopperPearson, IsTheQuantileOfTheBetaDistribution)
{
    // scipy.stats.beta.ppf(0.95, hits + 1, size - hits)
    EXPECT_NEAR(clopper_pearson_upper(0, 1), 0.95, 1e-14);
    EXPECT_NEAR(clopper_pearson_upper(0, 10), 0.2588655508930522, 1e-14);
    EXPECT_NEAR(clopper_pearson_upper(1, 10), 0.39416330243650466, 1e-14);
    EXPECT_NEAR(clopper_pearson_upper(9, 10), 0.9948838031081763, 1e-14);
    EXPECT_NEAR(clopper_pearson_upper(2, 100, 0.99), 0.08141194630280843, 1e-14);
    EXPECT_NEAR(clopper_pearson_upper(0, 299573) / 9.999957589406199e-06, 1, 1e-10);
    EXPECT_NEAR(clopper_pearson_upper(3, 800000) / 9.692041864465382e-06, 1, 1e-10);
    EXPECT_NEAR(clopper_pearson_upper(37, 400000) / 0.00012168693698388763, 1, 1e-10);
    EXPECT_NEAR(clopper_pearson_upper(5, 100000000) / 1.0513034626458963e-07, 1, 1e-8);
}

TEST(ClopperPearson, LeavesSoFewHitsTheProbabilityThatIsGivenUp)
{
    for (const double size : {7.0, 1000.0, 4e5})
    {
        for (const double hits : {0.0, 1.0, 6.0})
        {
            const double p =
                clopper_pearson_upper(static_cast<std::uint64_t>(hits), static_cast<std::uint64_t>(size));
            double tail = 0;
            for (double i = 0; i <= hits; ++i)
            {
                tail += std::exp(std::lgamma(size + 1) - std::lgamma(i + 1) - std::lgamma(size - i + 1) +
                                 i * std::log(p) + (size - i) * std::log1p(-p));
            }
            EXPECT_NEAR(tail, 0.05, 1e-7) << hits << " of " << size;
        }
    }
}

TEST(ClopperPearson, AllHitsOrNoDrawsProveNothing)
{
    EXPECT_EQ(clopper_pearson_upper(0, 0), 1.0);
    EXPECT_EQ(clopper_pearson_upper(5, 5), 1.0);
    EXPECT_THROW(clopper_pearson_upper(6, 5), Error);
}

TEST(ClopperPearsonInterval, IsTheTablesAndTheTails)
{
    // scipy.stats.beta.ppf(0.025, 3, 98), ppf(0.975, 4, 97)
    const ShareInterval of_three = clopper_pearson_interval(0.03, 100);
    EXPECT_NEAR(of_three.low, 0.006229971538306395, 1e-12);
    EXPECT_NEAR(of_three.high, 0.08517605297428002, 1e-12);
    EXPECT_EQ(clopper_pearson_interval(0, 20).low, 0);
    EXPECT_NEAR(clopper_pearson_interval(0, 20).high, 1 - std::pow(0.025, 0.05), 1e-12);
    EXPECT_NEAR(clopper_pearson_interval(1, 20).low, std::pow(0.025, 0.05), 1e-12);
    EXPECT_EQ(clopper_pearson_interval(1, 20).high, 1);
    EXPECT_EQ(clopper_pearson_interval(0.3, 0).high, 1);
    const double infinite = std::numeric_limits<double>::infinity();
    EXPECT_EQ(clopper_pearson_interval(0.3, infinite).high, 0.3);
    // The limit and the one-sided bound of the same tail agree.
    EXPECT_NEAR(of_three.high, clopper_pearson_upper(3, 100, 0.975), 1e-9);
}

// Newcombe (Statistics in Medicine 17, 1998), table I, method 3.
TEST(WilsonInterval, IsThatOfTheTables)
{
    const ShareInterval many = wilson_interval(81.0 / 263, 263);
    EXPECT_NEAR(many.low, 0.2553, 5e-5);
    EXPECT_NEAR(many.high, 0.3662, 5e-5);
    const ShareInterval some = wilson_interval(15.0 / 148, 148);
    EXPECT_NEAR(some.low, 0.0624, 5e-5);
    EXPECT_NEAR(some.high, 0.1605, 5e-5);
    const ShareInterval none = wilson_interval(0, 20);
    EXPECT_EQ(none.low, 0);
    EXPECT_NEAR(none.high, 0.1611, 5e-5);
    const ShareInterval one = wilson_interval(1.0 / 29, 29);
    EXPECT_NEAR(one.low, 0.0061, 5e-5);
    EXPECT_NEAR(one.high, 0.1718, 5e-5);
}

TEST(WilsonInterval, OfNoAndOfAllDraws)
{
    EXPECT_EQ(wilson_interval(0.3, 0).low, 0.0);
    EXPECT_EQ(wilson_interval(0.3, 0).high, 1.0);
    const ShareInterval known = wilson_interval(0.3, std::numeric_limits<double>::infinity());
    EXPECT_DOUBLE_EQ(known.low, 0.3);
    EXPECT_DOUBLE_EQ(known.high, 0.3);
}

// The score test behind Wilson's interval: its limits are the p with |p̂ − p| = t √(p (1 − p) / m).
TEST(WilsonHalfWidth, SolvesTheScoreEquation)
{
    for (const double share : {0.0, 0.01, 0.3, 1.0})
    {
        const double m = 400.0 * 2000 / (2000 - 400);  // 400 of 2,000 without replacement
        const auto misfit = [&](double p) {
            return (share - p) * (share - p) * m - 2.58 * 2.58 * p * (1 - p);
        };
        // Between the limits the misfit is negative: count how much of [0, 1] that is.
        constexpr int kSteps = 2'000'000;
        int inside = 0;
        for (int i = 0; i < kSteps; ++i)
            inside += misfit((i + 0.5) / kSteps) < 0 ? 1 : 0;
        EXPECT_NEAR(wilson_half_width(share, 400, 2000, 2.58), 0.5 * inside / kSteps, 1e-6) << share;
    }
    EXPECT_EQ(wilson_half_width(0.3, 100, 100, 2.58), 0);
    EXPECT_EQ(wilson_half_width(0.3, 0, 100, 2.58), 0.5);
}

TEST(WilsonHalfWidth, IsThatOfTheIntervalWhereThePopulationIsLarge)
{
    const ShareInterval interval = wilson_interval(0.3, 400);
    const double half = wilson_half_width(0.3, 400, 1ULL << 60U, kQuantile95);
    EXPECT_NEAR(half, (interval.high - interval.low) / 2, 1e-12);
}

}  // namespace
}  // namespace flipstorm
