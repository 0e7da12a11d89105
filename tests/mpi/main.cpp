// main of the tests that run on several ranks. Rank 0 reports as usual, the others their failures only. A
// failure on one rank fails all: at the end of the program, or, when the test was cut short and the rank is
// missing from the collectives that the others are in, at once.

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "tests/mpi/world.hpp"

namespace flipstorm::test
{
namespace
{

const MpiSession* the_session = nullptr;

class FailureReporter : public testing::EmptyTestEventListener
{
  public:
    void OnTestPartResult(const testing::TestPartResult& result) override
    {
        if (!result.failed()) return;
        const char* const file = result.file_name() == nullptr ? "?" : result.file_name();
        std::fprintf(stderr, "rank %d: %s:%d: %s\n", world().rank(), file, result.line_number(),
                     result.message());
    }
};

class EarlyAbort : public testing::EmptyTestEventListener
{
  public:
    void OnTestEnd(const testing::TestInfo& info) override
    {
        if (info.result()->HasFatalFailure() && world().size() > 1) session().abort(EXIT_FAILURE);
    }
};

int run()
{
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    if (!world().is_root())
    {
        delete listeners.Release(listeners.default_result_printer());
        listeners.Append(new FailureReporter);
    }
    listeners.Append(new EarlyAbort);
    const std::uint64_t failed = RUN_ALL_TESTS() == 0 ? 0 : 1;
    const std::uint64_t ranks_failed = world().all_reduce(failed, Reduce::sum);
    if (ranks_failed > 0 && world().is_root())
    {
        std::printf("%d of %d ranks failed\n", static_cast<int>(ranks_failed), world().size());
    }
    return ranks_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

const MpiSession& session()
{
    return *the_session;
}

const Communicator& world()
{
    return session().world();
}

}  // namespace flipstorm::test

int main(int argc, char** argv)
{
    try
    {
        testing::InitGoogleTest(&argc, argv);
        const flipstorm::MpiSession here(argc, argv);
        flipstorm::test::the_session = &here;
        return flipstorm::test::run();
    }
    catch (const std::exception& error)
    {
        std::fprintf(stderr, "%s\n", error.what());
        return EXIT_FAILURE;
    }
}
