// Number formats against LibTorch's conversions, where it has them.

#include <gtest/gtest.h>
#include <torch/torch.h>
#include <torch/version.h>

#include <cmath>
#include <cstring>

#include "engine/base/philox.hpp"
#include "engine/memory/number_format.hpp"

namespace flipstorm
{
namespace
{

/// Floats of all magnitudes that a format has, ties between its words among them.
std::vector<float> floats_up_to(float largest)
{
    RandomStream random(3, RandomPurpose::test);
    std::vector<float> values{0.0F, -0.0F, largest, -largest};
    while (values.size() < 200000)
    {
        // Mantissas with few bits are ties where the format rounds one bit more.
        const auto mantissa = static_cast<float>(random.below(std::uint64_t{1} << random.below(24)));
        const float value = std::ldexp(mantissa, static_cast<int>(random.below(300)) - 170);
        if (!(std::fabs(value) <= largest)) continue;
        values.push_back(random.below(2) == 0 ? value : -value);
    }
    return values;
}

/// Words of a tensor of elements of one or two bytes.
std::vector<std::uint32_t> words_of(const torch::Tensor& tensor)
{
    const torch::Tensor there = tensor.contiguous();
    std::vector<std::uint32_t> words(static_cast<std::size_t>(there.numel()), 0);
    const auto* bytes = static_cast<const char*>(there.data_ptr());
    const auto size = static_cast<std::size_t>(there.element_size());
    for (std::size_t i = 0; i < words.size(); ++i)
        std::memcpy(&words[i], bytes + i * size, size);
    return words;
}

void expect_libtorchs(NumberFormat format, torch::ScalarType type, float largest)
{
    const FormatTraits& traits = format_traits(format);
    std::vector<float> values = floats_up_to(largest);
    const std::vector<std::uint32_t> want =
        words_of(torch::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}).to(type));
    for (std::size_t i = 0; i < values.size(); ++i)
        ASSERT_EQ(traits.encode(values[i], 1), want[i]) << values[i] << " in " << traits.name;

    const std::int64_t count = std::int64_t{1} << traits.bits;
    torch::Tensor words =
        torch::arange(count, torch::kInt32).to(traits.bits == 8 ? torch::kUInt8 : torch::kInt16);
    const torch::Tensor decoded = words.view(type).to(torch::kFloat32);
    for (std::int64_t word = 0; word < count; ++word)
    {
        const float ours = traits.decode(static_cast<std::uint32_t>(word), 1);
        const float theirs = decoded.data_ptr<float>()[word];
        ASSERT_TRUE(ours == theirs || (std::isnan(ours) && std::isnan(theirs)))
            << traits.name << " word " << word << ": " << ours << " and " << theirs;
        ASSERT_EQ(std::signbit(ours), std::signbit(theirs)) << traits.name << " word " << word;
    }
}

TEST(FormatConversions, AreLibtorchs)
{
    expect_libtorchs(NumberFormat::fp16, torch::kHalf, 65504);
    expect_libtorchs(NumberFormat::bf16, torch::kBFloat16, 3.3895314e38F);
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 1)
    expect_libtorchs(NumberFormat::fp8_e4m3, torch::kFloat8_e4m3fn, 448);
    expect_libtorchs(NumberFormat::fp8_e5m2, torch::kFloat8_e5m2, 57344);
#endif
}

// Ours is symmetric: codes from -127 on.
TEST(FormatConversions, OfInt8AreLibtorchs)
{
    constexpr float kScale = 0.0371F;
    RandomStream random(4, RandomPurpose::test);
    std::vector<float> values;
    for (int i = 0; i < 100000; ++i)
        values.push_back(static_cast<float>(random.uniform() * 254 - 127) * kScale);
    const torch::Tensor quantised = torch::quantize_per_tensor(
        torch::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}),
        static_cast<double>(kScale), 0, torch::kQInt8);
    const torch::Tensor codes = quantised.int_repr().contiguous();
    const torch::Tensor back = quantised.dequantize();
    const FormatTraits& traits = format_traits(NumberFormat::int8);
    int different = 0;
    for (std::size_t i = 0; i < values.size(); ++i)
    {
        const std::uint32_t word = traits.encode(values[i], kScale);
        // LibTorch multiplies by 1 / scale in single precision, so that a value next to a tie may fall beside
        // it.
        const std::int64_t apart = whole_number(word, 8) - codes.data_ptr<std::int8_t>()[i];
        ASSERT_LE(std::abs(apart), 1) << values[i];
        if (apart == 0)
        {
            ASSERT_EQ(traits.decode(word, kScale), back.data_ptr<float>()[i]);
        }
        else
            ++different;
    }
    EXPECT_LT(different, 20);
}

}  // namespace
}  // namespace flipstorm
