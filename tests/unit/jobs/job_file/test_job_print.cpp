#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "engine/base/error.hpp"
#include "jobs/job_file/job_file.hpp"
#include "jobs/job_file/job_keys.hpp"
#include "jobs/job_file/job_print.hpp"
#include "jobs/job_file/job_rules.hpp"
#include "tests/unit/jobs/job_file/job_text_file.hpp"

namespace flipstorm
{
namespace
{

using test::read_text;

/// A resolved job in which no key has its default, where another value is built.
Job unusual_job()
{
    Job job;
    job.job.name = "unusual";
    job.job.seed = 9'223'372'036'854'775'806U;
    job.job.out = "with \"quotes\", \\ and\ttab\n";
    job.data.path = "C:\\d\u00e4ta \x7f";
    job.data.kind = "cifar100";
    job.data.label_offset = -3;
    job.data.labels = "coarse";
    job.data.train_images = 777;
    job.data.test_images = 77;
    job.data.mean = {1.0 / 3, -0.1};
    job.data.std = {0.1 + 0.2, 1e-300};
    job.model.arch = "resnet44";
    job.model.format = "int8";
    job.model.formats = {{"fc1", "fxp16"}, {"layer1.0.conv1", "int8"}, {"a \"b\"\t", "fxp8"}};
    job.model.integer_bits = 3;
    job.model.scale = "tensor";
    job.model.file = "'";
    job.model.activation = "relu6";
    job.model.order = "conv-act-norm";
    job.model.shortcut = "projection";
    job.train.epochs = 3;
    job.train.batch = 1;
    job.train.lr = 1e-9;
    job.train.momentum = std::nextafter(1.0, 0.0);
    job.train.weight_decay = 0;
    job.train.clip = 1e9;
    job.train.loss = "bce";
    job.train.schedule = "constant";
    job.train.augment = "crop_flip";
    job.train.init = "kaiming_normal";
    job.train.batch_norm = "local";
    job.train.checkpoint_minutes = 0.5;
    job.fault_aware = {"diehardnet", "line", 0, 1e-3, 7};
    job.campaign.target = "feature_maps";
    job.campaign.scheme = "network_wise";
    job.campaign.fault_model = "random_bits";
    job.campaign.upset_bits = 5;
    job.campaign.parameters = {"biases"};
    job.campaign.layers = {"fc1", "layer1.0.conv1"};
    job.campaign.exclude = "known/campaign.h5";
    job.campaign.ber = {1e-7, 1e-5};
    job.campaign.trials = 7;
    job.campaign.exhaustive = true;
    job.campaign.pilot = 99;
    job.campaign.error_margin = 5e-324;
    job.campaign.confidence = 0.95;
    job.campaign.evaluation = "reference";
    job.campaign.kappa = 5;
    job.campaign.tau = 0.3;
    job.campaign.audit_share = 1;
    job.campaign.screen_bound = 1e-7;
    job.campaign.backend = "libtorch";
    job.campaign.tolerances = {0, 0.1, 0.30000000000000004};
    job.campaign.limit = 12345678901;
    job.campaign.journal_seconds = 0.25;
    job.campaign.memory_budget = 1;
    job.transient.rules = "diehardnet";
    job.transient.layers_by = "macs";
    job.transient.geometry = {"random", "channel"};
    job.transient.channel_probability = {0.5, 1};
    job.transient.value = "table";
    job.transient.magnitude = 0.125;
    job.transient.power_law = "imad_big";
    job.transient.table = "errors.csv";
    job.transient.combine = "relative";
    job.transient.instruction = "warp_random_value";
    job.transient.images_per_fault = 0;
    job.transient.injections = 5;
    job.forest.kind = {"rf", "table"};
    job.forest.sampling = "stratified_bootstrap";
    job.forest.features = {"direction", "depth"};
    job.forest.trees = 7;
    job.forest.folds = 2;
    job.forest.splits = 3;
    job.forest.max_missed = 0.01;
    job.forest.max_missed_confidence = 0.9;
    job.forest.test_share = 0.25;
    job.forest.tolerances = {0.1};
    job.forest.campaign = "c.h5";
    job.forest.validate_with = "v.h5";
    job.harden.ber = 1e-12;
    job.harden.options = {"sec_critical", "none"};
    job.harden.forest = "f.h5";
    job.harden.max_overhead = 0.01;
    job.harden.max_residual = 1e-6;
    job.harden.max_change = 0.5;
    job.harden.verify = true;
    job.verify.scheme = "layer_wise";
    job.verify.error_margin = 0.02;
    job.verify.exhaustive = true;
    job.verify.limit = 9;
    job.verify.images = 10;
    job.environment.fit_per_mbit = 600;
    job.environment.multi_bit_share = 0.1;
    job.environment.scrub_hours = 2;
    job.device.kind = "cpu";
    job.device.threads = 3;
    job.device.ranks_per_gpu = 2;
    job.device.collectives = "gloo";
    resolve_job(job);
    return job;
}

/// Values of all keys, as text that tells different doubles apart.
std::vector<std::string> values_of(Job job)
{
    std::vector<std::string> values;
    for (const KeySpec& spec : job_keys())
        values.push_back(spec.name() + " = " + toml_text(spec.bind(job)));
    return values;
}

TEST(JobPrint, ReadingBackGivesTheSameJob)
{
    Job plain;
    plain.data.path = "data";
    resolve_job(plain);
    for (const Job& job : {plain, unusual_job()})
    {
        const Job from_print = read_text(print_job(job));
        EXPECT_EQ(values_of(from_print), values_of(job));
        EXPECT_EQ(from_print.data.std, job.data.std);
        EXPECT_EQ(from_print.campaign.tolerances, job.campaign.tolerances);
        EXPECT_EQ(from_print.campaign.t, job.campaign.t);
        EXPECT_EQ(from_print.campaign.error_margin, job.campaign.error_margin);
        EXPECT_EQ(from_print.job.out, job.job.out);
        EXPECT_EQ(from_print.data.path, job.data.path);
        EXPECT_EQ(canonical_job(read_text(canonical_job(job))), canonical_job(job));
    }
}

TEST(JobPrint, TheUnusualJobReallyDiffersEverywhere)
{
    Job standard;
    resolve_job(standard);
    const auto unusual = values_of(unusual_job());
    const auto usual = values_of(standard);
    for (std::size_t i = 0; i < job_keys().size(); ++i)
    {
        const KeySpec& spec = job_keys()[i];
        // Keys with one built choice, the kind of data that a path goes with, a value found by rule, what
        // another target needs, and the same in another unit.
        if (spec.choices.size() == 1 || spec.name() == "data.kind" || spec.name() == "data.std" ||
            spec.name() == "campaign.protected" || spec.name() == "campaign.fault_list" ||
            spec.name() == "environment.upsets_per_bit_day")
            continue;
        EXPECT_NE(unusual[i], usual[i]);
    }
}

TEST(JobPrint, EveryKeyIsExplained)
{
    const std::string text = print_job(unusual_job());
    for (const KeySpec& spec : job_keys())
    {
        EXPECT_NE(text.find("# " + spec.meaning), std::string::npos) << spec.name();
        EXPECT_NE(text.find("\n" + spec.key + " = "), std::string::npos) << spec.name();
    }
    EXPECT_EQ(canonical_job(unusual_job()).find('#'), std::string::npos);
}

TEST(JobPrint, NumbersAreTomlNumbers)
{
    double value = 1;
    EXPECT_EQ(toml_text(&value), "1.0");
    value = 0.1;
    EXPECT_EQ(toml_text(&value), "0.1");
    value = 1e-9;
    EXPECT_EQ(toml_text(&value), "1e-09");
    std::string text = "a\"\\\x01";
    EXPECT_EQ(toml_text(&text), "\"a\\\"\\\\\\u0001\"");
}

TEST(JobPrint, TablesAreInlineAndInOrder)
{
    StringTable table;
    EXPECT_EQ(toml_text(&table), "{}");
    table = {{"fc1", "fp16"}, {"conv1", "bf16"}, {"layer1.0.conv1", "fp32"}, {"", "fp32"}};
    EXPECT_EQ(toml_text(&table),
              "{\"\" = \"fp32\", conv1 = \"bf16\", fc1 = \"fp16\", \"layer1.0.conv1\" = \"fp32\"}");
}

TEST(CanonicalTables, HoldsTheSeedAndTheTablesAndNoPaths)
{
    const Job job = unusual_job();
    const std::string text = canonical_tables(job, {"model", "train"});
    EXPECT_EQ(text.find("job.seed = 9223372036854775806\nmodel.arch = \"resnet44\"\n"), 0U) << text;
    EXPECT_NE(text.find("train.epochs = 3\n"), std::string::npos);
    for (const std::string absent : {"job.name", "job.out", "model.file", "campaign."})
    {
        EXPECT_EQ(text.find(absent), std::string::npos) << absent;
    }
    EXPECT_EQ(canonical_tables(job, {"train", "model"}), text);
    EXPECT_THROW(static_cast<void>(canonical_tables(job, {"trane"})), Error);
}

TEST(CanonicalTables, ChangesWithWhatIsComputedOnly)
{
    const Job job = unusual_job();
    const std::string before = canonical_tables(job, job_tables());
    Job moved = job;
    moved.job.out = moved.data.path = moved.model.file = "elsewhere";
    moved.device.threads = 8;
    moved.campaign.memory_budget = 4096;
    EXPECT_EQ(canonical_tables(moved, job_tables()), before);
    Job other = job;
    other.campaign.tolerances[1] = std::nextafter(other.campaign.tolerances[1], 1.0);
    EXPECT_NE(canonical_tables(other, job_tables()), before);
}

TEST(CanonicalTables, LeavesLaterKeysOutWhereTheyAreAtTheirDefault)
{
    const Job job = unusual_job();
    const auto is_absent = [](const Job& of, const std::string& later) {
        std::vector<KeySpec> keys = job_keys();
        for (KeySpec& spec : keys)
            if (spec.name() == later) spec.since = "99.0";
        const std::string text = canonical_tables(of, job_tables(), keys);
        const bool absent = text.find(later + " = ") == std::string::npos;
        // What is not left out stands where it stood.
        EXPECT_TRUE(absent || text == canonical_tables(of, job_tables()));
        return absent;
    };
    Job standard;
    resolve_job(standard);
    // In every table that enters a digest, and of every type.
    for (const KeySpec& spec : job_keys())
    {
        if (!spec.identity) continue;
        EXPECT_TRUE(is_absent(standard, spec.name())) << spec.name();
        EXPECT_EQ(is_left_unsaid(spec, standard), !spec.since.empty())
            << spec.name() << ": a key of the first version is always said";
    }
    for (const char* const key :
         {"job.seed", "data.train_images", "data.std", "model.activation", "model.formats",
          "model.integer_bits", "model.scale", "train.lr", "train.fault_aware.images", "campaign.layers",
          "campaign.exhaustive", "transient.geometry", "forest.test_share", "harden.options", "device.kind"})
        EXPECT_FALSE(is_absent(job, key)) << key;
    // A default that follows from other keys.
    Job other = standard;
    other.campaign.tolerances = {0.1, 0.2};
    EXPECT_FALSE(is_absent(other, "forest.tolerances"));
    other.forest.tolerances = other.campaign.tolerances;
    EXPECT_TRUE(is_absent(other, "forest.tolerances"));
    EXPECT_FALSE(is_absent(other, "campaign.tolerances"));
}

TEST(DocumentKeys, HasOneRowForEveryKey)
{
    const std::string table = document_keys();
    EXPECT_EQ(table.find("<!-- job keys -->\n"), 0U);
    EXPECT_EQ(table.rfind("<!-- /job keys -->\n"), table.size() - 19);
    std::size_t rows = 0;
    std::istringstream lines(table);
    for (std::string line; std::getline(lines, line);)
    {
        if (line.rfind("| `", 0) != 0) continue;
        ASSERT_LT(rows, job_keys().size());
        EXPECT_EQ(line.find("| `" + job_keys()[rows].name() + "` | "), 0U) << line;
        EXPECT_EQ(std::count(line.begin(), line.end(), '|'), 6) << line;
        ++rows;
    }
    EXPECT_EQ(rows, job_keys().size());
    EXPECT_NE(table.find("| `campaign.error_margin` | number | `0.01` | > 0, < 1 | "), std::string::npos);
}

TEST(JobKeys, TheDefaultsAreSound)
{
    Job job;
    resolve_job(job);
    for (const KeySpec& spec : job_keys())
        EXPECT_TRUE(value_problems(spec, job).empty()) << spec.name();
}

TEST(JobKeys, ResolvingTwiceChangesNothing)
{
    Job job = unusual_job();
    resolve_job(job);
    EXPECT_EQ(values_of(job), values_of(unusual_job()));
}

}  // namespace
}  // namespace flipstorm
