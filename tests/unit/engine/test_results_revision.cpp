#include "engine/evaluate/results_revision.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace flipstorm
{
namespace
{

TEST(ResultsRevision, RisesWhereANodeReadsAValueTwice)
{
    Graph graph({2, 4, 4});
    const NodeId a = graph.add("a", ReluOp{}, {NodeId(0)});
    const NodeId b = graph.add("b", Relu6Op{}, {NodeId(0)});
    EXPECT_EQ(results_revision(graph), 0) << "two nodes may read the same value";
    graph.add("sum", AddOp{}, {a, b});
    graph.add("wide", ConcatOp{}, {a, b, NodeId(0)});
    EXPECT_EQ(results_revision(graph), 0);
    Graph doubled = graph;
    doubled.add("doubled", AddOp{}, {a, a});
    EXPECT_EQ(results_revision(doubled), 1);
    graph.add("again", ConcatOp{}, {a, b, a});
    EXPECT_EQ(results_revision(graph), 1) << "wherever it stands among the inputs";
}

TEST(ResultsRevision, HugeWeightsMayOverflow)
{
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    EXPECT_FALSE(may_overflow(0.5F, -0.5F));
    EXPECT_FALSE(may_overflow(0.3F, std::nextafter(kLargeWeight, 0.0F)));
    EXPECT_TRUE(may_overflow(0.3F, kLargeWeight));
    EXPECT_TRUE(may_overflow(0.3F, -kLargeWeight));
    EXPECT_TRUE(may_overflow(kLargeWeight, 0.0F)) << "the change is as large";
    EXPECT_TRUE(may_overflow(0.6F * kLargeWeight, -0.6F * kLargeWeight));
    EXPECT_TRUE(may_overflow(0.3F, kInfinity));
    EXPECT_TRUE(may_overflow(0.3F, -kInfinity));
    EXPECT_TRUE(may_overflow(0.3F, std::numeric_limits<float>::quiet_NaN()));
    EXPECT_TRUE(may_overflow(std::numeric_limits<float>::max(), -std::numeric_limits<float>::max()));
}

}  // namespace
}  // namespace flipstorm
