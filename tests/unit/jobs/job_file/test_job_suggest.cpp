#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "jobs/job_file/job_suggest.hpp"

namespace flipstorm
{
namespace
{

TEST(Nearest, CountsInsertionsDeletionsSubstitutionsAndSwaps)
{
    const std::vector<std::string> words = {"limit", "tolerances", "scheme"};
    EXPECT_EQ(nearest("limt", words), "limit");
    EXPECT_EQ(nearest("limiit", words), "limit");
    EXPECT_EQ(nearest("linit", words), "limit");
    EXPECT_EQ(nearest("ilmti", words), "limit");  // two swaps
    EXPECT_EQ(nearest("tolrance", words), "tolerances");
    EXPECT_EQ(nearest("scheme", words), "scheme");
}

TEST(Nearest, AbbreviationsAreNear)
{
    EXPECT_EQ(nearest("tol", {"to", "tolerances"}), "to");
    EXPECT_EQ(nearest("toler", {"to", "tolerances"}), "tolerances");
}

TEST(Nearest, NothingNearIsNothing)
{
    EXPECT_EQ(nearest("colour", {"limit", "scheme"}), std::nullopt);
    EXPECT_EQ(nearest("x", {}), std::nullopt);
}

TEST(Nearest, TiesGoToTheFirst)
{
    EXPECT_EQ(nearest("ab", {"ac", "ad"}), "ac");
}

}  // namespace
}  // namespace flipstorm
