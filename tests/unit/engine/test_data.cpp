#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdlib>
#include <fstream>

#include "engine/base/error.hpp"
#include "engine/data/cifar.hpp"
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
    EXPECT_THROW(check_dataset(read_idx_dataset(folder_), "set"), DataError);
    write_set("t10k", 2, std::string("\x01", 1));
    EXPECT_THROW(read_idx_dataset(folder_), DataError);
    fs::remove(folder_ / "t10k-images-idx3-ubyte");
    EXPECT_THROW(read_idx_dataset(folder_), FileError);
}

class CifarFolder : public ::testing::Test
{
  protected:
    void SetUp() override { fs::create_directories(folder_); }
    void TearDown() override { fs::remove_all(folder_); }

    /// A record whose pixel i is i · label + first, modulo 256.
    static std::string record(const std::string& labels, int first = 0)
    {
        std::string bytes = labels;
        for (int i = 0; i < 3072; ++i)
            bytes += static_cast<char>(i * labels.back() + first);
        return bytes;
    }

    static void write(const fs::path& file, const std::string& bytes)
    {
        fs::create_directories(file.parent_path());
        std::ofstream(file, std::ios::binary) << bytes;
    }

    /// Two records in the first training file, one in each of the others, three test records.
    static void write_cifar10(const fs::path& folder)
    {
        write(folder / "data_batch_1.bin", record("\x09") + record("\x01"));
        for (const char* number : {"2", "3", "4", "5"})
            write(folder / ("data_batch_" + std::string(number) + ".bin"), record({char(number[0] - '0')}));
        write(folder / "test_batch.bin", record("\x03") + record("\x07") + record("\x02", 5));
    }

    std::string message(Cifar which = Cifar::cifar10) const
    {
        try
        {
            static_cast<void>(read_cifar_dataset(which, folder_));
        }
        catch (const FileError& error)
        {
            return std::string("FileError: ") + error.what();
        }
        catch (const DataError& error)
        {
            return std::string("DataError: ") + error.what();
        }
        return "accepted";
    }

    void expect_message(const std::vector<std::string>& phrases, Cifar which = Cifar::cifar10) const
    {
        const std::string text = message(which);
        for (const std::string& phrase : phrases)
            EXPECT_NE(text.find(phrase), std::string::npos) << phrase << " is not in: " << text;
    }

    fs::path folder_ = fs::temp_directory_path() / ("flipstorm-cifar-" + std::to_string(::getpid()));
};

TEST_F(CifarFolder, ReadsTheFilesInOrder)
{
    write_cifar10(folder_);
    const Dataset dataset = read_cifar_dataset(Cifar::cifar10, folder_);
    EXPECT_EQ(dataset.num_classes, 10);
    EXPECT_EQ(dataset.train.labels, (std::vector<std::int32_t>{9, 1, 2, 3, 4, 5}));
    EXPECT_EQ(dataset.test.labels, (std::vector<std::int32_t>{3, 7, 2}));
    EXPECT_EQ(dataset.train.channels, 3);
    EXPECT_EQ(dataset.train.height, 32);
    EXPECT_EQ(dataset.train.width, 32);
    ASSERT_EQ(dataset.test.pixels.size(), 3U * 3072U);
    EXPECT_EQ(dataset.test.pixels[3072 + 100], 700 % 256);  // second record, 7 · 100
    EXPECT_EQ(dataset.test.pixels[2 * 3072 + 3071], (2 * 3071 + 5) % 256);
    EXPECT_EQ(dataset.normalisation.mean, (std::vector<float>{0.4914F, 0.4822F, 0.4465F}));
    EXPECT_NO_THROW(check_dataset(dataset, "cifar10"));
    EXPECT_EQ(digest(read_cifar_test_images(Cifar::cifar10, folder_)), digest(dataset.test));
}

TEST_F(CifarFolder, FindsTheFolderOfTheArchive)
{
    write_cifar10(folder_ / "cifar-10-batches-bin");
    EXPECT_EQ(read_cifar_dataset(Cifar::cifar10, folder_).train.size(), 6);
    EXPECT_EQ(read_cifar_test_images(Cifar::cifar10, folder_ / "cifar-10-batches-bin").size(), 3);
}

TEST_F(CifarFolder, TakesTheFineLabelsOfCifar100)
{
    write(folder_ / "train.bin", record(std::string("\x13\x63", 2)) + record(std::string("\x00\x05", 2)));
    write(folder_ / "test.bin", record(std::string("\x02\x2a", 2)));
    const Dataset dataset = read_cifar_dataset(Cifar::cifar100, folder_);
    EXPECT_EQ(dataset.num_classes, 100);
    EXPECT_EQ(dataset.train.labels, (std::vector<std::int32_t>{99, 5}));
    EXPECT_EQ(dataset.test.labels, std::vector<std::int32_t>{42});
    EXPECT_EQ(dataset.test.pixels[10], 420 % 256);
    EXPECT_EQ(dataset.normalisation.std_dev, (std::vector<float>{0.2673F, 0.2564F, 0.2762F}));
    write(folder_ / "test.bin", record(std::string("\x14\x2a", 2)));
    expect_message({"DataError", "test.bin'", "coarse label 20 of record 0", "0 … 19"}, Cifar::cifar100);
    write(folder_ / "test.bin", record(std::string("\x02\x64", 2)));
    expect_message({"DataError", "test.bin'", ": label 100 of record 0", "0 … 99"}, Cifar::cifar100);
}

