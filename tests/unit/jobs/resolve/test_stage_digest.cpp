#include "jobs/resolve/stage_digest.hpp"

#include <gtest/gtest.h>

#include <set>

#include "engine/base/sha256.hpp"
#include "jobs/job_file/job_file.hpp"
#include "jobs/job_file/job_print.hpp"

namespace flipstorm
{
namespace
{

Job job_of(const std::string& text)
{
    return read_job_text("[data]\nkind = \"idx\"\npath = \"somewhere\"\ntest_images = 60\n" + text, "test");
}

TEST(StageDigest, OfTrainingAndImportAreWhatTheyWere)
{
    EXPECT_EQ(train_digest(job_of("[job]\nname = \"quickstart\"\n"),
                           "6e5c876258f0dc9d999f53f8ad401c01d092ece5238f74429892f743cf7a7e4e"),
              "e9700c13813eb0b21f219e1dd1c37ec094a6ffd528ff979343f75ffa63dfed58");
    // Of a fine-tuned network, what it was tells, too.
    const Job job = job_of("[model]\nformat = \"int8\"\nfile = \"a\"\n");
    EXPECT_NE(train_digest(job, "data"), train_digest(job, "data", "network"));
    EXPECT_NE(train_digest(job, "data", "another"), train_digest(job, "data", "network"));
    EXPECT_EQ(train_digest(job, "data"), train_digest(job_of("[model]\nformat = \"int8\"\n"), "data"));
    // The imported network of tests/pipeline/old_files.
    EXPECT_EQ(import_digest(read_job_text("[data]\nkind = \"idx\"\npath = \"data\"\nmean = [0.1]\nstd = "
                                          "[0.25]\n",
                                          "test"),
                            "99235c7c56ffed23f1f89dc8d2d167fc9b36d15804f9e7ba480ac36208fd84e7",
                            "021dbe9d85472445d477dc5cf9be52d135c2e7cce0fd2678dbdf108604be52c5"),
              "081b195fab3e10d5f303af0780590ce6053933eebce5ef340380bd4dc79b5199");
}

TEST(StageDigest, OfTrainingHoldsTheFormatsThatAreNotTheDefault)
{
    const auto digest = [](const std::string& model) {
        return train_digest(job_of("[model]\n" + model), "data set");
    };
    const std::string plain = digest("");
    EXPECT_EQ(digest("format = 'fp32'\nformats = {}\ninteger_bits = 1\nscale = 'channel'"), plain);
    std::set<std::string> others;
    for (const char* model : {"format = 'int8'", "format = 'fxp8'", "format = 'fxp8'\ninteger_bits = 2",
                              "format = 'int8'\nscale = 'tensor'", "formats = {conv1 = 'fp16'}",
                              "formats = {conv2 = 'fp16'}", "formats = {conv2 = 'bf16'}"})
        others.insert(digest(model));
    EXPECT_EQ(others.size(), 7U);
    EXPECT_EQ(others.count(plain), 0U);
}

TEST(StageDigest, OfAConversionHoldsFormatsAndInputs)
{
    EXPECT_EQ(convert_digest(job_of("[model]\nformat = \"fp16\"\n[job]\nseed = 3\n"), "model", "data"),
              sha256_hex("flipstorm convert 1\nmodel.format = \"fp16\"\nmodeldata"));
    EXPECT_EQ(
        convert_digest(job_of("[model]\nformat = \"int8\"\nformats = {conv1 = \"fxp8\"}\ninteger_bits = 2\n"
                              "scale = \"tensor\"\n"),
                       "model", "data"),
        sha256_hex("flipstorm convert 1\nmodel.format = \"int8\"\nmodel.formats = {conv1 = "
                   "\"fxp8\"}\nmodel.integer_bits = 2\nmodel.scale = \"tensor\"\nmodeldata"));
}

TEST(StageDigest, OfForestAndHardenAreWhatTheyWere)
{
    const Job job = job_of("[job]\nseed = 3\n[forest]\ntrees = 4\ntolerances = [0.01, 0.05]\n");
    EXPECT_EQ(forest_digest(job, "campaign", "model"),
              sha256_hex("flipstorm forest 2\njob.seed = 3\nforest.kind = [\"brf\"]\nforest.sampling = "
                         "\"undersample_bootstrap\"\nforest.trees = 4\nforest.folds = 10\nforest.test_share "
                         "= 0.3\nforest.tolerances = [0.01, 0.05]\nharden.tolerance = 0.01\ncampaignmodel"));
    EXPECT_EQ(
        harden_digest(job, "forest", "campaign", "model"),
        sha256_hex("flipstorm harden 2\njob.seed = 3\nharden.tolerance = 0.01\nharden.ber = "
                   "1e-09\nharden.options = [\"none\", \"sec_all\", \"sec_64\", \"sec_ded_64\", "
                   "\"sec_critical\", \"optimized\"]\nforestcampaignmodel"));
}

/// The keys that 448aa57 knew.
const std::set<std::string> kFirstKeys{"job.name",
                                       "job.seed",
                                       "job.out",
                                       "data.kind",
                                       "data.path",
                                       "data.train_images",
                                       "data.test_images",
                                       "data.mean",
                                       "data.std",
                                       "model.arch",
                                       "model.format",
                                       "model.file",
                                       "model.activation",
                                       "model.order",
                                       "model.shortcut",
                                       "train.epochs",
                                       "train.batch",
                                       "train.lr",
                                       "train.momentum",
                                       "train.weight_decay",
                                       "train.clip",
                                       "train.loss",
                                       "train.schedule",
                                       "train.augment",
                                       "train.init",
                                       "train.batch_norm",
                                       "train.checkpoint_minutes",
                                       "train.fault_aware.rule",
                                       "train.fault_aware.geometry",
                                       "train.fault_aware.images",
                                       "train.fault_aware.channels",
                                       "train.fault_aware.magnitude",
                                       "campaign.target",
                                       "campaign.scheme",
                                       "campaign.fault_model",
                                       "campaign.upset_bits",
                                       "campaign.layers",
                                       "campaign.exhaustive",
                                       "campaign.pilot",
                                       "campaign.error_margin",
                                       "campaign.confidence",
                                       "campaign.t",
                                       "campaign.evaluation",
                                       "campaign.kappa",
                                       "campaign.tau",
                                       "campaign.audit_share",
                                       "campaign.screen_bound",
                                       "campaign.backend",
                                       "campaign.tolerances",
                                       "campaign.limit",
                                       "campaign.journal_seconds",
                                       "campaign.memory_budget",
                                       "transient.rules",
                                       "transient.layers_by",
                                       "transient.geometry",
                                       "transient.channel_probability",
                                       "transient.value",
                                       "transient.magnitude",
                                       "transient.power_law",
                                       "transient.table",
                                       "transient.combine",
                                       "transient.instruction",
                                       "transient.images_per_fault",
                                       "transient.injections",
                                       "forest.kind",
                                       "forest.sampling",
                                       "forest.trees",
                                       "forest.folds",
                                       "forest.test_share",
                                       "forest.tolerances",
                                       "forest.campaign",
                                       "harden.tolerance",
                                       "harden.ber",
                                       "harden.options",
                                       "harden.forest",
                                       "device.kind",
                                       "device.threads",
                                       "device.ranks_per_gpu",
                                       "device.collectives"};

/// A key without `since` enters every digest: one that 448aa57 did not know would orphan all journals and
/// files.
TEST(StageDigest, KeysThatCameLaterSaySince)
{
    for (const KeySpec& spec : job_keys())
        EXPECT_EQ(spec.since.empty(), kFirstKeys.count(spec.name()) == 1)
            << spec.name() << ": a key that 448aa57 did not know needs .since(...) in job_keys.cpp";
}

}  // namespace
}  // namespace flipstorm
