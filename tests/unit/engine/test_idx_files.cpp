#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <fstream>

#include "engine/base/error.hpp"
#include "engine/data/idx.hpp"
#include "engine/data/idx_folder.hpp"

namespace flipstorm
{
namespace
{
namespace fs = std::filesystem;

class IdxFolder : public ::testing::Test
{
  protected:
    void SetUp() override { fs::create_directories(folder_); }
    void TearDown() override { fs::remove_all(folder_); }

    fs::path touch(const std::string& name, const std::string& content = "x") const
    {
        const fs::path file = folder_ / name;
        fs::create_directories(file.parent_path());
        std::ofstream(file, std::ios::binary) << content;
        return file;
    }

    /// The four files under names of one form.
    void touch_set(const std::string& before, const std::string& behind = "", const std::string& joint = "-",
                   const std::string& test = "t10k") const
    {
        for (const std::string& part : {std::string("train"), test})
        {
            touch(before + part + "-images" + joint + "idx3-ubyte" + behind);
            touch(before + part + "-labels" + joint + "idx1-ubyte" + behind);
        }
    }

    std::string refused(const fs::path& path, IdxPart part = IdxPart::test) const
    {
        try
        {
            static_cast<void>(find_idx_files(path, part));
        }
        catch (const JobError& error)
        {
            return std::string("JobError: ") + error.what();
        }
        catch (const FileError& error)
        {
            return std::string("FileError: ") + error.what();
        }
        return "accepted";
    }

    static void expect_says(const std::string& text, const std::vector<std::string>& phrases)
    {
        for (const std::string& phrase : phrases)
            EXPECT_NE(text.find(phrase), std::string::npos) << phrase << " is not in: " << text;
    }

    std::string found(const std::string& below, IdxPart part = IdxPart::test) const
    {
        const IdxFiles files = find_idx_files(folder_ / below, part);
        return fs::relative(files.images, folder_).string() + " " + files.labels.filename().string();
    }

