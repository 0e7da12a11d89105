#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/regular_file.hpp"
#include "engine/base/temporary_file.hpp"

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

    /// Names in the folder, sorted.
    [[nodiscard]] std::vector<std::string> names() const
    {
        std::vector<std::string> found;
        for (const auto& entry : fs::directory_iterator(folder_))
            found.push_back(entry.path().filename().string());
        std::sort(found.begin(), found.end());
        return found;
    }

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
    EXPECT_EQ(names(), std::vector<std::string>{"a"});
}

TEST_F(DurableFile, LeavesNothingWhereItCannotWrite)
{
    EXPECT_THROW(write_file_durably(folder_ / "none" / "a", "x"), FileError);
    fs::create_directory(folder_ / "taken");
    EXPECT_THROW(write_file_durably(folder_ / "taken", "x"), FileError);  // a folder has that name
    EXPECT_EQ(names(), std::vector<std::string>{"taken"});
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

std::string refusal(const fs::path& name, std::uint64_t longest = kLongestText)
{
    try
    {
        static_cast<void>(read_file(name, longest));
    }
    catch (const FileError& error)
    {
        return error.what();
    }
    return "not refused";
}

TEST_F(DurableFile, ReadsOnlyFilesAndWaitsForNobody)
{
    const fs::path pipe = folder_ / "pipe";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_EQ(refusal(pipe), "cannot read '" + pipe.string() + "': it is a pipe, not a file");
    const fs::path endless = folder_ / "endless";
    fs::create_symlink("/dev/zero", endless);
    EXPECT_EQ(refusal(endless), "cannot read '" + endless.string() + "': it is a device, not a file");
    const fs::path place = folder_ / "socket";
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    ASSERT_LT(place.string().size(), sizeof(address.sun_path));
    place.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_NE(refusal(place).find("it is a socket"), std::string::npos);
    ::close(socket);
    EXPECT_THROW(require_regular_file(pipe), FileError);
    EXPECT_THROW(require_regular_file(folder_), FileError);
    EXPECT_NO_THROW(require_regular_file(folder_ / "missing"));
}

TEST_F(DurableFile, AFileThatIsTooLongIsNotRead)
{
    write_file_durably(folder_ / "a", "12345");
    EXPECT_EQ(read_file(folder_ / "a", 5), "12345");
    EXPECT_NE(refusal(folder_ / "a", 4).find("it has 5 bytes, at most 4 can be"), std::string::npos);
    // A hole of a terabyte: nobody has the memory for it.
    fs::resize_file(folder_ / "a", std::uintmax_t{1} << 40U);
    EXPECT_NE(refusal(folder_ / "a").find("at most"), std::string::npos);
}

TEST_F(DurableFile, ALinkThatLiesInTheWayIsNotFollowed)
{
    write_file_durably(folder_ / "victim", "untouched");
    fs::create_symlink(folder_ / "victim", folder_ / ".a.tmp");  // the name that once could be foreseen
    write_file_durably(folder_ / "a", "x");
    EXPECT_EQ(read_file(folder_ / "victim"), "untouched");
    EXPECT_FALSE(fs::is_symlink(folder_ / "a"));
}

TEST_F(DurableFile, AFileThatCannotGetItsNameIsRemoved)
{
    fs::create_directory(folder_ / "taken");
    const fs::path temporary = create_temporary(folder_ / "taken");
    EXPECT_THROW(publish_file(temporary, folder_ / "taken"), FileError);
    EXPECT_EQ(names(), std::vector<std::string>{"taken"});
}

TEST_F(DurableFile, TemporaryNamesAreNewAndHidden)
{
    const fs::path first = create_temporary(folder_ / "a");
    const fs::path second = create_temporary(folder_ / "a");
    EXPECT_NE(first, second);
    EXPECT_EQ(first.filename().string().rfind(".a.", 0), 0U);
    EXPECT_EQ(first.extension(), ".tmp");
    EXPECT_EQ(first.filename().string().size(), std::string(".a..tmp").size() + 32);
    const std::string longest(255, 'n');
    EXPECT_NO_THROW(write_file_durably(folder_ / longest, "x"));
    EXPECT_EQ(read_file(folder_ / longest), "x");
}

TEST_F(DurableFile, OnlyWhatTheDeadLeftIsRemoved)
{
    const fs::path own = create_temporary(folder_ / "own");
    const std::string tag = own.filename().string().substr(5, 32);
    const auto named = [&](const std::string& name) { return folder_ / ("." + name + ".tmp"); };
    const auto leave = [](const fs::path& file) { std::ofstream(file) << "x"; };
    // A process that has ended has no number any more, once it is waited for.
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    const fs::path dead = named("dead." + tag.substr(0, 8) + fmt::format("{:08x}", child) + tag.substr(16));
    const fs::path elsewhere = named("elsewhere.12345678" + tag.substr(8));
    const fs::path old_elsewhere = named("old.12345678" + tag.substr(8));
    const fs::path foreign = named("foreign");
    const fs::path almost = named("almost." + tag.substr(1));
    for (const fs::path& file : {dead, elsewhere, old_elsewhere, foreign, almost})
        leave(file);
    const fs::path link = named("link." + tag.substr(0, 8) + fmt::format("{:08x}", child) + tag.substr(16));
    fs::create_symlink(foreign, link);
    const auto now = fs::last_write_time(own);
    for (const fs::path& file : {old_elsewhere, foreign, almost, own})
        fs::last_write_time(file, now - std::chrono::minutes(11));
    remove_dead_temporaries(folder_, now);
    EXPECT_FALSE(fs::exists(dead));
    EXPECT_FALSE(fs::exists(old_elsewhere));
    EXPECT_TRUE(fs::exists(own)) << "its process lives";
    EXPECT_TRUE(fs::exists(elsewhere)) << "it may live";
    EXPECT_TRUE(fs::exists(foreign));
    EXPECT_TRUE(fs::exists(almost));
    EXPECT_TRUE(fs::is_symlink(link));
    EXPECT_NO_THROW(remove_dead_temporaries(folder_ / "none", now));
    remove_own_temporaries(folder_);
    EXPECT_FALSE(fs::exists(own));
    EXPECT_TRUE(fs::exists(elsewhere) && fs::exists(foreign) && fs::is_symlink(link));
}

TEST_F(DurableFile, CannotMakeAFolderUnderAFile)
{
    write_file_durably(folder_ / "file", "x");
    EXPECT_THROW(make_folder(folder_ / "file" / "below"), FileError);
}

}  // namespace
}  // namespace flipstorm
