// The kernels of every instruction set that this machine has, against scalar loops.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "engine/compute/cpu/kernels.hpp"
#include "kernel_values.hpp"

namespace flipstorm
{
namespace
{

using namespace test;

/// A product over a row of pixels, with its buffers.
struct ProductCase
{
    std::int64_t pixels;
    std::int64_t channels;
    std::int64_t taps;
    std::int64_t vectors;

    [[nodiscard]] std::int64_t outputs() const { return vectors * kLanes; }
    [[nodiscard]] std::int64_t out_step() const { return outputs() + kLanes; }
    [[nodiscard]] std::int64_t pixel_step() const { return channels + 2; }
    /// Quads of pixels do not follow each other evenly.
    [[nodiscard]] std::ptrdiff_t quad(std::int64_t q) const { return q * (4 * pixel_step() + 3); }
    [[nodiscard]] std::ptrdiff_t tap(std::int64_t t) const { return t * 7; }
    [[nodiscard]] std::ptrdiff_t tap_weights() const { return channels * outputs() + kLanes; }
    [[nodiscard]] std::int64_t inputs() const
    {
        return quad(pixels / 4 + 1) + 4 * pixel_step() + tap(taps) + channels;
    }

    [[nodiscard]] Floats run(const Kernels& kernels, const Floats& in, const Floats& weights) const
    {
        std::vector<std::ptrdiff_t> quads;
        for (std::int64_t q = 0; q <= pixels / 4; ++q)
            quads.push_back(quad(q));
        std::vector<std::ptrdiff_t> taps_at;
        for (std::int64_t t = 0; t < taps; ++t)
            taps_at.push_back(tap(t));
        Floats out(static_cast<std::size_t>(pixels * out_step()), kGuard);
        ProductRow row;
        row.in = in.data();
        row.quad_offset = quads.data();
        row.pixel_step = pixel_step();
        row.tap_offset = taps_at.data();
        row.taps = taps;
        row.channels = channels;
        row.weights = weights.data();
        row.tap_weights = tap_weights();
        row.out = out.data();
        row.out_step = out_step();
        row.pixels = pixels;
        kernels.product(row, vectors);
        return out;
    }