    fs::path folder_ = fs::temp_directory_path() / ("flipstorm-idx-files-" + std::to_string(::getpid()));
};

TEST_F(IdxFolder, HasManyForms)
{
    touch_set("dots/", "", ".");
    EXPECT_EQ(found("dots"), "dots/t10k-images.idx3-ubyte t10k-labels.idx1-ubyte");
    touch_set("dots/", ".gz", "-");
    EXPECT_EQ(found("dots"), "dots/t10k-images-idx3-ubyte.gz t10k-labels-idx1-ubyte.gz");
    touch_set("dots/");
    EXPECT_EQ(found("dots", IdxPart::train), "dots/train-images-idx3-ubyte train-labels-idx1-ubyte");
    for (const std::string place : {"raw/", "gzip/", "MNIST/raw/", "KMNIST/raw/"})
    {
        touch_set("a" + place.substr(0, 1) + "/" + place);
        EXPECT_EQ(found("a" + place.substr(0, 1)),
                  "a" + place.substr(0, 1) + "/" + place + "t10k-images-idx3-ubyte t10k-labels-idx1-ubyte");
    }
    touch("wide/t10k-images-idx3-ubyte");
    touch("wide/t10k-labels-idx1-int.gz");
    EXPECT_EQ(found("wide"), "wide/t10k-images-idx3-ubyte t10k-labels-idx1-int.gz");
}

TEST_F(IdxFolder, MayHoldFoldersWithTheNamesOfFiles)
{
    touch_set("", "", ".");
    touch("t10k-images-idx3-ubyte/t10k-images-idx3-ubyte");
    EXPECT_EQ(found(""), "t10k-images.idx3-ubyte t10k-labels.idx1-ubyte");
    fs::remove(folder_ / "t10k-images.idx3-ubyte");
    EXPECT_EQ(found(""),
              "t10k-images-idx3-ubyte t10k-labels.idx1-ubyte");  // whose reader says that it is a folder
}

TEST_F(IdxFolder, WithoutASplitComesBeforeThoseWithOne)
{
    touch_set("emnist-letters-", "", "-", "test");
    touch_set("");
    EXPECT_EQ(found(""), "t10k-images-idx3-ubyte t10k-labels-idx1-ubyte");
    touch_set("raw/");
    EXPECT_EQ(found(""), "t10k-images-idx3-ubyte t10k-labels-idx1-ubyte");
}

TEST_F(IdxFolder, OfSeveralSplitsIsChosenByItsName)
{
    touch_set("EMNIST/raw/emnist-letters-", ".gz", "-", "test");
    EXPECT_EQ(found(""),
              "EMNIST/raw/emnist-letters-test-images-idx3-ubyte.gz emnist-letters-test-labels-idx1-ubyte.gz");
    touch_set("EMNIST/raw/emnist-balanced-", "", "-", "test");
    expect_says(refused(folder_),
                {"JobError", "2 IDX data sets", "EMNIST/raw/emnist-balanced'", "EMNIST/raw/emnist-letters'"});
    const std::string letters =
        "EMNIST/raw/emnist-letters-test-images-idx3-ubyte.gz emnist-letters-test-labels-idx1-ubyte.gz";
    EXPECT_EQ(found("emnist-letters"), letters);
    EXPECT_EQ(found("EMNIST/emnist-letters"), letters);
    EXPECT_EQ(found("EMNIST/raw/emnist-letters"), letters);
    EXPECT_EQ(found("EMNIST/raw/emnist-letters/"), letters);
    expect_says(refused(folder_ / "emnist-digits"),
                {"FileError", "not a folder", "begin with 'emnist-digits-'", "'EMNIST'"});
    touch_set("FashionMNIST/raw/");
    expect_says(refused(folder_), {"JobError", "3 IDX data sets", "FashionMNIST/raw'"});
}

TEST_F(IdxFolder, SaysWhatIsMissingAndWhatIsThere)
{
    expect_says(refused(folder_), {"FileError", "data.path", "t10k-images-idx3-ubyte", "There is nothing"});
    for (int i = 0; i < 20; ++i)
        touch("picture" + std::to_string(10 + i) + ".png");
    expect_says(refused(folder_), {"'picture10.png'", "'picture17.png' and 12 others"});
    EXPECT_EQ(refused(folder_).find("picture18"), std::string::npos);
    touch("t10k-images-idx3-ubyte");
    expect_says(refused(folder_), {"FileError", "no 't10k-labels-idx1-ubyte'", folder_.string()});
    expect_says(refused(folder_, IdxPart::train), {"FileError", "no 'train-images-idx3-ubyte'"});
    expect_says(refused(folder_ / "picture10.png"), {"FileError", "data.path", "not a folder"});
}

class IdxFile : public IdxFolder
{
  protected:
    static std::string number(std::uint32_t value, int bytes)
    {
        std::string text;
        for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
            text += static_cast<char>(value >> shift & 0xFFU);
        return text;
    }

    static std::string header(char type, const std::vector<std::uint32_t>& shape)
    {
        std::string bytes{'\0', '\0', type, static_cast<char>(shape.size())};
        for (const std::uint32_t size : shape)
            bytes += number(size, 4);
        return bytes;
    }

    fs::path pack(const std::string& name, const std::string& bytes) const
    {
        gzFile file = gzopen((folder_ / name).c_str(), "wb9");
        gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
        gzclose(file);
        return folder_ / name;
    }

