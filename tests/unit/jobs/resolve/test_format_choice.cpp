#include "jobs/resolve/format_choice.hpp"

#include <gtest/gtest.h>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

TEST(FormatChoice, IsWhatTheTableSays)
{
    ModelTable model;
    const FormatChoice usual = format_choice(model);
    EXPECT_EQ(usual.format, NumberFormat::fp32);
    EXPECT_TRUE(usual.of_layer.empty());
    EXPECT_EQ(usual.integer_bits, 1);
    EXPECT_TRUE(usual.scale_per_channel);

    model.format = "int8";
    model.formats = {{"conv1", "fxp16"}, {"layer1.0.conv1", "fxp8"}};
    model.integer_bits = 2;
    model.scale = "tensor";
    const FormatChoice choice = format_choice(model);
    EXPECT_EQ(choice.format, NumberFormat::int8);
    EXPECT_EQ(choice.layer_format("conv1"), NumberFormat::fxp16);
    EXPECT_EQ(choice.layer_format("layer1.0.conv1"), NumberFormat::fxp8);
    EXPECT_EQ(choice.layer_format("fc"), NumberFormat::int8);
    EXPECT_EQ(choice.integer_bits, 2);
    EXPECT_FALSE(choice.scale_per_channel);

    model.format = "int32";
    EXPECT_THROW(static_cast<void>(format_choice(model)), JobError) << "of biases alone";
}

}  // namespace
}  // namespace flipstorm