TEST_F(CifarFolder, TakesTheSuperclassesOfCifar100)
{
    write(folder_ / "train.bin", record(std::string("\x13\x63", 2)) + record(std::string("\x00\x05", 2)));
    write(folder_ / "test.bin", record(std::string("\x02\x2a", 2)));
    const Dataset dataset = read_cifar_dataset(Cifar::cifar100_coarse, folder_);
    EXPECT_EQ(dataset.num_classes, 20);
    EXPECT_EQ(dataset.train.labels, (std::vector<std::int32_t>{19, 0}));
    EXPECT_EQ(read_cifar_test_images(Cifar::cifar100_coarse, folder_).labels, std::vector<std::int32_t>{2});
    EXPECT_EQ(dataset.test.pixels, read_cifar_test_images(Cifar::cifar100, folder_).pixels);
}

TEST_F(CifarFolder, TellsWhichFileAnImageIsFrom)
{
    write_cifar10(folder_);
    const ImageSet train = read_cifar_dataset(Cifar::cifar10, folder_).train;
    EXPECT_EQ(train.place_of(1), "image 1 of '" + (folder_ / "data_batch_1.bin").string() + "'");
    EXPECT_EQ(train.place_of(2), "image 0 of '" + (folder_ / "data_batch_2.bin").string() + "'");
    EXPECT_EQ(train.head(3).place_of(2), train.place_of(2));
    EXPECT_EQ(ImageSet{}.place_of(7), "image 7");
}

TEST_F(CifarFolder, SaysWhatIsThereInstead)
{
    expect_message({"FileError", "no 'data_batch_1.bin'", "There is nothing"});
    write(folder_ / "cifar-10-binary.tar.gz", "x");
    expect_message({"cifar-10-binary.tar.gz' is not unpacked"});
    write(folder_ / "cifar-10-batches-py" / "data_batch_1", "x");
    expect_message(
        {"cifar-10-batches-py/data_batch_1'", "Python version (pickles)", "cifar-10-binary.tar.gz holds"});
    write(folder_ / "train", "x");
    expect_message({"no 'train.bin'", "train' is of the Python version", "cifar-100-binary.tar.gz"},
                   Cifar::cifar100);
}

TEST_F(CifarFolder, DoesNotWaitForAPipe)
{
    write_cifar10(folder_);
    fs::remove(folder_ / "data_batch_2.bin");
    ASSERT_EQ(::mkfifo((folder_ / "data_batch_2.bin").c_str(), 0600), 0);
    expect_message({"FileError", "data_batch_2.bin'", "it is a pipe"});
    fs::remove(folder_ / "data_batch_2.bin");
    fs::create_symlink("/dev/zero", folder_ / "data_batch_2.bin");
    expect_message({"FileError", "data_batch_2.bin'", "it is a device"});
}

TEST_F(CifarFolder, SaysWhatIsWrong)
{
    write_cifar10(folder_);
    EXPECT_EQ(message(), "accepted");
    const std::string sound = record("\x04");
    const fs::path third = folder_ / "data_batch_3.bin";
    write(third, sound + sound.substr(0, 3000));
    expect_message({"DataError", "data_batch_3.bin' has 6073 bytes", "3073 bytes", "record 1", "3000 bytes"});
    write(third, "");
    expect_message({"DataError", "data_batch_3.bin' is empty", "3073 bytes"});
    write(third, sound + record("\x0a"));
    expect_message({"DataError", "data_batch_3.bin'", "label 10 of record 1", "0 … 9"});
    fs::remove(third);
    expect_message({"FileError", "no 'data_batch_3.bin' in '" + folder_.string(), "data.path"});
    fs::create_directory(third);
    expect_message({"FileError", "data_batch_3.bin'", "it is a folder"});
    fs::remove_all(folder_);
    expect_message({"FileError", "data.path", folder_.string(), "not a folder"});
    fs::create_directories(folder_);
    expect_message({"FileError", "no 'train.bin'", "CIFAR-100", "cifar-100-binary"}, Cifar::cifar100);
}

// 50,000 and 10,000 images, equally many of each class, and the mean and deviation that everyone uses.
TEST(CifarReal, IsWhatItIsKnownToBe)
{
    const char* folder = std::getenv("FLIPSTORM_CIFAR10");
    if (folder == nullptr) GTEST_SKIP() << "FLIPSTORM_CIFAR10 does not name the folder of CIFAR-10";
    const Dataset dataset = read_cifar_dataset(Cifar::cifar10, folder);
    EXPECT_NO_THROW(check_dataset(dataset, folder));
    for (const auto& [images, count] : {std::pair(&dataset.train, 5000), std::pair(&dataset.test, 1000)})
    {
        std::vector<int> of_class(10);
        for (const std::int32_t label : images->labels)
            ++of_class[static_cast<std::size_t>(label)];
        EXPECT_EQ(of_class, std::vector<int>(10, count));
    }
    const Normalisation measured = measure_normalisation(dataset.train);
    for (std::size_t c = 0; c < 3; ++c)
    {
        EXPECT_NEAR(measured.mean[c], dataset.normalisation.mean[c], 0.002) << c;
        EXPECT_NEAR(measured.std_dev[c], dataset.normalisation.std_dev[c], 0.005) << c;
    }
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
