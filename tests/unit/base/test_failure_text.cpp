#include "engine/base/failure_text.hpp"

#include <gtest/gtest.h>

namespace flipstorm
{
namespace
{

TEST(FailureText, LibTorchsStackTraceGoes)
{
    EXPECT_EQ(plain_message("mat1 and mat2 shapes cannot be multiplied\nException raised from meta at "
                            "../aten/src/x.cpp:191 (most recent call first):\nframe #0: c10::Error (0x7f)\n"),
              "mat1 and mat2 shapes cannot be multiplied");
    EXPECT_EQ(plain_message("two\n  lines \r\n\n"), "two lines");
    EXPECT_EQ(plain_message("an Exception raised from within"), "an Exception raised from within");
    EXPECT_EQ(plain_message(""), "");
}

TEST(FailureText, KnowsAllocationsThatFailed)
{
    EXPECT_TRUE(tells_of_memory(
        "[enforce fail at alloc_cpu.cpp:66] . DefaultCPUAllocator: can't allocate memory: you "
        "tried to allocate 1152000 bytes. Error code 12 (Cannot allocate memory)"));
    EXPECT_TRUE(tells_of_memory("CUDA out of memory. Tried to allocate 2.00 GiB"));
    EXPECT_TRUE(tells_of_memory("Resource temporarily unavailable"));  // std::thread
    EXPECT_FALSE(tells_of_memory("cannot read 'memory.h5'"));
}

TEST(FailureText, MemoryThatRunsOutIsNamed)
{
    const auto message_of = [](auto&& work) -> std::string {
        try
        {
            naming_memory("reading 'a.h5'", work);
        }
        catch (const MemoryError& error)
        {
            EXPECT_EQ(error.exit_code(), ExitCode::internal);
            return error.what();
        }
        return {};
    };
    EXPECT_NE(message_of([] { throw std::bad_alloc(); }).find("out of memory while reading 'a.h5'"),
              std::string::npos);
    const std::string of_libtorch = message_of(
        [] { throw std::runtime_error("can't allocate memory: 7 bytes\nException raised from f"); });
    EXPECT_NE(of_libtorch.find("while reading 'a.h5'"), std::string::npos);
    EXPECT_NE(of_libtorch.find("7 bytes)"), std::string::npos);
    EXPECT_THROW(naming_memory("x", [] { throw DataError("out of memory is a label here"); }), DataError);
    EXPECT_THROW(naming_memory("x", [] { throw std::runtime_error("else"); }), std::runtime_error);
    EXPECT_EQ(naming_memory("x", [] { return 7; }), 7);
}

}  // namespace
}  // namespace flipstorm