    template<class Read>
    static std::string message(Read&& read)
    {
        try
        {
            static_cast<void>(read());
        }
        catch (const DataError& error)
        {
            return std::string("DataError: ") + error.what();
        }
        catch (const FileError& error)
        {
            return std::string("FileError: ") + error.what();
        }
        return "accepted";
    }
};

TEST_F(IdxFile, LabelsMayHave16And32Bits)
{
    EXPECT_EQ(read_idx_labels(touch("bytes", header(8, {3}) + std::string("\0\x09\xff", 3))),
              (std::vector<std::int32_t>{0, 9, 255}));
    EXPECT_EQ(read_idx_labels(
                  touch("shorts", header(0x0B, {3}) + number(1, 2) + number(999, 2) + number(0xFFFE, 2))),
              (std::vector<std::int32_t>{1, 999, -2}));
    EXPECT_EQ(read_idx_labels(pack("ints.gz", header(0x0C, {2}) + number(70000, 4) + number(0xFFFFFFFF, 4))),
              (std::vector<std::int32_t>{70000, -1}));
    expect_says(
        message([&] { return read_idx_labels(touch("cut", header(0x0B, {2}) + number(1, 2) + "\1")); }),
        {"DataError", "cut' ends after 1 of 2 values"});
    expect_says(message([&] { return read_idx_labels(touch("floats", header(0x0D, {1}) + number(0, 4))); }),
                {"DataError", "0x0d", "0x08 (bytes), 0x0b (16 bits), 0x0c (32 bits)"});
    expect_says(message([&] { return read_idx(touch("shorts", header(0x0B, {1}) + number(1, 2))); }),
                {"DataError", "0x0b", "0x08 (bytes)"});
}

TEST_F(IdxFile, ASizeThatTheFileCannotHoldIsNotTried)
{
    // A gigabyte announced by files of a few bytes: nothing of that size is allocated or unpacked.
    const std::string announced = header(8, {1024, 1024, 1024});
    expect_says(message([&] { return read_idx(touch("plain", announced + "abc")); }),
                {"DataError", "plain' ends after 3 of 1073741824 values"});
    expect_says(message([&] { return read_idx(pack("bomb.gz", announced + std::string(100000, '\0'))); }),
                {"DataError", "bomb.gz' ends after", "1073741824 values", "gzip"});
    const std::string huge = header(8, {1U << 20U, 1U << 19U, 2});
    expect_says(message([&] { return read_idx(touch("huge", huge)); }), {"DataError", "huge'"});
    // What really unpacks so well is read.
    EXPECT_EQ(read_idx(pack("zeros.gz", header(8, {1000, 1000}) + std::string(1000000, '\0'))).values.size(),
              1000000U);
}

TEST_F(IdxFile, IsNoPipeDeviceOrFolder)
{
    ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
    expect_says(message([&] { return read_idx(folder_ / "pipe"); }), {"FileError", "pipe'", "it is a pipe"});
    expect_says(message([&] { return read_idx("/dev/zero"); }), {"FileError", "it is a device"});
    expect_says(message([&] { return read_idx(folder_); }), {"FileError", "it is a folder"});
    expect_says(message([&] { return read_idx(folder_ / "none"); }), {"FileError", "No such file"});
}

TEST_F(IdxFile, DataSetOfWideLabelsAndItsFiles)
{
    for (const char* part : {"train", "t10k"})
    {
        touch(std::string(part) + "-images-idx3-ubyte", header(8, {2, 1, 1}) + "ab");
        touch(std::string(part) + "-labels-idx1-short", header(0x0B, {2}) + number(1, 2) + number(300, 2));
    }
    const Dataset dataset = read_idx_dataset(folder_);
    EXPECT_EQ(dataset.num_classes, 301);
    EXPECT_EQ(dataset.test.labels, (std::vector<std::int32_t>{1, 300}));
    EXPECT_EQ(dataset.test.place_of(1), "image 1 of '" + (folder_ / "t10k-labels-idx1-short").string() + "'");
    EXPECT_EQ(dataset.normalisation_source, "measured on the 2 training images");
    touch("t10k-labels-idx1-short", header(0x0B, {3}) + std::string(6, '\0'));
    expect_says(message([&] { return read_idx_test_images(folder_); }),
                {"DataError", "2 images", "3 labels"});
}

}  // namespace
}  // namespace flipstorm
