// Crops and flips, against a slow obvious one, and how often each is drawn.

#include <gtest/gtest.h>

#include <map>
#include <tuple>

#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"
#include "engine/train/augment.hpp"

namespace flipstorm
{
namespace
{

ImageSet random_images(std::int64_t count, std::int64_t channels, std::int64_t height, std::int64_t width)
{
    ImageSet images{channels, height, width, {}, {}};
    RandomStream random(3, RandomPurpose::test);
    for (std::int64_t i = 0; i < count * channels * height * width; ++i)
        images.pixels.push_back(static_cast<std::uint8_t>(random.below(256)));
    images.labels.assign(static_cast<std::size_t>(count), 0);
    return images;
}

/// Pad by 4 black pixels, cut out, mirror: as it is written in every tutorial.
float slow(const ImageSet& images, std::int64_t image, std::int64_t channel, std::int64_t row,
           std::int64_t column, const CropFlip& change, const Normalisation& n)
{
    std::vector<std::vector<int>> padded(static_cast<std::size_t>(images.height + 8),
                                         std::vector<int>(static_cast<std::size_t>(images.width + 8), 0));
    for (std::int64_t r = 0; r < images.height; ++r)
    {
        for (std::int64_t c = 0; c < images.width; ++c)
        {
            padded[static_cast<std::size_t>(r + 4)][static_cast<std::size_t>(c + 4)] =
                images.pixels[static_cast<std::size_t>(
                    ((image * images.channels + channel) * images.height + r) * images.width + c)];
        }
    }
    const std::int64_t from = change.mirrored ? images.width - 1 - column : column;
    const int pixel = padded[static_cast<std::size_t>(row + 4 + change.down)]
                            [static_cast<std::size_t>(from + 4 + change.right)];
    const auto c = static_cast<std::size_t>(channel);
    return (static_cast<float>(pixel) / 255.0F - n.mean[c]) / n.std_dev[c];
}

TEST(Augment, CropsAndFlipsAsTheSlowWay)
{
    const ImageSet images = random_images(60, 2, 6, 5);  // narrower than two paddings
    const Normalisation normalisation{{0.25F, 0.5F}, {0.5F, 0.25F}};
    std::vector<std::int64_t> indices;
    for (std::int64_t n = 59; n >= 0; n -= 2)
        indices.push_back(n);
    std::vector<float> out(indices.size() * 60);
    crop_flip(images, indices, normalisation, 5, 7, out.data());
    std::size_t at = 0;
    int mirrored = 0;
    for (const std::int64_t image : indices)
    {
        const CropFlip change = draw_crop_flip(5, 7, image);
        mirrored += change.mirrored ? 1 : 0;
        for (std::int64_t channel = 0; channel < 2; ++channel)
            for (std::int64_t row = 0; row < 6; ++row)
                for (std::int64_t column = 0; column < 5; ++column)
                    ASSERT_EQ(out[at++], slow(images, image, channel, row, column, change, normalisation))
                        << image << " " << channel << " " << row << " " << column;
    }
    EXPECT_GT(mirrored, 3);
    EXPECT_LT(mirrored, 27);
    EXPECT_THROW(crop_flip(images, indices, {{0}, {1}}, 5, 7, out.data()), Error);
}

TEST(Augment, DrawsAllCropsEquallyOften)
{
    std::map<std::tuple<std::int64_t, std::int64_t, bool>, int> seen;
    constexpr int kDraws = 32400;  // 200 of each of the 162
    for (int image = 0; image < kDraws / 2; ++image)
    {
        for (const std::int64_t epoch : {0, 1})
        {
            const CropFlip change = draw_crop_flip(1, epoch, image);
            ++seen[{change.down, change.right, change.mirrored}];
        }
    }
    EXPECT_EQ(seen.size(), 162U);
    double chi_squared = 0;
    for (const auto& [change, count] : seen)
    {
        EXPECT_LE(std::abs(std::get<0>(change)), 4);
        EXPECT_LE(std::abs(std::get<1>(change)), 4);
        chi_squared += (count - 200.0) * (count - 200.0) / 200.0;
    }
    EXPECT_LT(chi_squared, 230.0);  // 161 degrees of freedom: P = 0.0003
}

TEST(Augment, DependsOnSeedEpochAndImage)
{
    const auto same = [](const CropFlip& a, const CropFlip& b) {
        return a.down == b.down && a.right == b.right && a.mirrored == b.mirrored;
    };
    int equal_epoch = 0;
    int equal_seed = 0;
    for (std::int64_t image = 0; image < 1000; ++image)
    {
        const CropFlip change = draw_crop_flip(1, 0, image);
        EXPECT_TRUE(same(change, draw_crop_flip(1, 0, image)));
        equal_epoch += same(change, draw_crop_flip(1, 1, image)) ? 1 : 0;
        equal_seed += same(change, draw_crop_flip(2, 0, image)) ? 1 : 0;
    }
    EXPECT_LT(equal_epoch, 25);  // 1000 / 162 expected
    EXPECT_LT(equal_seed, 25);
    EXPECT_EQ(augment_from("crop_flip"), Augment::crop_flip);
    EXPECT_EQ(augment_from("none"), Augment::none);
    EXPECT_THROW(static_cast<void>(augment_from("cutout")), JobError);
}

}  // namespace
}  // namespace flipstorm
