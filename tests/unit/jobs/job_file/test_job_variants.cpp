#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/base/error.hpp"
#include "jobs/campaign/campaign_description.hpp"
#include "jobs/job_file/job_file.hpp"
#include "jobs/job_file/job_print.hpp"
#include "jobs/stages/last_error.hpp"
#include "jobs/stages/train_checkpoint.hpp"
#include "mpi/lock_file.hpp"
#include "mpi/stop.hpp"
#include "tests/unit/jobs/job_file/job_text_file.hpp"

namespace flipstorm
{
namespace
{

using test::JobTextFile;
using test::problems_of;

const std::string kCommon = "[job]\nname = \"abl\"\n[data]\nkind = \"synthetic\"\n[train]\nepochs = 3\n";

JobFile read_file_of(const std::string& text, const std::vector<std::string>& overrides = {})
{
    const JobTextFile file(text);
    return read_job_file(file.path(), overrides);
}

TEST(JobVariants, EachIsTheCommonJobWithItsChanges)
{
    const JobFile file = read_file_of(kCommon + R"(
[[variant]]
name = "baseline"

[[variant]]
name = "relu6"
model.activation = "relu6"
train.epochs = 5
campaign.tolerances = [0.02, 0.05]

[[variant]]
name = "by-table"
[variant.model]
order = "conv-act-norm"
arch = "resnet18"
)");
    ASSERT_EQ(file.variants.size(), 3U);
    EXPECT_EQ(file.job.job.name, "abl");
    EXPECT_EQ(file.job.job.out, "out/abl");
    const Job& baseline = file.variants[0].job;
    EXPECT_EQ(file.variants[0].name, "baseline");
    EXPECT_EQ(baseline.job.name, "abl.baseline");
    EXPECT_EQ(baseline.job.out, "out/abl/baseline");
    EXPECT_EQ(baseline.model.activation, "relu");
    EXPECT_EQ(baseline.train.epochs, 3);
    const Job& relu6 = file.variants[1].job;
    EXPECT_EQ(relu6.model.activation, "relu6");
    EXPECT_EQ(relu6.train.epochs, 5);
    // Defaults that depend on a changed key follow it.
    EXPECT_EQ(relu6.forest.tolerances, (std::vector<double>{0.02, 0.05}));
    EXPECT_EQ(relu6.harden.tolerance, 0.02);
    EXPECT_EQ(baseline.harden.tolerance, 0.005);
    EXPECT_EQ(file.variants[2].job.model.order, "conv-act-norm");
    EXPECT_EQ(file.variants[2].job.model.shortcut, "projection");
    EXPECT_EQ(file.job.model.activation, "relu");
}

TEST(JobVariants, ATableOfAVariantReplacesTheJobs)
{
    const JobFile file = read_file_of(kCommon + R"(
[model]
format = "fxp8"
formats = {conv1 = "fxp16", fc1 = "fxp32"}
[[variant]]
name = "other"
model.formats.conv1 = "fxp32"
[[variant]]
name = "none"
model.formats = {}
)",
                                      {"model.formats.fc2=fxp16"});
    EXPECT_EQ(file.job.model.formats, (StringTable{{"conv1", "fxp16"}, {"fc1", "fxp32"}, {"fc2", "fxp16"}}));
    EXPECT_EQ(file.variants[0].job.model.formats, (StringTable{{"conv1", "fxp32"}, {"fc2", "fxp16"}}));
    EXPECT_EQ(file.variants[1].job.model.formats, (StringTable{{"fc2", "fxp16"}}));
}

TEST(JobVariants, WithoutAnyTheFileIsOneJob)
{
    EXPECT_TRUE(read_file_of(kCommon).variants.empty());
    EXPECT_EQ(print_job_file(read_file_of(kCommon)), print_job(read_file_of(kCommon).job));
}

TEST(JobVariants, OverridesComeLast)
{
    const JobFile file = read_file_of(
        kCommon + "[[variant]]\nname = \"a\"\n[[variant]]\nname = \"b\"\ntrain.epochs = 7\ntrain.lr = 1\n",
        {"train.epochs=9", "job.out=x/y"});
    EXPECT_EQ(file.variants[0].job.train.epochs, 9);
    EXPECT_EQ(file.variants[1].job.train.epochs, 9);
    EXPECT_EQ(file.variants[1].job.train.lr, 1);
    EXPECT_EQ(file.variants[1].job.job.out, "x/y/b");
}

TEST(JobVariants, ProblemsNameLineAndNearestKey)
{
    EXPECT_EQ(problems_of(kCommon + R"([[variant]]
name = "a"
model.activaton = "relu6"
modl.order = "conv-act-norm"
activation = "relu6"
train.epochs = 0
forest = 3
[[variant]]
name = "b"
job.out = "elsewhere"
)"),
              "FILE:9: unknown key 'model.activaton'; did you mean 'model.activation'?\n"
              "FILE:10: unknown table [modl]; did you mean [model]?\n"
              "FILE:11: unknown key 'activation'; did you mean 'model.activation'?\n"
              "FILE:12: train.epochs = 0 is out of range; it must be ≥ 1, ≤ 1000000\n"
              "FILE:13: 'forest' must be a table, not an integer; write [forest]\n"
              "FILE:16: job.out of a variant follows from the job's and the variant's name");
}

TEST(JobVariants, NamesAreFolders)
{
    const auto named = [](const std::string& line) { return problems_of(kCommon + "[[variant]]\n" + line); };
    EXPECT_EQ(
        named("name = \"a/b\""),
        "FILE:8: the variant's name \"a/b\" names a folder: it must be 1 to 100 letters, digits, '_', '.' "
        "and '-', and not begin with '.' or '-'");
    EXPECT_EQ(
        named("name = \"figures\""),
        "FILE:8: the variant's name \"figures\" is a name that flipstorm itself uses in the out folder; take "
        "another");
    EXPECT_EQ(named("name = 3"), "FILE:8: the name of a variant must be a string, not an integer");
    EXPECT_EQ(named("model.activation = \"relu6\""), "FILE:7: a variant needs a name: name = \"…\"");
    EXPECT_EQ(named("name = \"a\"\n[[variant]]\nname = \"a\""), "FILE:10: two variants have the name \"a\"");
}

TEST(JobVariants, TheListIsAListOfTables)
{
    EXPECT_EQ(problems_of(kCommon + "[variant]\nname = \"a\""),
              "FILE:7: 'variant' must be a list of tables, not a table; write [[variant]]");
    EXPECT_EQ(problems_of("variant = []\n" + kCommon),
              "FILE:1: 'variant' must be a list of tables, not a list; write [[variant]]");
    EXPECT_EQ(problems_of("variant = [1]\n" + kCommon),
              "FILE:1: 'variant' must be a list of tables, not a list with an integer; write [[variant]]");
    EXPECT_EQ(problems_of(kCommon + "[[variants]]\nname = \"a\""),
              "FILE:7: unknown table [variants]; did you mean [[variant]]?");
}

TEST(JobVariants, RulesHoldForEachVariant)
{
    // What all have in common lacks the data, and only one variant names it.
    EXPECT_EQ(problems_of("[data]\nkind = \"idx\"\n[[variant]]\nname = \"a\"\ndata.path = \"d\"\n"), "");
    EXPECT_EQ(problems_of("[data]\nkind = \"idx\"\n[[variant]]\nname = \"a\"\n[[variant]]\nname = \"b\"\n"),
              "FILE:2: data.path is missing; data.kind = \"idx\" needs the folder of the data set");
    EXPECT_EQ(problems_of(kCommon + "[[variant]]\nname = \"a\"\nharden.tolerance = 0.033\n"),
              "FILE:9: variant \"a\": harden.tolerance = 0.033 is none of forest.tolerances; the nearest is "
              "0.035");
    // A problem of what they have in common is reported once.
    EXPECT_EQ(problems_of(kCommon + "lr = 0\n[[variant]]\nname = \"a\"\n[[variant]]\nname = \"b\"\n",
                          {"forest.tree=3"}),
              "FILE:7: train.lr = 0 is out of range; it must be > 0, ≤ 1000\n"
              "--set forest.tree=3: unknown key 'forest.tree'; did you mean 'forest.trees'?");
}

TEST(JobVariants, PrintedTheyReadBackTheSame)
{
    const JobFile file = read_file_of(kCommon + R"(
[[variant]]
name = "a"
campaign.confidence = 0.9
model.arch = "resnet18"
[[variant]]
name = "b"
data.mean = [0.5]
data.std = [0.25]
[[variant]]
name = "c"
model.format = "int8"
model.formats = {"layer1.0.conv1" = "fxp16"}
)");
    EXPECT_EQ(variant_changes(file, file.variants[2]),
              (std::vector<std::string>{"model.format = \"int8\"",
                                        "model.formats = {\"layer1.0.conv1\" = \"fxp16\"}"}));
    EXPECT_EQ(variant_changes(file, file.variants[1]),
              (std::vector<std::string>{"data.mean = [0.5]", "data.std = [0.25]"}));
    const std::string printed = print_job_file(file);
    const JobFile again = read_file_of(printed);
    EXPECT_EQ(print_job_file(again), printed);
    ASSERT_EQ(again.variants.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i)
        EXPECT_EQ(canonical_job(again.variants[i].job), canonical_job(file.variants[i].job));
}

TEST(JobVariants, AreFoundByName)
{
    const JobFile file =
        read_file_of(kCommon + "[[variant]]\nname = \"relu6\"\n[[variant]]\nname = \"fault-aware\"\n");
    EXPECT_EQ(find_variant(file, "fault-aware").job.job.out, "out/abl/fault-aware");
    const auto message = [](const JobFile& job, const std::string& name) {
        try
        {
            static_cast<void>(find_variant(job, name));
        }
        catch (const JobError& error)
        {
            return std::string(error.what());
        }
        return std::string();
    };
    EXPECT_EQ(message(file, "relu"), "--variant relu: unknown variant; did you mean 'relu6'?");
    EXPECT_EQ(message(file, "x"), "--variant x: unknown variant; the job has \"relu6\", \"fault-aware\"");
    EXPECT_EQ(message(read_file_of(kCommon), "x"), "--variant x: the job has no variants ([[variant]])");
}

TEST(JobVariants, NamesThatFlipstormUsesAreTaken)
{
    for (const char* name :
         {kLockFile, kStopFile, kLastErrorFile, kDescriptionFile, kTrainCheckpoint, "forest-journal",
          "journal", "model.h5", "campaign.h5", "forest.h5", "protection.h5", "protected.h5", "verify",
          "figures", "comparison.h5", "report.html"})
    {
        EXPECT_NE(variant_name_problem(name), "") << name;
        const std::string text = kCommon + "[[variant]]\nname = \"" + name + "\"\n";
        EXPECT_THROW(read_file_of(text), JobError) << name;
    }
    for (const char* name : {"locked", "journal2", "stop", "model", "a.b-c_d"})
        EXPECT_EQ(variant_name_problem(name), "") << name;
}

TEST(OutFolder, OneThatIsMeantAsAnOptionIsRefused)
{
    EXPECT_EQ(out_folder_problem("out/x"), "");
    EXPECT_EQ(out_folder_problem("./-x"), "");
    EXPECT_EQ(out_folder_problem("."), "");
    EXPECT_NE(out_folder_problem("").find("is empty"), std::string::npos);
    EXPECT_NE(out_folder_problem("--fresh").find("write './--fresh'"), std::string::npos);
    const JobTextFile file(kCommon);
    try
    {
        read_job_file(file.path(), {"job.out=-x"});
        FAIL() << "job.out = -x was taken";
    }
    catch (const JobError& error)
    {
        EXPECT_NE(std::string(error.what()).find("job.out = \"-x\""), std::string::npos) << error.what();
        EXPECT_NE(std::string(error.what()).find("./-x"), std::string::npos) << error.what();
    }
}

}  // namespace
}  // namespace flipstorm
