#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <fstream>

#include "engine/base/error.hpp"
#include "engine/data/idx.hpp"
#include "engine/data/synthetic.hpp"

namespace flipstorm
{
namespace
{
namespace fs = std::filesystem;

std::string idx_bytes(const std::vector<std::uint32_t>& shape, const std::string& values)
{
    std::string bytes{'\0', '\0', '\x08', static_cast<char>(shape.size())};
    for (const std::uint32_t size : shape)
    {
        for (int shift = 24; shift >= 0; shift -= 8)
            bytes += static_cast<char>(size >> shift & 0xFFU);
    }
    return bytes + values;
}

class Idx : public ::testing::Test
{
  protected:
    void SetUp() override { fs::create_directories(folder_); }
    void TearDown() override { fs::remove_all(folder_); }

    fs::path write(const std::string& name, const std::string& bytes) const
    {
        std::ofstream(folder_ / name, std::ios::binary) << bytes;
        return folder_ / name;
    }

    fs::path write_gzip(const std::string& name, const std::string& bytes) const
    {
        gzFile file = gzopen((folder_ / name).c_str(), "wb");
        gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
        gzclose(file);
        return folder_ / name;
    }

    void write_set(const std::string& prefix, std::uint32_t images, const std::string& labels) const
    {
        std::string pixels(images * 6, '\0');
        for (std::size_t i = 0; i < pixels.size(); ++i)
            pixels[i] = static_cast<char>(i);
        write(prefix + "-images-idx3-ubyte", idx_bytes({images, 2, 3}, pixels));
        write_gzip(prefix + "-labels-idx1-ubyte.gz",
                   idx_bytes({static_cast<std::uint32_t>(labels.size())}, labels));
    }

    fs::path folder_ = fs::temp_directory_path() / ("flipstorm-idx-" + std::to_string(::getpid()));
};

TEST_F(Idx, ReadsPlainAndGzipAlike)
{
    const std::string bytes = idx_bytes({2, 3}, "abcdef");
    for (const fs::path& file : {write("plain", bytes), write_gzip("packed.gz", bytes)})
    {
        const IdxArray array = read_idx(file);
        EXPECT_EQ(array.shape, (std::vector<std::int64_t>{2, 3}));
        EXPECT_EQ(std::string(array.values.begin(), array.values.end()), "abcdef");
    }
}

TEST_F(Idx, RefusesEveryTruncation)
{
    const std::string bytes = idx_bytes({2, 3}, "abcdef");
    for (std::size_t length = 0; length < bytes.size(); ++length)
    {
        EXPECT_THROW(read_idx(write("cut", bytes.substr(0, length))), DataError) << length;
    }
    EXPECT_THROW(read_idx(write("long", bytes + "g")), DataError);
    EXPECT_THROW(read_idx(write("no", "PNG?")), DataError);
    EXPECT_THROW(read_idx(write("huge", idx_bytes({0xFFFFFFFF, 0xFFFFFFFF}, "abc"))), DataError);
    EXPECT_THROW(read_idx(folder_), FileError);
    EXPECT_THROW(read_idx(folder_ / "missing"), FileError);
}

TEST_F(Idx, RefusesATornGzip)
{
    const fs::path file = write_gzip("packed.gz", idx_bytes({2, 50000}, std::string(100000, 'z')));
    fs::resize_file(file, fs::file_size(file) / 2);
    EXPECT_THROW(read_idx(file), Error);
}

TEST_F(Idx, ReadsADataSet)
{
    write_set("train", 3, std::string("\x00\x02\x01", 3));
    write_set("t10k", 2, std::string("\x01\x02", 2));
    const Dataset dataset = read_idx_dataset(folder_);
    EXPECT_EQ(dataset.num_classes, 3);
    EXPECT_EQ(dataset.train.size(), 3);
    EXPECT_EQ(dataset.test.labels, (std::vector<std::int32_t>{1, 2}));
    EXPECT_EQ(dataset.train.height, 2);
    EXPECT_EQ(dataset.train.width, 3);
    // Pixels are 0 … 17: mean 8.5, variance (18² − 1) / 12.
    EXPECT_NEAR(dataset.normalisation.mean[0], 8.5 / 255, 1e-6);
    EXPECT_NEAR(dataset.normalisation.std_dev[0], std::sqrt(323.0 / 12) / 255, 1e-6);
}

TEST_F(Idx, RefusesLabelsThatAreNoClassAndUnequalCounts)
{
    write_set("train", 2, std::string("\x00\x01", 2));
    write_set("t10k", 2, std::string("\x01\x02", 2));  // class 2 is not in the training set
    EXPECT_THROW(read_idx_dataset(folder_), DataError);
    write_set("t10k", 2, std::string("\x01", 1));
    EXPECT_THROW(read_idx_dataset(folder_), DataError);
    fs::remove(folder_ / "t10k-images-idx3-ubyte");
    EXPECT_THROW(read_idx_dataset(folder_), FileError);
}

TEST(Synthetic, IsAFunctionOfItsSeed)
{
    const SyntheticSize size{30, 20, 1, 28, 28, 10};
    EXPECT_EQ(digest(make_synthetic_dataset(1, size).test), digest(make_synthetic_test_images(1, size)));
    EXPECT_EQ(digest(make_synthetic_dataset(1, size).train), digest(make_synthetic_dataset(1, size).train));
    EXPECT_NE(digest(make_synthetic_dataset(1, size).train), digest(make_synthetic_dataset(2, size).train));
    EXPECT_NO_THROW(check_dataset(make_synthetic_dataset(1, size), "synthetic"));
}

TEST(Normalise, FollowsTheFormulaInTheOrderAsked)
{
    const ImageSet images{1, 1, 2, {0, 255, 51, 102}, {0, 1}};
    float out[4];
    normalise(images, {1, 0}, {{0.5F}, {0.25F}}, out);
    EXPECT_FLOAT_EQ(out[0], (51 / 255.0F - 0.5F) / 0.25F);
    EXPECT_FLOAT_EQ(out[1], (102 / 255.0F - 0.5F) / 0.25F);
    EXPECT_FLOAT_EQ(out[2], -2.0F);
    EXPECT_FLOAT_EQ(out[3], 2.0F);
}

TEST(ImageSetHead, TakesTheFirstImages)
{
    const ImageSet images{1, 1, 2, {0, 255, 51, 102}, {0, 1}};
    EXPECT_EQ(images.head(1).pixels, (std::vector<std::uint8_t>{0, 255}));
    EXPECT_THROW(static_cast<void>(images.head(3)), DataError);
}

}  // namespace
}  // namespace flipstorm
