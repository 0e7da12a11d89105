#include <hdf5.h>

#include "engine/base/durable_file.hpp"
#include "hdf5_schema/file_summary.hpp"
#include "hdf5_schema/h5.hpp"
#include "hdf5_schema/schema.hpp"
#include "sample_records.hpp"

namespace flipstorm
{
namespace
{

using Schema = InFolder;

// SCHEMA.md is the specification. To bring its tables up to date after a change of schema.cpp, replace what
// stands behind the line "<!-- tables -->" by what this test prints.
TEST_F(Schema, DocumentHoldsTheTablesOfTheCode)
{
    const std::string document = read_file(FLIPSTORM_SCHEMA_MD);
    const std::string marker = "<!-- tables -->\n";
    const std::size_t at = document.find(marker);
    ASSERT_NE(at, std::string::npos);
    EXPECT_EQ(document.substr(at + marker.size()), "\n" + render_schema());
}

TEST_F(Schema, WrittenFilesFollowIt)
{
    write_model(folder_ / "model.h5", sample_model());
    write_whole(folder_ / "campaign.h5", sample_campaign());
    write_forest(folder_ / "forest.h5", sample_forest());
    write_protection(folder_ / "protection.h5", sample_protection());
    write_comparison(folder_ / "comparison.h5", sample_comparison());
    write_protected(folder_ / "protected.h5", sample_protected());
    write_memory(folder_ / "memory.h5", sample_memory());
    write_whole(folder_ / "verify.h5", sample_protected_campaign());
    for (const char* name : {"model.h5", "campaign.h5", "forest.h5", "protection.h5", "comparison.h5",
                             "protected.h5", "memory.h5", "verify.h5"})
    {
        EXPECT_EQ(check_against_schema(folder_ / name), "") << name;
    }
}

TEST_F(Schema, CheckFindsWhatIsMissingAndWhatIsStrange)
{
    write_model(folder_ / "model.h5", sample_model());
    change_file(folder_ / "model.h5", [](hid_t file) {
        ASSERT_GE(H5Ldelete(file, "/graph", H5P_DEFAULT), 0);
        ASSERT_GE(H5Adelete(file, "arch"), 0);
        const H5Handle space(H5Screate(H5S_SCALAR), H5Sclose);
        const H5Handle strange(
            H5Dcreate2(file, "/strange", H5T_NATIVE_INT, space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
            H5Dclose);
    });
    const std::string problems = check_against_schema(folder_ / "model.h5");
    EXPECT_NE(problems.find("/graph is missing"), std::string::npos) << problems;
    EXPECT_NE(problems.find("attribute arch of / is missing"), std::string::npos) << problems;
    EXPECT_NE(problems.find("/strange is not in the schema"), std::string::npos) << problems;
}

TEST_F(Schema, SummaryListsEverything)
{
    write_whole(folder_ / "campaign.h5", sample_campaign());
    const std::string summary = summarise_file(folder_ / "campaign.h5");
    EXPECT_NE(summary.find("/@filetype = flipstorm/campaign"), std::string::npos) << summary;
    EXPECT_NE(summary.find("/faults/bit  uint8 [5]"), std::string::npos) << summary;
    EXPECT_NE(summary.find("/screen@kappa = 8"), std::string::npos) << summary;
    EXPECT_EQ(stage_digest_of(folder_ / "campaign.h5"), "22");
}

TEST_F(Schema, SummaryIsPrintable)
{
    ModelRecord model = sample_model();
    model.arch = "\x1B]0;title\x07 net";
    model.parameters[0].name =
        "a\x9B"
        "31m";
    write_model(folder_ / "model.h5", model);
    const std::string summary = summarise_file(folder_ / "model.h5");
    EXPECT_NE(summary.find("/@arch = \\x1b]0;title\\x07 net\n"), std::string::npos) << summary;
    EXPECT_NE(summary.find("/parameters/a\\x9b31m  float32"), std::string::npos) << summary;
    EXPECT_EQ(summary.find('\x1B'), std::string::npos);
}

TEST(SchemaTable, PlaceholdersMatchNamesOnly)
{
    EXPECT_NE(find_dataset(model_spec(), "/parameters/conv1.weight"), nullptr);
    EXPECT_EQ(find_dataset(model_spec(), "/parameters/"), nullptr);
    EXPECT_EQ(find_dataset(model_spec(), "/parameter"), nullptr);
    EXPECT_NE(find_attribute(campaign_spec(), "/screen", "tau"), nullptr);
    EXPECT_EQ(find_attribute(campaign_spec(), "/", "tau"), nullptr);
    EXPECT_NE(find_attribute(model_spec(), "/", "seed"), nullptr);
}

}  // namespace
}  // namespace flipstorm
