#include <fstream>
#include <functional>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "hdf5_schema/file_summary.hpp"
#include "hdf5_schema/h5_writer.hpp"
#include "sample_records.hpp"

namespace flipstorm
{
namespace
{

using BadFiles = InFolder;

TEST_F(BadFiles, AreNamed)
{
    const auto check = [&](const std::string& name) {
        const std::string message = message_of([&] { static_cast<void>(read_model(folder_ / name)); });
        EXPECT_NE(message.find(name), std::string::npos) << message;
        return message;
    };
    check("missing.h5");
    std::ofstream(folder_ / "empty.h5").flush();
    check("empty.h5");
    std::ofstream(folder_ / "text.h5") << "not HDF5 at all";
    check("text.h5");
    std::filesystem::create_directory(folder_ / "folder.h5");
    EXPECT_NE(check("folder.h5").find("folder"), std::string::npos);
}

TEST_F(BadFiles, TruncatedAtAnyLengthAreRefused)
{
    const std::filesystem::path file = folder_ / "model.h5";
    write_model(file, sample_model());
    const std::string whole = read_file(file);
    for (std::size_t length = 0; length < whole.size(); length += 97)
    {
        write_file_durably(file, std::string_view(whole).substr(0, length));
        EXPECT_THROW(static_cast<void>(read_model(file)), FileError) << length;
    }
}

TEST_F(BadFiles, WithoutASealTruncatedAtAnyLengthAreRefused)
{
    const std::filesystem::path file = folder_ / "model.h5";
    write_model(file, sample_model());
    change_file(file, [](hid_t opened) { set_version(opened, 1, 1); });
    remove_room(file);
    EXPECT_EQ(read_model(file).parameters.size(), 2U);
    const std::string whole = read_file(file);
    for (std::size_t length = 0; length < whole.size(); length += 997)
    {
        write_file_durably(file, std::string_view(whole).substr(0, length));
        EXPECT_THROW(static_cast<void>(read_model(file)), FileError) << length;
    }
}

TEST_F(BadFiles, OfAnotherKindOrVersionAreRefusedByName)
{
    write_whole(folder_ / "campaign.h5", sample_campaign());
    const std::string kind = message_of([&] { static_cast<void>(read_model(folder_ / "campaign.h5")); });
    EXPECT_NE(kind.find("flipstorm/campaign"), std::string::npos) << kind;
    EXPECT_NE(kind.find("flipstorm/model"), std::string::npos) << kind;

    write_model(folder_ / "model.h5", sample_model());
    change_file(folder_ / "model.h5", [](hid_t file) { set_version(file, 2, 0); });
    const std::string version = message_of([&] { static_cast<void>(read_model(folder_ / "model.h5")); });
    EXPECT_NE(version.find("2.0"), std::string::npos) << version;
}

TEST_F(BadFiles, CampaignsThatDoNotFitAreRefused)
{
    const auto refused = [&](const std::function<void(CampaignRecord&)>& spoil) {
        CampaignRecord campaign = sample_campaign();
        spoil(campaign);
        write_whole(folder_ / "campaign.h5", campaign);
        return message_of([&] { static_cast<void>(read_campaign(folder_ / "campaign.h5")); });
    };
    EXPECT_NE(refused([](CampaignRecord& c) { c.faults.layer[2] = 2; }).find("fault 2"), std::string::npos);
    EXPECT_NE(refused([](CampaignRecord& c) { c.faults.stratum[3] = -1; }).find("fault 3"),
              std::string::npos);
    EXPECT_NE(refused([](CampaignRecord& c) { c.faults.parameter[1] = 8; }).find("fault 1"),
              std::string::npos);
    EXPECT_NE(refused([](CampaignRecord& c) { c.faults.bit[0] = 32; }).find("fault 0"), std::string::npos);
    EXPECT_NE(refused([](CampaignRecord& c) { c.header.golden.label.pop_back(); }).find("/golden"),
              std::string::npos);
    EXPECT_NE(refused([](CampaignRecord& c) { c.header.strata.bit.pop_back(); }).find("/strata"),
              std::string::npos);
    EXPECT_NE(refused([](CampaignRecord& c) { c.header.screen.trials.kept.pop_back(); }).find("/screen"),
              std::string::npos);
    EXPECT_EQ(refused([](CampaignRecord&) {}), "no FileError");
}

TEST_F(BadFiles, CannotBeWrittenWhereThereIsNoFolder)
{
    EXPECT_THROW(write_model(folder_ / "none" / "model.h5", sample_model()), FileError);
    EXPECT_THROW(write_whole(folder_ / "none" / "campaign.h5", sample_campaign()), FileError);
    EXPECT_THROW(static_cast<void>(stage_digest_of(folder_ / "none.h5")), FileError);
}

TEST_F(BadFiles, AnUnpublishedWriterLeavesTheOldFile)
{
    const std::filesystem::path file = folder_ / "model.h5";
    write_model(file, sample_model());
    const std::string before = read_file(file);
    {
        H5Writer writer(file, model_spec(), sample_provenance());
        EXPECT_THROW(writer.attribute("/", "colour", std::string("blue")), Error);       // not in the schema
        EXPECT_THROW(writer.attribute("/", "num_classes", std::string("ten")), Error);   // another type
        EXPECT_THROW(writer.dataset("/parameters/x", std::vector<double>{1.0}), Error);  // another type
        EXPECT_THROW(writer.dataset("/nowhere", std::vector<float>{1.0F}), Error);
    }
    EXPECT_EQ(read_file(file), before);
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
        EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
}

}  // namespace
}  // namespace flipstorm
