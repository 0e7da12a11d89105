// Files notice what happens to them, and reading them survives what has happened.

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/sha256.hpp"
#include "hdf5_schema/file_summary.hpp"
#include "hdf5_schema/h5.hpp"
#include "hdf5_schema/reseal.hpp"
#include "hdf5_schema/seal.hpp"
#include "hdf5_schema/trial_read.hpp"
#include "sample_records.hpp"

namespace flipstorm
{
namespace
{

/// A folder with a model.
class Seal : public InFolder
{
  protected:
    void SetUp() override
    {
        InFolder::SetUp();
        file_ = folder_ / "model.h5";
        write_model(file_, sample_model());
        whole_ = read_file(file_);
    }

    void overwrite(const std::string& bytes) const { std::ofstream(file_, std::ios::binary) << bytes; }

    [[nodiscard]] std::string problem() const
    {
        return message_of([this] { static_cast<void>(read_model(file_)); });
    }

    [[nodiscard]] std::ptrdiff_t files() const
    {
        const std::filesystem::directory_iterator all(folder_);
        return std::distance(begin(all), end(all));
    }

    /// The model as a version without seals wrote it.
    void make_old() const
    {
        change_file(file_, [](hid_t file) { set_version(file, 1, 1); });
        remove_room(file_);
    }

