#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{
namespace fs = std::filesystem;

class DurableFile : public ::testing::Test
{
  protected:
    void SetUp() override { make_folder(folder_); }
    void TearDown() override { fs::remove_all(folder_); }

    fs::path folder_ = fs::temp_directory_path() / ("flipstorm-durable-" + std::to_string(::getpid()));
};

TEST_F(DurableFile, ReadsWhatItWrote)
{
    std::string content(100000, 'x');
    content[5000] = '\0';
    write_file_durably(folder_ / "a", content);
    EXPECT_EQ(read_file(folder_ / "a"), content);
    write_file_durably(folder_ / "a", "");
    EXPECT_EQ(read_file(folder_ / "a"), "");
    EXPECT_FALSE(fs::exists(temporary_name(folder_ / "a")));
}

TEST_F(DurableFile, LeavesNothingWhereItCannotWrite)
{
    EXPECT_THROW(write_file_durably(folder_ / "none" / "a", "x"), FileError);
    fs::create_directory(folder_ / "taken");
    EXPECT_THROW(write_file_durably(folder_ / "taken", "x"), FileError);  // a folder has that name
    EXPECT_FALSE(fs::exists(temporary_name(folder_ / "taken")));
}

TEST_F(DurableFile, NamesWhatCannotBeRead)
{
    for (const fs::path& name : {folder_ / "missing", folder_})
    {
        try
        {
            static_cast<void>(read_file(name));
            FAIL();
        }
        catch (const FileError& error)
        {
            EXPECT_NE(std::string(error.what()).find(name.string()), std::string::npos);
        }
    }
}

TEST_F(DurableFile, CannotMakeAFolderUnderAFile)
{
    write_file_durably(folder_ / "file", "x");
    EXPECT_THROW(make_folder(folder_ / "file" / "below"), FileError);
}

}  // namespace
}  // namespace flipstorm
