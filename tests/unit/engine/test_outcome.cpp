#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/evaluate/outcome.hpp"

namespace flipstorm
{
namespace
{

TEST(CertainDrop, TakesTheBestForWhatIsNotKnown)
{
    // 100 images, 90 golden-correct; of 30 seen 12 are right: at best 82 in the end.
    EXPECT_DOUBLE_EQ(certain_drop({30, 12, 0, 0}, 90, 100), 0.08);
    EXPECT_DOUBLE_EQ(certain_drop({100, 90, 5, 0}, 90, 100), 0.0);
    EXPECT_DOUBLE_EQ(certain_drop({100, 92, 5, 0}, 90, 100), -0.02);
    EXPECT_DOUBLE_EQ(certain_drop({0, 0, 0, 0}, 90, 100), -0.1);
}

// Tolerances are written as decimal fractions: a drop of exactly 0.5 % must not exceed a tolerance of 0.005.
TEST(CertainDrop, EqualsDecimalTolerancesExactly)
{
    for (std::uint32_t k = 1; k <= 20; ++k)
    {
        EXPECT_EQ(certain_drop({10000, 9000 - 50 * k, 0, 0}, 9000, 10000), k / 200.0);
    }
    EXPECT_EQ(certain_drop({10000, 8950, 0, 0}, 9000, 10000), 0.005);
    EXPECT_EQ(certain_drop({1000, 885, 0, 0}, 900, 1000), 0.015);
}

TEST(EvaluationOrder, PutsGoldenWrongFirstThenSmallMargins)
{
    Golden golden;
    golden.label = {1, 1, 1, 1, 1};
    golden.top1 = {1, 0, 1, 1, 0};
    golden.margin = {3.F, 2.F, 1.F, 2.F, 1.F};
    EXPECT_EQ(evaluation_order(golden), (std::vector<std::int64_t>{4, 1, 2, 3, 0}));
}

}  // namespace
}  // namespace flipstorm