    std::filesystem::path file_;
    std::string whole_;
};

TEST_F(Seal, IsWhatTheSpecificationSays)
{
    const std::string behind = whole_.substr(kSealBytes);
    std::string want =
        "flipstorm seal 1\nbytes " + std::to_string(behind.size()) + "\nsha256 " + sha256_hex(behind) + "\n";
    want.resize(kSealBytes, '\0');
    EXPECT_EQ(whole_.substr(0, kSealBytes), want);
    EXPECT_EQ(behind.substr(0, 8), "\x89HDF\r\n\x1a\n");
    EXPECT_EQ(check_seal(file_), SealState::sealed);
}

TEST_F(Seal, EveryKindOfFileHasOne)
{
    write_whole(folder_ / "campaign.h5", sample_campaign());
    write_forest(folder_ / "forest.h5", sample_forest());
    write_protection(folder_ / "protection.h5", sample_protection());
    write_comparison(folder_ / "comparison.h5", sample_comparison());
    for (const char* name : {"campaign.h5", "forest.h5", "protection.h5", "comparison.h5"})
        EXPECT_EQ(check_seal(folder_ / name), SealState::sealed) << name;
}

TEST_F(Seal, NoticesEveryFlippedBit)
{
    std::fstream stream(file_, std::ios::in | std::ios::out | std::ios::binary);
    const auto put = [&stream](std::size_t at, char byte) {
        stream.seekp(static_cast<std::streamoff>(at));
        stream.put(byte).flush();
    };
    std::size_t tried = 0;
    for (std::size_t byte = 0; byte < whole_.size(); byte += byte < 2 * kSealBytes ? 3 : 97)
    {
        put(byte, static_cast<char>(whole_[byte] ^ (1 << (byte % 8))));
        EXPECT_THROW(static_cast<void>(check_seal(file_)), FileError) << byte;
        put(byte, whole_[byte]);
        ++tried;
    }
    EXPECT_GT(tried, kSealBytes);
    EXPECT_EQ(check_seal(file_), SealState::sealed);
}

TEST_F(Seal, SaysWhatIsWrongAndWhatToDo)
{
    std::string flipped = whole_;
    flipped[whole_.size() / 2] = static_cast<char>(flipped[whole_.size() / 2] ^ 4);
    overwrite(flipped);
    EXPECT_NE(problem().find("model.h5' is damaged: its bytes are not those"), std::string::npos)
        << problem();
    EXPECT_NE(problem().find("flipstorm inspect --seal " + file_.string()), std::string::npos) << problem();
    EXPECT_EQ(message_of([this] { static_cast<void>(summarise_file(file_)); }), problem());
    EXPECT_EQ(message_of([this] { static_cast<void>(stage_digest_of(file_)); }), problem());
}

TEST_F(Seal, CountsLostAndAddedBytes)
{
    overwrite(whole_.substr(0, whole_.size() - 1));
    EXPECT_NE(problem().find("truncated"), std::string::npos) << problem();
    overwrite(whole_ + '\0');
    EXPECT_NE(problem().find("truncated or damaged"), std::string::npos) << problem();
    overwrite(whole_.substr(0, 20));
    EXPECT_NE(problem().find("truncated"), std::string::npos) << problem();
}

TEST_F(Seal, IsMissedWhereThereIsRoomForIt)
{
    overwrite(std::string(kSealBytes, '\0') + whole_.substr(kSealBytes));
    EXPECT_NE(problem().find("its seal, the first 512 bytes, is gone"), std::string::npos) << problem();
    overwrite(std::string(kSealBytes, '\0') + whole_);
    EXPECT_NE(problem().find("no HDF5 file?"), std::string::npos) << problem();
}

TEST_F(Seal, IsMissedByTheVersion)
{
    remove_room(file_);
    EXPECT_NE(problem().find("has no seal, which files of version 1.2 begin with"), std::string::npos)
        << problem();
    EXPECT_EQ(message_of([this] { static_cast<void>(summarise_file(file_)); }), problem());
}

TEST_F(Seal, IsNotMissedInAnOlderVersion)
{
    make_old();
    const std::filesystem::path old = folder_ / "noted.h5";
    std::filesystem::rename(file_, old);
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(read_model(old).parameters.size(), 2U);
    EXPECT_EQ(read_model(old).parameters.size(), 2U);
    const std::string log = ::testing::internal::GetCapturedStderr();
    const std::size_t note = log.find("noted.h5' has version 1.1, which has no seal");
    ASSERT_NE(note, std::string::npos) << log;
    EXPECT_EQ(log.find("which has no seal", note + 40), std::string::npos) << "noted twice: " << log;
}

TEST_F(Seal, IsGivenToWhatWasChangedOnPurpose)
{
    {
        const H5Handle opened(H5Fopen(file_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
        const H5Handle bias(H5Dopen2(opened.get(), "/parameters/a.bias", H5P_DEFAULT), H5Dclose);
        const float value = 0.25F;
        ASSERT_GE(H5Dwrite(bias.get(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value), 0);
    }
    EXPECT_NE(problem(), "no FileError");
    seal_anew(file_);
    EXPECT_EQ(check_seal(file_), SealState::sealed);
    EXPECT_EQ(read_model(file_).parameters[1].values.front(), 0.25F);
    EXPECT_EQ(files(), 1) << "a temporary file is left";
}

TEST_F(Seal, IsGivenToOldFilesWithRoomForIt)
{
    make_old();
    const std::string old = read_file(file_);
    seal_anew(file_);
    EXPECT_EQ(check_seal(file_), SealState::sealed);
    EXPECT_EQ(read_file(file_).substr(kSealBytes), old) << "HDF5's bytes have changed";
    EXPECT_EQ(read_model(file_).graph, sample_model().graph);
}

TEST_F(Seal, IsNotGivenToWhatCannotBe)
{
    ModelRecord model = sample_model();
    model.test_accuracy = 7;
    write_model(file_, model);
    const std::string before = read_file(file_);
    const std::string message = message_of([this] { seal_anew(file_); });
    EXPECT_NE(message.find("model.h5': 'test_accuracy' is 7"), std::string::npos) << message;
    EXPECT_EQ(message.find(".tmp"), std::string::npos) << message;
    EXPECT_EQ(read_file(file_), before);
    EXPECT_THROW(seal_anew(file_, [](const auto&) { throw DataError("no network"); }), FileError);
    write_model(file_, sample_model());
    EXPECT_THROW(seal_anew(file_, [](const auto&) { throw DataError("no network"); }), DataError);
    EXPECT_EQ(files(), 1) << "a temporary file is left";
    overwrite("a text");
    EXPECT_NE(message_of([this] { seal_anew(file_); }).find("no HDF5 file?"), std::string::npos);
}

TEST_F(Seal, IsNotSoughtInAPipe)
{
    std::filesystem::remove(file_);
    ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
    EXPECT_NE(problem().find("a pipe, not a file"), std::string::npos) << problem();
}

TEST_F(Seal, ATrialThatDiesNamesTheFile)
{
    const auto trial = [this](const std::function<void()>& work) {
        return message_of([&] { try_in_child(file_, work); });
    };
    EXPECT_EQ(trial([] {}), "no FileError");
    EXPECT_EQ(trial([] { throw std::runtime_error("not for the parent"); }), "no FileError");
    for (const int signal : {SIGSEGV, SIGFPE, SIGABRT})
    {
        ::testing::internal::CaptureStderr();
        const std::string message = trial([signal] {
            static_cast<void>(::write(STDERR_FILENO, "noise", 5));
            std::raise(signal);
        });
        EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
        EXPECT_NE(message.find("model.h5': HDF5 fails on it"), std::string::npos) << message;
    }
    EXPECT_NE(trial([] { std::_Exit(3); }).find("ended early"), std::string::npos);
    // Its time is up: here after a second.
    const std::string late = trial([] {
        ::alarm(1);
        while (true)
            ::pause();
    });
    EXPECT_NE(late.find("did not end"), std::string::npos) << late;
}

TEST_F(Seal, DamagedOldFilesDoNotEndTheReader)
{
    make_old();
    const std::string old = read_file(file_);
    std::size_t refused = 0;
    for (std::size_t byte = 0; byte < old.size(); byte += 251)
    {
        std::string flipped = old;
        flipped[byte] = static_cast<char>(flipped[byte] ^ 0x80);
        overwrite(flipped);
        refused += problem() == "no FileError" ? 0U : 1U;
    }
    EXPECT_GT(refused, 5U);
}

}  // namespace
}  // namespace flipstorm
