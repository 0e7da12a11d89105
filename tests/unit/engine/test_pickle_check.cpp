// Pickles of TorchScript files: what PyTorch writes passes, what would harm LibTorch does not.

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/network/import/torchscript/pickle_check.hpp"

namespace flipstorm
{
namespace
{

std::string bytes_of(std::uint64_t value, int bytes)
{
    std::string text;
    for (int i = 0; i < bytes; ++i)
        text += static_cast<char>((value >> (8 * i)) & 0xffU);
    return text;
}

std::string text(const std::string& value)
{
    return "X" + bytes_of(value.size(), 4) + value;
}

std::string integer(std::int64_t value)
{
    return "\x8a\x08" + bytes_of(static_cast<std::uint64_t>(value), 8);
}

std::string tuple(const std::vector<std::int64_t>& values)
{
    std::string result = "(";
    for (const std::int64_t value : values)
        result += integer(value);
    return result + "t";
}

std::string storage(const std::string& type, const std::string& key, std::int64_t count)
{
    return "(" + text("storage") + "ctorch\n" + type + "Storage\n" + text(key) + text("cpu") +
           integer(count) + "tQ";
}

/// A pickle of one tensor, as LibTorch writes it.
std::string tensor(const std::string& storage, std::int64_t offset, const std::vector<std::int64_t>& sizes,
                   const std::vector<std::int64_t>& strides)
{
    return "\x80\x02"
           "ctorch._utils\n_rebuild_tensor_v2\n(" +
           storage + integer(offset) + tuple(sizes) + tuple(strides) +
           "\x89"
           "ccollections\nOrderedDict\n)RtR.";
}

/// What is wrong in a file with records 0 of 48 bytes and 1 of none.
std::string problem(const std::string& pickle, std::size_t depth = kPickleDepth)
{
    const std::map<std::string, std::uint64_t, std::less<>> records = {{"0", 48}, {"1", 0}};
    return pickle_problem(
               pickle,
               [&](std::string_view key) -> std::optional<std::uint64_t> {
                   const auto found = records.find(key);
                   return found == records.end() ? std::nullopt : std::optional(found->second);
               },
               depth)
        .value_or("");
}

TEST(PickleCheck, TensorsThatFitTheirStoragePass)
{
    const std::string floats = storage("Float", "0", 12);
    EXPECT_EQ(problem(tensor(floats, 0, {3, 4}, {4, 1})), "");
    EXPECT_EQ(problem(tensor(floats, 0, {4, 3}, {1, 4})), "");
    EXPECT_EQ(problem(tensor(floats, 11, {5}, {0})), "") << "one element, expanded";
    EXPECT_EQ(problem(tensor(floats, 3, {}, {})), "") << "a scalar";
    EXPECT_EQ(problem(tensor(floats, 12, {0, 7}, {7, 1})), "") << "no element";
    EXPECT_EQ(problem(tensor(storage("Half", "0", 24), 0, {24}, {1})), "");
    EXPECT_EQ(problem(tensor(storage("Float", "1", 0), 0, {0}, {1})), "");
}

TEST(PickleCheck, AStorageMayNotBeLongerThanItsRecord)
{
    EXPECT_NE(problem(tensor(storage("Float", "0", 13), 0, {12}, {1})).find("13 elements of 4 bytes, but 48"),
              std::string::npos);
    EXPECT_NE(problem(tensor(storage("Double", "0", 7), 0, {1}, {1})), "");
    EXPECT_NE(problem(tensor(storage("Float", "2", 1), 0, {1}, {1})).find("'2' is not in the file"),
              std::string::npos);
    EXPECT_NE(problem(tensor(storage("Float", "0", -1), 0, {1}, {1})), "");
    EXPECT_NE(problem(tensor(storage("Float", "0", std::int64_t{1} << 62U), 0, {1}, {1})), "")
        << "4 · 2^62 = 2^64";
    EXPECT_NE(problem(tensor(storage("Strange", "0", 1), 0, {1}, {1})).find("unknown type"),
              std::string::npos);
}

TEST(PickleCheck, ATensorMayNotReachBeyondItsStorage)
{
    const std::string floats = storage("Float", "0", 12);
    for (const std::string& bad :
         {tensor(floats, 1, {12}, {1}), tensor(floats, -1, {1}, {1}), tensor(floats, 12, {}, {}),
          tensor(floats, 0, {3}, {-1}), tensor(floats, 0, {-3}, {1}), tensor(floats, 13, {0}, {1}),
          tensor(floats, 0, {3, 3}, {std::int64_t{1} << 62U, 1}),
          tensor(floats, 0, {std::int64_t{1} << 62U, 9}, {4, 1})})
    {
        EXPECT_NE(problem(bad).find("of a storage of 12 elements"), std::string::npos) << problem(bad);
    }
    EXPECT_NE(problem(tensor(floats, 0, {3, 4}, {1})).find("2 sizes and 1 strides"), std::string::npos);
}

TEST(PickleCheck, NestingIsBounded)
{
    const auto tuples = [](std::size_t depth) {
        return std::string(depth, '(') + std::string(depth, 't') + ".";
    };
    EXPECT_EQ(problem(tuples(10), 10), "");
    EXPECT_NE(problem(tuples(11), 10).find("more than 10 deep"), std::string::npos);
    EXPECT_NE(problem(tuples(200000)), "");
    // Each list into the next, by its name.
    std::string chain = "]q" + std::string(1, '\0');
    for (int i = 0; i < 255; ++i)
        chain +=
            "]h" + std::string(1, static_cast<char>(i)) + "aq" + std::string(1, static_cast<char>(i + 1));
    EXPECT_NE(problem(chain + ".", 200).find("deep"), std::string::npos);
    std::string ones;
    for (int i = 0; i < 300; ++i)
        ones += "\x85";
    EXPECT_NE(problem("N" + ones + ".", 200).find("deep"), std::string::npos);
}

TEST(PickleCheck, WhatHasANameIsNotChanged)
{
    EXPECT_NE(problem("]q" + std::string(1, '\0') + "Na.").find("after it was named"), std::string::npos);
}

TEST(PickleCheck, TypeNamesAreBounded)
{
    const auto tagged = [](const std::string& type) {
        return "ctorch.jit._pickle\nrestore_type_tag\n(]" + text(type) + "tR.";
    };
    EXPECT_EQ(problem(tagged("List[Tuple[int, float]]"), 20), "");
    EXPECT_NE(problem(tagged(std::string(21, '[')), 20).find("type"), std::string::npos);
}

TEST(PickleCheck, EveryTruncationAndEveryByteIsSafe)
{
    const std::string whole = tensor(storage("Float", "0", 12), 0, {3, 4}, {4, 1});
    ASSERT_EQ(problem(whole), "");
    for (std::size_t length = 0; length < whole.size(); ++length)
        EXPECT_NE(problem(whole.substr(0, length)), "") << length;
    std::size_t refused = 0;
    for (std::size_t place = 0; place < whole.size(); ++place)
    {
        for (int value = 0; value < 256; ++value)
        {
            std::string damaged = whole;
            damaged[place] = static_cast<char>(value);
            refused += problem(damaged).empty() ? 0U : 1U;
        }
    }
    EXPECT_GT(refused, whole.size() * 100);
    for (const char* bad : {"", "t.", "R.", "a.", "b.", "h\1.", "(R.", "\x85.", "Q.", "\x81.", "s."})
        EXPECT_NE(problem(bad), "") << bad;
}

}  // namespace
}  // namespace flipstorm
