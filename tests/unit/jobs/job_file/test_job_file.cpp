#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/error.hpp"
#include "jobs/job_file/job_file.hpp"
#include "jobs/job_file/job_print.hpp"
#include "jobs/job_file/job_rules.hpp"
#include "tests/unit/jobs/job_file/job_text_file.hpp"

namespace flipstorm
{
namespace
{

using test::JobTextFile;
using test::problems_of;
using test::read_text;

/// A sound job: one line, so that line numbers in the tests below start at 2.
const std::string kSound = "data.path = \"data\"\n";

TEST(JobFile, DefaultsAreResolved)
{
    const Job job = read_text("[data]\nkind = \"synthetic\"\n[job]\nname = \"night\"\n");
    EXPECT_EQ(job.job.name, "night");
    EXPECT_EQ(job.job.out, "out/night");
    EXPECT_EQ(job.job.seed, 1U);
    EXPECT_EQ(job.campaign.memory_budget, 2048);
    ASSERT_EQ(job.campaign.tolerances.size(), 20U);
    for (int k = 1; k <= 20; ++k)
    {
        EXPECT_EQ(job.campaign.tolerances[static_cast<std::size_t>(k - 1)], k / 200.0);
    }
    EXPECT_EQ(job.forest.tolerances, job.campaign.tolerances);
    EXPECT_EQ(job.harden.tolerance, 0.005);
    EXPECT_TRUE(job.data.mean.empty());
}

TEST(JobFile, QuantileComesFromTheConfidenceUnlessSet)
{
    // Tables of the normal distribution.
    EXPECT_NEAR(read_text(kSound + "campaign.confidence = 0.99").campaign.t, 2.575829303548901, 1e-14);
    EXPECT_NEAR(read_text(kSound + "campaign.confidence = 0.95").campaign.t, 1.959963984540054, 1e-14);
    EXPECT_NEAR(read_text(kSound + "campaign.confidence = 0.6826894921370859").campaign.t, 1.0, 1e-14);
    EXPECT_EQ(read_text(kSound + "campaign.t = 2.58").campaign.t, 2.58);
}

TEST(JobFile, EveryTypeIsRead)
{
    const Job job = read_text(R"([job]
name = "x"
seed = 9_000_000_000_000_000_000
[data]
path = '~/data sets/ü'
mean = [0.5, 1]
std = [
    0.25,
    0.5,
]
[train]
clip = 1
lr = 5e-2
[harden]
options = ["sec_all"]
)");
    EXPECT_EQ(job.job.seed, 9'000'000'000'000'000'000U);
    EXPECT_EQ(job.data.path, "~/data sets/ü");
    EXPECT_EQ(job.data.mean, (std::vector<double>{0.5, 1.0}));
    EXPECT_EQ(job.data.std, (std::vector<double>{0.25, 0.5}));
    EXPECT_EQ(job.train.clip, 1.0);
    EXPECT_EQ(job.train.lr, 0.05);
    EXPECT_EQ(job.harden.options, (std::vector<std::string>{"sec_all"}));
}

TEST(JobFile, AllProblemsAreListedAtOnceInTheOrderOfTheFile)
{
    EXPECT_EQ(
        problems_of(R"([job]
nam = "x"

[data]
path = "data"

[campain]
limit = 3

[campaign]
eror_margin = 0.01
limit = "many"
confidence = 1.5
scheme = "layerwise"
)",
                    {"forest.trees=0", "harden.bre=1e-9"}),
        "FILE:2: unknown key 'job.nam'; did you mean 'job.name'?\n"
        "FILE:7: unknown table [campain]; did you mean [campaign]?\n"
        "FILE:11: unknown key 'campaign.eror_margin'; did you mean 'campaign.error_margin'?\n"
        "FILE:12: campaign.limit must be an integer, not a string\n"
        "FILE:13: campaign.confidence = 1.5 is out of range; it must be > 0, < 1\n"
        "FILE:14: campaign.scheme = \"layerwise\" is not known; it can be \"network_wise\", \"layer_wise\", "
        "\"data_unaware\", \"data_aware\", \"iterative\", \"guided\"; did you mean \"layer_wise\"?\n"
        "--set forest.trees=0: forest.trees = 0 is out of range; it must be ≥ 1, ≤ 1000000\n"
        "--set harden.bre=1e-9: unknown key 'harden.bre'; did you mean 'harden.ber'?");
}

TEST(JobFile, UnknownNamesGetTheNearestOrTheWholeChoice)
{
    EXPECT_EQ(problems_of(kSound + "[data]\nerror_margin = 0.1\n"),
              "FILE:2:1: syntax error: table (\"data\") already exists: table defined twice, in: [data]");
    EXPECT_EQ(problems_of(kSound + "[forest]\nerror_margin = 0.1\n"),
              "FILE:3: unknown key 'forest.error_margin'; did you mean 'campaign.error_margin'?");
    EXPECT_EQ(problems_of("seed = 3\n" + kSound), "FILE:1: unknown key 'seed'; did you mean 'job.seed'?");
    EXPECT_EQ(problems_of("colour = 3\n" + kSound), "FILE:1: unknown key 'colour', outside any table");
    EXPECT_EQ(problems_of(kSound + "[device]\nwallclock = 3\n"),
              "FILE:3: unknown key 'device.wallclock'; the keys of [device] are kind, threads, "
              "ranks_per_gpu, collectives");
    EXPECT_EQ(problems_of(kSound + "[visualisation]\n"),
              "FILE:2: unknown table [visualisation]; the tables are [job], [data], [model], [train], "
              "[train.fault_aware], [campaign], [transient], [forest], [harden], [verify], [environment], "
              "[device]");
    EXPECT_EQ(problems_of(kSound + "[train.schedule.steps]\nx = 1\n"),
              "FILE:2: train.schedule must be a string, not a table");
    EXPECT_EQ(problems_of(kSound + "[[forest]]\ntrees = 1\n"),
              "FILE:2: 'forest' must be a table, not a list; write [forest]");
    EXPECT_EQ(problems_of(kSound + "job = 3\n"),
              "FILE:2: 'job' must be a table, not an integer; write [job]");
}

TEST(JobFile, SyntaxErrorsNameLineAndColumn)
{
    EXPECT_EQ(problems_of("[job]\nname = night\n"),
              "FILE:2:8: syntax error: not a value; strings need quotes, in: name = night");
    EXPECT_EQ(problems_of("data.path = /usr/share\n"),
              "FILE:1:13: syntax error: not a value; strings need quotes, in: data.path = /usr/share");
    EXPECT_EQ(problems_of("[job]\n\n  seed = 1 2\n"),
              "FILE:3:12: syntax error: invalid line format: expected newline, but got '2', in: seed = 1 2");
    EXPECT_EQ(problems_of("[job]\nseed = 1\nseed = 2\n"),
              "FILE:3:8: syntax error: value (\"seed\") already exists: value defined twice, in: seed = 2");
    EXPECT_EQ(problems_of("x = [1,\n 2\n y = 3\n"),
              "FILE:3:2: syntax error: missing array separator `,` after a value: should be `,`, in: y = 3");
    EXPECT_EQ(problems_of("[job]\nseed\n", {"forest.trees=none"}),
              "FILE:2:5: syntax error: missing key-value separator `=`: should be `=`, in: seed\n"
              "--set forest.trees=none: forest.trees must be an integer, not 'none'");
    EXPECT_EQ(problems_of("[job\n").substr(0, 24), "FILE:1:1: syntax error: ");
}

TEST(JobFile, WrongTypesAreNamed)
{
    EXPECT_EQ(problems_of(kSound + "job.name = 3"), "FILE:2: job.name must be a string, not an integer");
    EXPECT_EQ(problems_of(kSound + "forest.trees = 3.0"),
              "FILE:2: forest.trees must be an integer, not a number with a fraction");
    EXPECT_EQ(problems_of(kSound + "job.seed = true"), "FILE:2: job.seed must be an integer, not a boolean");
    EXPECT_EQ(problems_of(kSound + "train.lr = 1979-05-27"),
              "FILE:2: train.lr must be a number, not a date or time");
    EXPECT_EQ(problems_of(kSound + "harden.ber = [1e-9]"),
              "FILE:2: harden.ber must be a number, not a list with a number with a fraction");
    EXPECT_EQ(problems_of(kSound + "campaign.tolerances = 0.1"),
              "FILE:2: campaign.tolerances must be a list of numbers, not a number with a fraction");
    EXPECT_EQ(problems_of(kSound + "campaign.tolerances = [0.1, 'a']"),
              "FILE:2: campaign.tolerances must be a list of numbers, not a list with a number with a "
              "fraction and a string");
    EXPECT_EQ(problems_of(kSound + "campaign.exhaustive = 1"),
              "FILE:2: campaign.exhaustive must be a boolean, not an integer");
    EXPECT_EQ(problems_of(kSound + "campaign.exhaustive = 'yes'"),
              "FILE:2: campaign.exhaustive must be a boolean, not a string");
    EXPECT_EQ(problems_of(kSound + "harden.options = [1]"),
              "FILE:2: harden.options must be a list of strings, not a list with an integer");
}

TEST(JobFile, NumbersKeepTheirLimits)
{
    EXPECT_EQ(problems_of(kSound + "job.seed = -1"), "FILE:2: job.seed = -1 is out of range; it must be ≥ 0");
    EXPECT_EQ(problems_of(kSound + "job.seed = 99999999999999999999"),
              "FILE:2: job.seed does not fit a 64-bit integer");
    EXPECT_EQ(problems_of(kSound + "train.lr = nan"), "FILE:2: train.lr = nan is not a finite number");
    EXPECT_EQ(problems_of(kSound + "train.lr = -inf"), "FILE:2: train.lr = -inf is not a finite number");
    EXPECT_EQ(problems_of(kSound + "train.lr = 0"),
              "FILE:2: train.lr = 0 is out of range; it must be > 0, ≤ 1000");
    EXPECT_EQ(problems_of(kSound + "train.momentum = 1"),
              "FILE:2: train.momentum = 1 is out of range; it must be ≥ 0, < 1");
    EXPECT_EQ(problems_of(kSound + "train.epochs = 0"),
              "FILE:2: train.epochs = 0 is out of range; it must be ≥ 1, ≤ 1000000");
    for (const std::string key : {"kappa", "tau"})
    {
        EXPECT_EQ(problems_of(kSound + "campaign." + key + " = 0"),
                  "FILE:2: campaign." + key + " = 0 is out of range; it must be > 0, ≤ 1000000");
    }
    for (const std::string key : {"audit_share", "screen_bound"})
    {
        EXPECT_EQ(problems_of(kSound + "campaign." + key + " = 1.5"),
                  "FILE:2: campaign." + key + " = 1.5 is out of range; it must be > 0, ≤ 1");
        EXPECT_EQ(problems_of(kSound + "campaign." + key + " = 0"),
                  "FILE:2: campaign." + key + " = 0 is out of range; it must be > 0, ≤ 1");
        EXPECT_EQ(problems_of(kSound + "campaign." + key + " = 1"), "");
    }
    EXPECT_EQ(problems_of(kSound + "data.mean = [0.1]\ndata.std = [0.0]"),
              "FILE:3: data.std = 0 is out of range; it must be > 0, ≤ 1000");
    // toml11 turns a number beyond the range of double into the largest double.
    EXPECT_NE(problems_of(kSound + "train.clip = 1e400"), "");
}

TEST(JobFile, ListsAreNotEmptyAndTolerancesIncrease)
{
    EXPECT_EQ(problems_of(kSound + "campaign.tolerances = []"),
              "FILE:2: campaign.tolerances is an empty list; it needs at least one entry");
    EXPECT_EQ(problems_of(kSound + "harden.options = []"),
              "FILE:2: harden.options is an empty list; it needs at least one entry");
    EXPECT_EQ(problems_of(kSound + "campaign.tolerances = [0.1, 0.05, 0.05]"),
              "FILE:2: campaign.tolerances must increase, but 0.05 comes after 0.1\n"
              "FILE:2: campaign.tolerances must increase, but 0.05 comes after 0.05");
    EXPECT_EQ(problems_of(kSound + "campaign.tolerances = [0.1,\n 1.5]"),
              "FILE:2: campaign.tolerances = 1.5 is out of range; it must be ≥ 0, < 1");
    EXPECT_EQ(problems_of(kSound + "harden.options = ['none', 'none']"),
              "FILE:2: harden.options names \"none\" twice");
    EXPECT_EQ(problems_of(kSound + "harden.options = ['none', 'sec_crit']"),
              "FILE:2: harden.options = \"sec_crit\" is not known; it can be \"none\", \"sec_all\", "
              "\"sec_64\", \"sec_ded_64\", \"sec_critical\", \"optimized\"; "
              "did you mean \"sec_critical\"?");
    EXPECT_EQ(problems_of(kSound + "data.mean = []\ndata.std = []"), "");
}

TEST(JobFile, RulesBetweenKeys)
{
    EXPECT_EQ(problems_of("[data]\nkind = \"idx\"\n"),
              "FILE:2: data.path is missing; data.kind = \"idx\" needs the folder of the data set");
    EXPECT_EQ(problems_of("[job]\nname = \"x\"\n"),
              "FILE: data.path is missing; data.kind = \"idx\" needs the folder of the data set");
    EXPECT_EQ(problems_of("data.path = 3"), "FILE:1: data.path must be a string, not an integer");
    EXPECT_EQ(problems_of("forest.campaign = 'elsewhere/campaign.h5'"), "");
    EXPECT_EQ(
        problems_of(kSound + "data.labels = \"coarse\""),
        "FILE:2: data.labels = \"coarse\" is for data.kind = \"cifar100\"; \"idx\" has labels of one kind "
        "only");
    EXPECT_EQ(problems_of(kSound + "data.labels = \"coarse\"\ndata.kind = \"cifar100\""), "");
    EXPECT_EQ(problems_of(kSound + "data.mean = [0.1, 0.2]\ndata.std = [0.1]"),
              "FILE:3: data.mean has 2 and data.std 1 entries; give one per channel for both");
    EXPECT_EQ(problems_of(kSound + "data.mean = [0.1]"),
              "FILE:2: data.mean has 1 and data.std 0 entries; give one per channel for both");
    EXPECT_EQ(problems_of(kSound + "campaign.backend = 'native'\ndevice.kind = 'cuda'"),
              "FILE:2: campaign.backend = \"native\" computes on the CPU, but device.kind is \"cuda\"; use "
              "\"libtorch\" or \"auto\"");
    EXPECT_EQ(problems_of(kSound + "campaign.backend = 'native'\ndevice.kind = 'cpu'"), "");
    EXPECT_EQ(problems_of(kSound + "harden.tolerance = 0.033"),
              "FILE:2: harden.tolerance = 0.033 is none of forest.tolerances; the nearest is 0.035");
    EXPECT_EQ(problems_of(kSound + "harden.tolerance = 0.02\ncampaign.tolerances = [0.01, 0.02]"), "");
    EXPECT_EQ(problems_of(kSound + "harden.tolerance = 0.02\nforest.tolerances = [0.01]"),
              "FILE:2: harden.tolerance = 0.02 is none of forest.tolerances; the nearest is 0.01");
    EXPECT_EQ(
        problems_of(kSound + "forest.tolerances = [0.2]"),
        "FILE:2: forest.tolerances goes up to 0.2, but the campaign stops judging a fault beyond the last of "
        "campaign.tolerances, 0.1");
    for (const std::string name : {"", "a/b", ".hidden", "-x", "a b", "ü"})
    {
        EXPECT_EQ(problems_of(kSound + "job.name = '" + name + "'").find("FILE:2: job.name = "), 0U) << name;
    }
}

TEST(JobFile, TheSmallestToleranceOfTheForestIsTheDefaultToProtect)
{
    EXPECT_EQ(read_text(kSound + "campaign.tolerances = [0.02, 0.05]").harden.tolerance, 0.02);
    EXPECT_EQ(read_text(kSound + "forest.tolerances = [0.03, 0.05]").harden.tolerance, 0.03);
    EXPECT_EQ(read_text(kSound + "campaign.tolerances = [0.0, 0.05]").harden.tolerance, 0.0);
}

TEST(JobFile, TheShortcutIsTheUsualOneOfTheArchitectureUnlessSet)
{
    EXPECT_EQ(read_text(kSound).model.shortcut, "option-a");
    EXPECT_EQ(read_text(kSound + "model.arch = 'resnet20'").model.shortcut, "option-a");
    EXPECT_EQ(read_text(kSound + "model.arch = 'resnet18'").model.shortcut, "projection");
    EXPECT_EQ(read_text(kSound + "model.arch = 'resnet18'\nmodel.shortcut = 'option-a'").model.shortcut,
              "option-a");
    EXPECT_EQ(problems_of(kSound + "model.shortcut = ''").find("FILE:2: model.shortcut = \"\" is not known"),
              0U);
}

TEST(JobFile, KeysOfThePlan)
{
    const Job job = read_text(kSound + "campaign.exhaustive = true\ncampaign.layers = ['fc1', 'fc2']");
    EXPECT_TRUE(job.campaign.exhaustive);
    EXPECT_EQ(job.campaign.layers, (std::vector<std::string>{"fc1", "fc2"}));
    EXPECT_TRUE(read_text(kSound, {"campaign.exhaustive=true"}).campaign.exhaustive);
    EXPECT_EQ(problems_of(kSound + "campaign.upset_bits = 1"),
              "FILE:2: campaign.upset_bits = 1 is out of range; it must be ≥ 2, ≤ 32");
    EXPECT_EQ(problems_of(kSound + "campaign.layers = ['fc1', 'fc1']"),
              "FILE:2: campaign.layers names \"fc1\" twice");
    EXPECT_EQ(problems_of(kSound + "campaign.scheme = 'iterative'\ncampaign.exhaustive = true"),
              "FILE:3: campaign.exhaustive injects every fault, but campaign.scheme = \"iterative\" stops at "
              "the error margin; take another scheme");
}

TEST(JobFile, EveryChoiceIsTaken)
{
    struct Case
    {
        std::string key;
        std::vector<std::string> choices;
    };
    const std::vector<Case> cases = {
        {"data.kind", {"idx", "cifar10", "cifar100", "synthetic"}},
        {"model.arch", {"lenet5", "resnet8", "resnet18", "resnet20", "resnet32", "resnet44", "resnet56"}},
        {"model.format", {"fp32", "fp16", "bf16", "fp8_e4m3", "fp8_e5m2", "fxp32", "fxp16", "fxp8", "int8"}},
        {"model.scale", {"channel"}},
        {"model.activation", {"relu", "relu6"}},
        {"model.order", {"conv-norm-act", "conv-act-norm"}},
        {"model.shortcut", {"option-a", "projection"}},
        {"train.loss", {"cross_entropy", "bce"}},
        {"train.augment", {"none", "crop_flip"}},
        {"train.init", {"default", "kaiming_normal"}},
        {"train.batch_norm", {"synchronised", "local"}},
        {"train.fault_aware.rule", {"none", "paper", "diehardnet"}},
        {"campaign.target", {"weights", "feature_maps", "instructions"}},
        {"campaign.scheme",
         {"network_wise", "layer_wise", "data_unaware", "data_aware", "iterative", "guided"}},
        {"campaign.fault_model",
         {"bit_flip", "stuck_at", "stuck_at_0", "stuck_at_1", "adjacent_bits", "random_bits"}},
        {"campaign.evaluation", {"screened", "exact", "reference"}},
        {"campaign.backend", {"auto", "native", "libtorch"}},
    };
    for (const Case& each : cases)
    {
        for (const std::string& value : each.choices)
        {
            EXPECT_EQ(problems_of(kSound + each.key + " = '" + value + "'"), "");
        }
    }
    EXPECT_EQ(problems_of(kSound + "device.kind = 'cuda'"), "");
}

TEST(JobFile, ATableOfFormats)
{
    const StringTable want{{"conv1", "fxp16"}, {"layer1.0.conv1", "fxp8"}};
    const std::string sound = kSound + "model.format = 'fxp8'\n";
    EXPECT_EQ(
        read_text(sound + "[model.formats]\nconv1 = 'fxp16'\n'layer1.0.conv1' = \"fxp8\"").model.formats,
        want);
    EXPECT_EQ(
        read_text(sound + "model.formats = {conv1 = 'fxp16', \"layer1.0.conv1\" = 'fxp8'}").model.formats,
        want);
    EXPECT_EQ(read_text(sound + "model.formats.conv1 = 'fxp16'").model.formats,
              (StringTable{{"conv1", "fxp16"}}));
    EXPECT_EQ(read_text(sound + "model.formats = {}").model.formats, StringTable{});
    EXPECT_EQ(problems_of(kSound + "[model.formats]\nfc1 = 'fp32'\nconv1 = 'fxp12'\nconv2 = 8"),
              "FILE:4: model.formats.conv1 = \"fxp12\" is not known; it can be \"fp32\", \"fp16\", \"bf16\", "
              "\"fp8_e4m3\", \"fp8_e5m2\", \"fxp32\", \"fxp16\", \"fxp8\", \"int8\"; did you mean "
              "\"fxp32\"?\n"
              "FILE:5: model.formats.conv2 must be a string, not an integer");
    EXPECT_EQ(problems_of(kSound + "[model.formats]\nconv1 = 'int32'")
                  .find("FILE:3: model.formats.conv1 = "
                        "\"int32\" is not known"),
              0U)
        << "a format of biases alone";
    EXPECT_EQ(
        problems_of(kSound + "[model.formats]\nlayer1.0.conv1 = 'fp16'"),
        "FILE:3: model.formats.layer1 must be a string, not a table; a name with dots stands in quotes");
    EXPECT_EQ(problems_of(kSound + "model.formats = 'fp16'"),
              "FILE:2: model.formats must be a table of strings, not a string");
    EXPECT_EQ(problems_of(kSound + "[model.format]\nconv1 = 'fp16'"),
              "FILE:2: model.format must be a string, not a table");
}

TEST(JobFile, KeysOfNumberFormatsGoWithTheirFormats)
{
    EXPECT_EQ(
        problems_of(kSound + "model.integer_bits = 2"),
        "FILE:2: model.integer_bits = 2 is for fixed point, \"fxp32\", \"fxp16\" or \"fxp8\"; model.format "
        "is \"fp32\"");
    EXPECT_EQ(problems_of(kSound + "model.scale = 'tensor'\nmodel.format = 'fxp8'"),
              "FILE:2: model.scale = \"tensor\" is for \"int8\"; model.format is \"fxp8\"");
    EXPECT_EQ(problems_of(kSound + "model.integer_bits = 2\nmodel.format = 'fxp16'"), "");
    EXPECT_EQ(
        problems_of(kSound + "model.integer_bits = 2\nmodel.format = 'int8'\nmodel.formats.conv1 = 'fxp8'"),
        "");
    EXPECT_EQ(problems_of(kSound + "model.scale = 'tensor'\nmodel.format = 'int8'"), "");
    EXPECT_EQ(problems_of(kSound + "model.integer_bits = 33\nmodel.format = 'fxp16'"),
              "FILE:2: model.integer_bits = 33 is out of range; it must be ≥ 1, ≤ 32");
}

TEST(JobFile, ATableInATable)
{
    const Job job = read_text(kSound + "[train]\nepochs = 3\n[train.fault_aware]\nrule = 'paper'\nimages = 1",
                              {"train.fault_aware.channels=0.5"});
    EXPECT_EQ(job.train.epochs, 3);
    EXPECT_EQ(job.fault_aware.rule, "paper");
    EXPECT_EQ(job.fault_aware.images, 1.0);
    EXPECT_EQ(job.fault_aware.channels, 0.5);
    EXPECT_EQ(problems_of(kSound + "[train.fault_aware]\nrul = 'paper'"),
              "FILE:3: unknown key 'train.fault_aware.rul'; did you mean 'train.fault_aware.rule'?");
    EXPECT_EQ(problems_of(kSound + "[train.fault_aware]\nimages = 2"),
              "FILE:3: train.fault_aware.images = 2 is out of range; it must be ≥ 0, ≤ 1");
    EXPECT_EQ(problems_of(kSound + "[train]\nfault_aware = true"),
              "FILE:3: 'train.fault_aware' must be a table, not a boolean; write [train.fault_aware]");
    EXPECT_EQ(problems_of(kSound, {"train.fault_aware.rul=paper"}),
              "--set train.fault_aware.rul=paper: unknown key 'train.fault_aware.rul'; did you mean "
              "'train.fault_aware.rule'?");
    EXPECT_EQ(problems_of(kSound, {"train.fault_aware.geometry=square"})
                  .find("--set train.fault_aware.geometry=square: train.fault_aware.geometry = \"square\" is "
                        "not known"),
              0U);
}

TEST(JobOverride, ReplacesTheFileAndTheLastCounts)
{
    const Job job = read_text(
        kSound + "campaign.limit = 5",
        {"campaign.limit=100", "job.name=\"x\"", "campaign.tolerances=[0.01,0.05]", " data.path = a=b c ",
         "harden.options=[none, sec_all]", "train.lr=1", "job.seed=2", "job.seed=3", "job.out="});
    EXPECT_EQ(job.campaign.limit, 100);
    EXPECT_EQ(job.job.name, "x");
    EXPECT_EQ(job.job.out, "out/x");
    EXPECT_EQ(job.campaign.tolerances, (std::vector<double>{0.01, 0.05}));
    EXPECT_EQ(job.data.path, "a=b c");
    EXPECT_EQ(job.harden.options, (std::vector<std::string>{"none", "sec_all"}));
    EXPECT_EQ(job.train.lr, 1.0);
    EXPECT_EQ(job.job.seed, 3U);
    EXPECT_EQ(read_text(kSound, {"job.name=bare-word"}).job.name, "bare-word");
    EXPECT_EQ(read_text(kSound, {"harden.options=[\"none\"]"}).harden.options,
              (std::vector<std::string>{"none"}));
    EXPECT_EQ(read_text("", {"data.kind=synthetic"}).data.kind, "synthetic");
}

TEST(JobOverride, HoursBetweenWritingsNeedARate)
{
    EXPECT_NE(problems_of(kSound, {"environment.scrub_hours=12"}).find("environment.fit_per_mbit"),
              std::string::npos);
    EXPECT_EQ(read_text(kSound, {"environment.scrub_hours=12", "environment.fit_per_mbit=600"})
                  .environment.scrub_hours,
              12);
}

TEST(JobOverride, AnEntryOfATableLeavesTheOthers)
{
    const std::string job = kSound + "model.format = 'fxp8'\nmodel.formats = {fc1 = 'fxp32', conv1 = 'fxp8'}";
    const StringTable want{{"fc1", "fxp32"}, {"conv1", "fxp16"}, {"layer1.0.conv1", "fxp16"}};
    EXPECT_EQ(
        read_text(job, {"model.formats.conv1=fxp16", "model.formats.layer1.0.conv1=\"fxp16\""}).model.formats,
        want);
    EXPECT_EQ(read_text(job, {"model.formats.\"conv1\"=fxp16", "model.formats.'layer1.0.conv1' = fxp16"})
                  .model.formats,
              want);
    const StringTable two{{"fc2", "fxp8"}, {"layer1.0.conv1", "fxp16"}};
    EXPECT_EQ(read_text(job, {"model.formats={fc2=\"fxp8\", \"layer1.0.conv1\"='fxp16'}"}).model.formats,
              two);
    EXPECT_EQ(read_text(job, {"model.formats={fc2=fxp8, layer1.0.conv1 = fxp16}"}).model.formats, two);
    EXPECT_EQ(read_text(job, {"model.formats={}"}).model.formats, StringTable{});
}

TEST(JobOverride, ProblemsNameTheOverride)
{
    EXPECT_EQ(problems_of(kSound, {"campaign.limit"}),
              "--set campaign.limit: an override is written table.key=value");
    EXPECT_EQ(problems_of(kSound, {"campaign.limit=abc"}),
              "--set campaign.limit=abc: campaign.limit must be an integer, not 'abc'");
    EXPECT_EQ(problems_of(kSound, {"campaign.limit="}),
              "--set campaign.limit=: campaign.limit must be an integer, not ''");
    EXPECT_EQ(problems_of(kSound, {"campaign.limit=1\njob.seed=2"}).find("--set campaign.limit=1"), 0U);
    EXPECT_EQ(problems_of(kSound, {"campaign.limit=1.5"}),
              "--set campaign.limit=1.5: campaign.limit must be an integer, not a number with a fraction");
    EXPECT_EQ(problems_of(kSound, {"campaign.limt=5"}),
              "--set campaign.limt=5: unknown key 'campaign.limt'; did you mean 'campaign.limit'?");
    EXPECT_EQ(problems_of(kSound, {"seed=5"}), "--set seed=5: unknown key 'seed'; did you mean 'job.seed'?");
    EXPECT_EQ(problems_of(kSound, {"model.format=fp12"})
                  .find("--set model.format=fp12: model.format = \"fp12\" is not known"),
              0U);
    EXPECT_EQ(problems_of(kSound, {"model.formats.conv1=fp12"})
                  .find("--set model.formats.conv1=fp12: model.formats.conv1 = \"fp12\" is not known"),
              0U);
    EXPECT_EQ(problems_of(kSound, {"model.formats.conv1='fp16"}),
              "--set model.formats.conv1='fp16: model.formats.conv1 must be a string, not ''fp16'");
    EXPECT_EQ(problems_of(kSound, {"model.formats=fp16"}),
              "--set model.formats=fp16: model.formats must be a table of strings, not 'fp16'");
    EXPECT_EQ(problems_of(kSound, {"model.formats={conv1}"}),
              "--set model.formats={conv1}: model.formats must be a table of strings, not '{conv1}'");
    EXPECT_EQ(problems_of(kSound, {"model.formats.=fp16"}),
              "--set model.formats.=fp16: model.formats has an entry without a name");
    EXPECT_EQ(problems_of(kSound, {"data.kind=cifar"}).find("--set data.kind=cifar: data.kind = \"cifar\""),
              0U);
    EXPECT_EQ(problems_of(kSound, {"harden.tolerance=0.5"}),
              "--set harden.tolerance=0.5: harden.tolerance = 0.5 is none of forest.tolerances; the nearest "
              "is 0.1");
    EXPECT_EQ(problems_of(kSound, {"job.name=\"x"}),
              "--set job.name=\"x: job.name must be a string, not '\"x'");
    EXPECT_EQ(problems_of(kSound, {"job.name=\xff"}),
              "--set job.name=\xff: an override is written table.key=value");
}

TEST(JobOverride, ItsLengthAndDepthAreBounded)
{
    EXPECT_NE(problems_of(kSound, {"campaign.tolerances=" + std::string(8000, '[')})
                  .find("nested more than 32 deep"),
              std::string::npos);
    EXPECT_LT(problems_of(kSound, {"job.name=" + std::string(100000, '\"')}).size(), 400U);
    EXPECT_NE(problems_of(kSound, {std::string(1000, 'k') + ".x=1"}).find("a key has more than 256 bytes"),
              std::string::npos);
}

TEST(JobFile, FilesThatAreNoJobFiles)
{
    EXPECT_EQ(problems_of(""),
              "FILE: data.path is missing; data.kind = \"idx\" needs the folder of the data set");
    EXPECT_EQ(problems_of(std::string("[job]\nname = \"\0\"\n", 17)),
              "FILE:2: not a job file: it holds bytes that are not UTF-8 text");
    EXPECT_EQ(problems_of("\x89HDF\r\n\x1a\n"),
              "FILE:1: not a job file: it holds bytes that are not UTF-8 text");
    EXPECT_EQ(problems_of("# caf\xe9\n"), "FILE:1: not a job file: it holds bytes that are not UTF-8 text");
    EXPECT_EQ(problems_of("\xef\xbb\xbf" + kSound), "");
    EXPECT_EQ(problems_of("data.path = \"d\"\r\n"), "");
    EXPECT_EQ(problems_of("data.path = \"d\""), "");
    const auto message = [](const std::filesystem::path& path) {
        try
        {
            static_cast<void>(read_job(path));
        }
        catch (const JobError& error)
        {
            return std::string(error.what());
        }
        return std::string();
    };
    EXPECT_EQ(message("no/such.toml"), "job file: cannot open 'no/such.toml': No such file or directory");
    EXPECT_EQ(message("/"), "job file: cannot read '/': it is a folder, not a file");
}

TEST(JobFile, TextsThatWouldKeepTheParserBusyAreRefusedBefore)
{
    EXPECT_EQ(problems_of("[job]\nname = " + std::string(8000, '[') + std::string(8000, ']')),
              "FILE:2: lists and tables are nested more than 32 deep");
    EXPECT_EQ(problems_of("[job]\n" + std::string(1000000, 'k') + " = 1\n"),
              "FILE:2: a key has more than 256 bytes");
    std::string list = "[campaign]\ntolerances = [\n";
    for (int i = 0; i < 100000; ++i)
        list += "0.5,\n";
    EXPECT_NE(problems_of(list + "]\n").find("a list has more than 10000 elements"), std::string::npos);
    EXPECT_EQ(problems_of("# " + std::string(1U << 20U, ' ') + "\n").rfind("job file: cannot read", 0), 0U);
}

TEST(JobFile, FiftyProblemsAreListed)
{
    std::string keys = kSound + "[job]\n";
    for (int i = 0; i < 3000; ++i)
        keys += "strange" + std::to_string(i) + " = 1\n";
    const std::string problems = problems_of(keys);
    EXPECT_EQ(std::count(problems.begin(), problems.end(), '\n'), 50) << problems.substr(0, 2000);
    EXPECT_NE(problems.find("FILE:52: "), std::string::npos);
    EXPECT_EQ(problems.substr(problems.rfind('\n') + 1), "… and 2950 more problems");
}

TEST(JobFile, AQuotedLineIsCut)
{
    const std::string problems = problems_of("[job]\nname = " + std::string(8000, '?') + "\n");
    EXPECT_NE(problems.find("???…"), std::string::npos) << problems;
    EXPECT_LT(problems.size(), 400U);
}

TEST(JobFile, TheExamplesAreSound)
{
    int examples = 0;
    for (const auto& entry : std::filesystem::directory_iterator(FLIPSTORM_EXAMPLE_JOBS))
    {
        if (entry.path().extension() != ".toml") continue;
        ++examples;
        const Job job = read_job(entry.path());
        EXPECT_EQ(job.job.name, entry.path().stem().string());
        EXPECT_EQ(job.job.out, "out/" + job.job.name);
    }
    EXPECT_GE(examples, 7);
}

}  // namespace
}  // namespace flipstorm
