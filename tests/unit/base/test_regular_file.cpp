#include "engine/base/regular_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{
namespace fs = std::filesystem;

class RegularFiles : public testing::Test
{
  protected:
    RegularFiles()
    {
        std::string pattern = (fs::temp_directory_path() / "flipstorm-test-XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
        write_file_durably(folder_ / "ten", "0123456789");
    }
    ~RegularFiles() override { fs::remove_all(folder_); }

    static std::string refusal(const fs::path& name)
    {
        try
        {
            static_cast<void>(open_regular_file(name));
        }
        catch (const FileError& error)
        {
            return error.what();
        }
        return "not refused";
    }

    fs::path folder_;
};

TEST_F(RegularFiles, AreReadPieceByPiece)
{
    RegularFile file = open_regular_file(folder_ / "ten");
    EXPECT_EQ(file.size(), 10U);
    EXPECT_EQ(file.name(), (folder_ / "ten").string());
    std::string piece(7, '.');
    EXPECT_EQ(file.read(piece.data(), 7), 7U);
    EXPECT_EQ(piece, "0123456");
    EXPECT_EQ(file.read(piece.data(), 7), 3U);
    EXPECT_EQ(piece.substr(0, 3), "789");
    EXPECT_EQ(file.read(piece.data(), 7), 0U);
}

TEST_F(RegularFiles, CloseThemselvesUnlessReleased)
{
    int closed = -1;
    int kept = -1;
    {
        RegularFile file = open_regular_file(folder_ / "ten");
        RegularFile released = open_regular_file(folder_ / "ten", O_RDWR);
        closed = file.descriptor();
        const RegularFile taken(std::move(file));
        EXPECT_EQ(taken.descriptor(), closed);
        kept = released.release();
    }
    EXPECT_EQ(::fcntl(closed, F_GETFD), -1);
    EXPECT_EQ(::fcntl(kept, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(::pwrite(kept, "a", 1, 0), 1);
    ::close(kept);
    EXPECT_EQ(read_file(folder_ / "ten"), "a123456789");
}

TEST_F(RegularFiles, AreAllThatIsOpened)
{
    const auto expect = [](const std::string& text, const std::string& part) {
        EXPECT_NE(text.find(part), std::string::npos) << text;
    };
    expect(refusal(folder_), "cannot read '" + folder_.string() + "': it is a folder, not a file");
    expect(refusal("/dev/zero"), "it is a device, not a file");
    expect(refusal(folder_ / "none"), "cannot open '" + (folder_ / "none").string() + "': No such file");
    ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
    expect(refusal(folder_ / "pipe"), "it is a pipe, not a file");  // and nobody waits for a writer
}

}  // namespace
}  // namespace flipstorm
