#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/base/parallel.hpp"

namespace flipstorm
{
namespace
{

TEST(ParallelFor, VisitsEveryIndexOnce)
{
    for (const int threads : {1, 2, 4})
    {
        std::vector<std::atomic<int>> visits(1000);
        parallel_for(1000, threads, [&](std::int64_t i) { ++visits[static_cast<std::size_t>(i)]; });
        for (const auto& count : visits)
            EXPECT_EQ(count, 1);
    }
    parallel_for(0, 2, [](std::int64_t) { FAIL(); });
}

TEST(ParallelFor, CarriesAnExceptionOut)
{
    for (const int threads : {1, 3})
    {
        EXPECT_THROW(parallel_for(100, threads,
                                  [](std::int64_t i) {
                                      if (i == 42) throw DataError("in a thread");
                                  }),
                     DataError);
    }
}

}  // namespace
}  // namespace flipstorm
