#include "engine/memory/bit_value_index.hpp"

#include <gtest/gtest.h>

#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"

namespace flipstorm
{
namespace
{

TEST(BitValueIndex, EqualsAWalkOverAllWords)
{
    RandomStream random(4, RandomPurpose::test);
    for (const std::int64_t size : {1, 511, 512, 513, 2000})
    {
        std::vector<float> values;
        for (std::int64_t i = 0; i < size; ++i)
            values.push_back(static_cast<float>(random.normal()));
        for (const NumberFormat format : {NumberFormat::fp32, NumberFormat::bf16})
        {
            const StoredTensor tensor({size}, values, format_traits(format));
            const BitValueIndex index(tensor);
            for (int bit = 0; bit < tensor.traits().bits; ++bit)
            {
                for (const bool value : {false, true})
                {
                    std::uint64_t number = 0;
                    for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(size); ++i)
                    {
                        EXPECT_EQ(index.number(bit, value, i), number);
                        if (((tensor.word(i) >> static_cast<unsigned>(bit)) & 1U) != (value ? 1U : 0U))
                            continue;
                        ASSERT_EQ(index.element(bit, value, number), i);
                        EXPECT_EQ(index.value(bit, i), value);
                        ++number;
                    }
                    EXPECT_EQ(index.count(bit, value), number);
                    EXPECT_THROW(static_cast<void>(index.element(bit, value, number)), Error);
                }
            }
        }
    }
}

}  // namespace
}  // namespace flipstorm