    /// Sum of products, and of their magnitudes, of one output.
    [[nodiscard]] std::pair<double, double> reckon(const Floats& in, const Floats& weights,
                                                   std::int64_t pixel, std::int64_t output) const
    {
        double sum = 0;
        double magnitude = 0;
        for (std::int64_t t = 0; t < taps; ++t)
        {
            for (std::int64_t c = 0; c < channels; ++c)
            {
                const double x =
                    in[static_cast<std::size_t>(quad(pixel / 4) + pixel % 4 * pixel_step() + tap(t) + c)];
                const double w =
                    weights[static_cast<std::size_t>(t * tap_weights() + c * outputs() + output)];
                sum += x * w;
                magnitude += std::fabs(x * w);
            }
        }
        return {sum, magnitude};
    }
};

std::vector<ProductCase> product_cases(const Kernels& kernels)
{
    std::vector<ProductCase> cases;
    for (const std::int64_t vectors : {1, 2, 4})
    {
        if (vectors > kernels.most_vectors) continue;
        for (const std::int64_t pixels : {1, 2, 3, 4, 5, 8, 11, 12, 13, 24, 25, 31, 49})
        {
            cases.push_back({pixels, 3, 9, vectors});
            cases.push_back({pixels, 16, 1, vectors});
            cases.push_back({pixels, 1, 4, vectors});
        }
    }
    return cases;
}

TEST(Kernels, ProductIsASumOfProducts)
{
    for (const Kernels* kernels : all_kernels())
    {
        SCOPED_TRACE(kernels->name);
        for (const ProductCase& product : product_cases(*kernels))
        {
            const Floats in = random_floats(product.inputs(), 1);
            const Floats weights = random_floats(product.taps * product.tap_weights(), 2);
            const Floats out = product.run(*kernels, in, weights);
            for (std::int64_t r = 0; r < product.pixels; ++r)
            {
                for (std::int64_t v = 0; v < product.out_step(); ++v)
                {
                    const float got = out[static_cast<std::size_t>(r * product.out_step() + v)];
                    if (v >= product.outputs())
                    {
                        EXPECT_EQ(got, kGuard);
                        continue;
                    }
                    const auto [sum, magnitude] = product.reckon(in, weights, r, v);
                    EXPECT_NEAR(got, sum, 1e-6 * magnitude)
                        << product.pixels << " pixels, " << r << ", " << v;
                }
            }
        }
    }
}

TEST(Kernels, ProductKeepsNanAndInfinity)
{
    for (const Kernels* kernels : all_kernels())
    {
        SCOPED_TRACE(kernels->name);
        for (const ProductCase& product : product_cases(*kernels))
        {
            Floats in = random_floats(product.inputs(), 1);
            for (std::size_t i = 0; i < in.size(); i += 13)
                in[i] = i % 3 == 0 ? kNan : i % 3 == 1 ? kInfinity : -kInfinity;
            const Floats weights = random_floats(product.taps * product.tap_weights(), 2);
            const Floats out = product.run(*kernels, in, weights);
            for (std::int64_t r = 0; r < product.pixels; ++r)
            {
                for (std::int64_t v = 0; v < product.outputs(); ++v)
                {
                    const float got = out[static_cast<std::size_t>(r * product.out_step() + v)];
                    const double want = product.reckon(in, weights, r, v).first;
                    EXPECT_EQ(std::isnan(got), std::isnan(want));
                    if (std::isinf(want))
                    {
                        EXPECT_EQ(got, static_cast<float>(want));
                    }
                }
            }
        }
    }
}

// A pixel's sums do not depend on the pixels beside it.
TEST(Kernels, ProductDoesNotDependOnTheBatch)
{
    for (const Kernels* kernels : all_kernels())
    {
        SCOPED_TRACE(kernels->name);
        const ProductCase all{31, 5, 9, kernels->most_vectors};
        const Floats in = random_floats(all.inputs(), 1);
        const Floats weights = random_floats(all.taps * all.tap_weights(), 2);
        const Floats together = all.run(*kernels, in, weights);
        for (const std::int64_t pixels : {1, 2, 3, 6, 17, 30})
        {
            ProductCase some = all;
            some.pixels = pixels;
            Floats part = together;
            part.resize(static_cast<std::size_t>(pixels * all.out_step()));
            EXPECT_TRUE(same_bits(some.run(*kernels, in, weights), part)) << pixels;
        }
    }
}

float relu_of(float x, float ceiling)
{
    if (std::isnan(x)) return x;
    return std::min(std::max(x, 0.0F), ceiling);
}

TEST(Kernels, ReluOfAChange)
{
    for (const Kernels* kernels : all_kernels())
    {
        SCOPED_TRACE(kernels->name);
        for (const float ceiling : {kInfinity, 6.0F})
        {
            const Floats golden = hard_floats(512, 5);
            Floats change = hard_floats(512, 6);
            for (float& c : change)
                c *= 4;
            Floats want;
            for (std::size_t i = 0; i < golden.size(); ++i)
                want.push_back(relu_of(golden[i] + change[i], ceiling) - relu_of(golden[i], ceiling));
            Floats out(512);
            EXPECT_TRUE(kernels->relu(golden.data(), change.data(), out.data(), 512, ceiling));
            expect_same(out, want, "relu");
            EXPECT_TRUE(kernels->relu(golden.data(), change.data(), change.data(), 512, ceiling));
            EXPECT_TRUE(same_bits(change, out)) << "in place";
        }
    }
}

TEST(Kernels, ReluSaysWhetherAChangeIsLeft)
{
    for (const Kernels* kernels : all_kernels())
    {
        SCOPED_TRACE(kernels->name);
        const Floats golden(64, -2.0F);
        const Floats high(64, 7.0F);
        for (std::size_t at = 0; at < 64; at += 9)
        {
            const auto left = [&](const Floats& from, float change, float ceiling) {
                Floats changes(64, -0.0F);
                changes[at] = change;
                Floats out(64, kGuard);
                return kernels->relu(from.data(), changes.data(), out.data(), 64, ceiling);
            };
            EXPECT_FALSE(left(golden, 0, kInfinity));
            EXPECT_FALSE(left(golden, 1.5F, kInfinity));
            EXPECT_FALSE(left(golden, -kInfinity, kInfinity));
            EXPECT_TRUE(left(golden, 2.5F, kInfinity));
            EXPECT_TRUE(left(golden, kNan, kInfinity));
            EXPECT_FALSE(left(high, 3, 6));
            EXPECT_FALSE(left(high, -0.5F, 6));
            EXPECT_FALSE(left(high, kInfinity, 6));
            EXPECT_TRUE(left(high, -1.5F, 6));
            EXPECT_TRUE(left(high, kNan, 6));
        }
    }
}

TEST(Kernels, ElementByElement)
{
    for (const Kernels* kernels : all_kernels())
    {
        SCOPED_TRACE(kernels->name);
        const Floats a = hard_floats(6 * 32, 7);
        const Floats b = hard_floats(6 * 32, 8);
        const Floats factors = hard_floats(32, 9);
        Floats sum(a.size());
        Floats scaled(a.size());
        Floats multiplied(a.size());
        kernels->add(a.data(), b.data(), sum.data(), 6 * 32);
        kernels->scale(a.data(), factors.data(), scaled.data(), 6, 32);
        kernels->multiply(a.data(), -1.7F, multiplied.data(), 6 * 32);
        for (std::size_t i = 0; i < a.size(); ++i)
        {
            expect_same({sum[i], scaled[i], multiplied[i]},
                        {a[i] + b[i], a[i] * factors[i % 32], a[i] * -1.7F}, "element " + std::to_string(i));
        }
    }
}

TEST(Kernels, DotsWithEveryRival)
{
    for (const Kernels* kernels : all_kernels())
    {
        SCOPED_TRACE(kernels->name);
        for (const std::int64_t count : {1, 7, 8, 9, 15, 16, 17, 31, 48, 100, 1024})
        {
            for (const std::int64_t rivals : {1, 2, 3, 4, 5, 9})
            {
                const std::ptrdiff_t stride = count + 3;
                // Up to whole vectors the change is zero, and the gradients are something.
                Floats change = random_floats(count, 16);
                change.resize(static_cast<std::size_t>(padded(count)));
                const Floats gradients = random_floats(rivals * stride + kLanes, 17);
                Floats products(static_cast<std::size_t>(rivals + 1), kGuard);
                kernels->dots(change.data(), gradients.data(), stride, rivals, count, products.data());
                for (std::int64_t k = 0; k < rivals; ++k)
                {
                    double sum = 0;
                    double magnitude = 0;
                    for (std::int64_t i = 0; i < count; ++i)
                    {
                        const double product =
                            static_cast<double>(change[static_cast<std::size_t>(i)]) *
                            static_cast<double>(gradients[static_cast<std::size_t>(k * stride + i)]);
                        sum += product;
                        magnitude += std::fabs(product);
                    }
                    EXPECT_NEAR(products[static_cast<std::size_t>(k)], sum, 1e-6 * magnitude);
                }
                EXPECT_EQ(products.back(), kGuard);
                change[static_cast<std::size_t>(count - 1)] = kNan;
                kernels->dots(change.data(), gradients.data(), stride, rivals, count, products.data());
                EXPECT_TRUE(
                    std::all_of(products.begin(), products.end() - 1, [](float p) { return std::isnan(p); }));
            }
        }
    }
}

TEST(Kernels, WithinLimits)
{
    for (const Kernels* kernels : all_kernels())
    {
        SCOPED_TRACE(kernels->name);
        Floats limit(32, kInfinity);
        for (std::size_t c = 0; c < 20; ++c)
            limit[c] = 1 + static_cast<float>(c);
        Floats change(5 * 32, 0.5F);
        const auto within = [&] { return kernels->within(change.data(), limit.data(), 5, 32); };
        EXPECT_TRUE(within());
        for (const std::size_t at : {0U, 19U, 32U * 3 + 7U, 32U * 4 + 31U})
        {
            const float edge = std::isinf(limit[at % 32]) ? 3e38F : limit[at % 32];
            const std::vector<std::pair<float, bool>> cases = {{std::nextafter(edge, 0.0F), true},
                                                               {-std::nextafter(edge, 0.0F), true},
                                                               {-0.0F, true},
                                                               {kInfinity, false},
                                                               {-kInfinity, false},
                                                               {kNan, false}};
            for (const auto& [value, inside] : cases)
            {
                change[at] = value;
                EXPECT_EQ(within(), inside) << value << " at " << at;
            }
            change[at] = edge;
            EXPECT_EQ(within(), std::isinf(limit[at % 32]));
            change[at] = 0.5F;
        }
        limit[3] = 0;
        change.assign(change.size(), 0.0F);
        EXPECT_FALSE(within()) << "zero is not below zero";
    }
}

TEST(Kernels, LargestAndAny)
{
    for (const Kernels* kernels : all_kernels())
    {
        SCOPED_TRACE(kernels->name);
        for (const std::int64_t count : {1, 4, 7, 8, 9, 16, 17, 31, 33, 100})
        {
            for (std::int64_t at = 0; at < count; ++at)
            {
                Floats values(static_cast<std::size_t>(count + 1), -0.0F);
                values.back() = 99;  // behind the end
                const auto i = static_cast<std::size_t>(at);
                EXPECT_FALSE(kernels->any(values.data(), count));
                EXPECT_EQ(kernels->largest(values.data(), count), 0);
                for (const float value : {-3.5F, 2.25F, 1e-42F, kInfinity, -kInfinity})
                {
                    values[i] = value;
                    EXPECT_TRUE(kernels->any(values.data(), count));
                    EXPECT_EQ(kernels->largest(values.data(), count), std::fabs(value));
                }
                values[i] = kNan;
                EXPECT_TRUE(kernels->any(values.data(), count));
                EXPECT_EQ(kernels->largest(values.data(), count), 0);
                values[static_cast<std::size_t>(count - 1 - at)] = 7;
                EXPECT_EQ(kernels->largest(values.data(), count), 7);
            }
        }
    }
}

TEST(Kernels, Avx512AndAvx2GiveTheSameBits)
{
    const Kernels* wide = kernels_of("avx512");
    const Kernels* narrow = kernels_of("avx2");
    if (wide == nullptr || narrow == nullptr) GTEST_SKIP() << "this machine has not both";
    for (const ProductCase& product : product_cases(*narrow))
    {
        if (product.vectors > wide->most_vectors) continue;
        const Floats in = random_floats(product.inputs(), 1);
        const Floats weights = random_floats(product.taps * product.tap_weights(), 2);
        EXPECT_TRUE(same_bits(product.run(*wide, in, weights), product.run(*narrow, in, weights)));
    }
    for (const std::int64_t count : {1, 7, 16, 23, 100, 1000})
    {
        Floats change = random_floats(count, 16);
        change.resize(static_cast<std::size_t>(padded(count)));
        const Floats gradients = random_floats(4 * count + kLanes, 17);
        Floats a(4);
        Floats b(4);
        wide->dots(change.data(), gradients.data(), count, 4, count, a.data());
        narrow->dots(change.data(), gradients.data(), count, 4, count, b.data());
        EXPECT_TRUE(same_bits(a, b)) << count;
    }
    const Floats golden = random_floats(512, 5);
    const Floats change = random_floats(512, 6);
    Floats a(512);
    Floats b(512);
    const auto both = [&](auto&& run, const char* what) {
        run(*wide, a);
        run(*narrow, b);
        EXPECT_TRUE(same_bits(a, b)) << what;
    };
    both([&](const Kernels& k, Floats& out) { k.relu(golden.data(), change.data(), out.data(), 512, 6); },
         "relu");
    both([&](const Kernels& k, Floats& out) { k.add(golden.data(), change.data(), out.data(), 512); }, "add");
    both([&](const Kernels& k, Floats& out) { k.scale(change.data(), golden.data(), out.data(), 16, 32); },
         "scale");
    both([&](const Kernels& k, Floats& out) { k.multiply(change.data(), 0.3F, out.data(), 512); },
         "multiply");
}

TEST(Kernels, TheBestOnesAreTaken)
{
    EXPECT_EQ(kernels_of("sse9"), nullptr);
    ASSERT_NE(kernels_of("portable"), nullptr);
    EXPECT_EQ(&native_kernels(), all_kernels().back());
    for (const Kernels* kernels : all_kernels())
        EXPECT_EQ(kernels_of(kernels->name), kernels);
}

}  // namespace
}  // namespace flipstorm
