#include "sample_records.hpp"

#include <unistd.h>

#include <limits>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/memory/stored_tensor.hpp"
#include "hdf5_schema/h5.hpp"
#include "hdf5_schema/seal.hpp"

namespace flipstorm
{

Provenance sample_provenance()
{
    return {"0.1.0",
            "abc",
            "2023-04-17T09:30:00Z",
            "flipstorm run Zürich.toml",
            "[job]\nname = \"x\"\n",
            "11",
            "22",
            "33",
            "44",
            7,
            ""};
}

ModelRecord sample_model()
{
    ModelRecord model;
    model.provenance = sample_provenance();
    model.arch = "lenet5";
    model.format = "fp32";
    model.input_shape = {1, 28, 28};
    model.num_classes = 10;
    model.mean = {0.25F};
    model.std_dev = {0.5F};
    model.test_accuracy = 0.875;
    model.graph = "[]";
    // Not in alphabetical order: files keep the order of writing.
    model.parameters = {{"conv.weight", {2, 1, 1, 2}, {1, 2, 3, -0.0F}}, {"a.bias", {1}, {1e-45F}}};
    model.training = {{1, 2}, {2.5, 0.5}, {0.25, 0.75}, {0.1, 0.0}, {3.5, 4}};
    return model;
}

ModelRecord sample_model_in(const FormatTraits& format)
{
    ModelRecord model = sample_model();
    model.format = format.name;
    ParameterRecord& weight = model.parameters[0];
    std::vector<float> scales;
    if (format.scaling == Scaling::power_of_two) scales = {0.0625F};
    if (format.scaling == Scaling::any) scales = {0.75F, 0.01F};
    const StoredTensor stored(weight.shape, {1, 2.25F, -3.5F, -0.0F}, format, scales);
    weight.values = stored.values();
    weight.format = format.name;
    weight.codes = stored.words();
    weight.scales = stored.scales();
    if (format.whole_numbers) model.activations = {{"input", 0.125F, format.bits}, {"conv", 0.3F, 24}};
    return model;
}

CampaignRecord sample_campaign()
{
    CampaignRecord campaign;
    CampaignHeader& header = campaign.header;
    header.provenance = sample_provenance();
    header.target = "weights";
    header.evaluation = "exact";
    header.tolerances = {0.005, 0.1};
    header.images = 3;
    header.golden_correct = 2;
    header.faults_per_second = 10.5;
    header.wall_seconds = 0.25;
    header.layers = {{"conv1", "fc"}, {8, 6}, {2, 3}, {1, 2}, {32, 32}, {1, 0}};
    header.fault_model = "stuck_at";
    header.strata = {{0, -1}, {-1, 5}, {256, 192}, {100, 50}, {2, 3}};
    header.golden = {{0, 1, 2}, {0, 1, 1}, {0.5F, 1.5F, 2.5F}};
    header.screen = {8, 0.1, 0.96, 15, 5, 1, 0, 0.95, {}};
    header.screen.trials = {{0, 1, 1}, {0, 0, 3}, {8, 8, 0}, {0.1, 0.1, 0}, {0.5, 0.5, 0}, {9, 6, 6},
                            {5, 4, 0}, {1, 2, 0}, {0, 2, 0}, {0.95, 1, 0},  {1, 0, 1}};
    campaign.faults = {{0, 0, 1, 1, 1},
                       {0, 0, 1, 1, 1},
                       {0, 7, 1, 2, 5},
                       {0, 1, 0, 1, 2},
                       {0, 0, 1, 0, 1},
                       {31, 30, 5, 5, 5},
                       {0, 1, 0, 1, 0},
                       {1, 2, 3, 4, 5},
                       {-1, std::numeric_limits<float>::infinity(), 3, 4, 5},
                       {1U << 31U, 1U << 30U, 32, 32, 32},
                       {1, 2, 1, 1, 2}};
    campaign.outcomes = {{3, 3, 3, 3, 2}, {2, 0, 2, 2, 0}, {0, 3, 0, 0, 2},
                         {0, 3, 0, 0, 0}, {0, 0, 0, 0, 1}, {0, 2.0 / 3, 0, 0, 1.0 / 3}};
    return campaign;
}

ForestRecord sample_forest()
{
    ForestRecord forest;
    forest.provenance = sample_provenance();
    forest.campaign_sha256 = "55";
    forest.kind = "brf";
    forest.sampling = "undersample_bootstrap";
    forest.trees = 2;
    forest.folds = 3;
    forest.test_share = 0.3;
    forest.features = {"sign", "bit"};
    forest.splits = 2;
    const auto scores = [](double auc) {
        return ScoreRecord{auc, auc / 2, auc / 3, auc / 4, auc / 5, auc / 6};
    };
    ToleranceRecord trained;
    trained.tolerance = 0.005;
    trained.trained = true;
    trained.rows = 100;
    trained.critical = 7;
    trained.folds = {scores(0.9), scores(0.8), scores(1.0)};
    trained.grouped_folds = {scores(0.7), scores(0.6), {}};
    trained.splits = {scores(0.95), scores(0.85)};
    trained.confusion = {90, 3, 1, 6};
    trained.importance = {0.25, 0.75};
    trained.importance_error = {0.01, 0.02};
    LevelCounts& levels = trained.levels;
    levels.acceptable.assign(kCriticalityLevels, 3);
    levels.critical.assign(kCriticalityLevels, 1);
    levels.acceptable_weight.assign(kCriticalityLevels, 0.003);
    levels.critical_weight.assign(kCriticalityLevels, 0.0009);
    levels.acceptable_squares.assign(kCriticalityLevels, 3e-6);
    levels.critical_squares.assign(kCriticalityLevels, 8.1e-7);
    trained.trees = {{0, 3, 4},       {1, -1, -1, -1}, {22.5F, 0, 0, 0},
                     {1, -1, -1, -1}, {2, -1, -1, -1}, {0.5F, 0, 1, 0.5F}};
    ToleranceRecord untrained;
    untrained.tolerance = 0.1;
    untrained.rows = 100;
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
    untrained.folds.resize(3);
    untrained.grouped_folds.resize(3);
    untrained.splits.resize(2);
    untrained.confusion = {kNaN, kNaN, kNaN, kNaN};
    untrained.importance = {kNaN, kNaN};
    untrained.importance_error = {kNaN, kNaN};
    untrained.levels = trained.levels;
    ToleranceRecord second = trained;
    second.tolerance = 0.2;
    forest.tolerances = {trained, untrained, second};
    forest.tolerance = 0.005;
    forest.roc = {{0, 0.5, 1}, {0, 0.9, 1}, {std::numeric_limits<double>::infinity(), 0.5, 0}};
    ToleranceRecord other = trained;
    other.trees = {};
    other.folds[0] = scores(0.65);
    forest.compare = {{"table", {other, untrained, other}}};
    forest.compare[0].tolerances[2].tolerance = 0.2;
    forest.criticality = {{"fc", 2, 3, {0, 1, 2, 253, 254, 255}, {1, 1, 0, 253, 254, 254}},
                          {"conv1", 1, 3, {9, 8, 7}, {9, 255, 7}}};
    forest.threshold = 0.25;
    forest.permutation_importance = {0.1, 0.11, 0.09, 0.3, -0.01, 0.29};
    for (std::size_t level = 0; level < kCriticalityLevels; ++level)
    {
        forest.calibration.probability.push_back(static_cast<double>(level) / 300);
        forest.calibration.low.push_back(static_cast<double>(level) / 400);
        forest.calibration.high.push_back(static_cast<double>(level) / 255);
    }
    forest.validation = {"77", 40, 3, 0.25, {}, trained.levels};
    forest.validation.scores = {{"auc", 0.95, 0.9, 0.97, 0.92}, {"precision", kNaN, kNaN, kNaN, 0.5}};
    return forest;
}

ProtectionRecord sample_protection()
{
    ProtectionRecord protection;
    protection.provenance = sample_provenance();
    protection.forest_sha256 = "66";
    protection.tolerance = 0.005;
    protection.ber = 1e-9;
    protection.word_bits = 32;
    protection.options = {
        {"none", std::numeric_limits<double>::quiet_NaN(), 0, 0, 0, 0, 0, 0, 0.02, 0.03, true, 0.025, 0.04,
         0.05},
        {"sec_critical", 0.5, 0.5, 60, 10, 9.375, 3.125, 12.5, 0.001, 0, true, 0, 0, 0.002}};
    protection.plan = {{"fc", 10, 32, {"equal bits", 0x40000000, 0}, 0, 12.5, 0.25, 0, 0},
                       {"conv1",
                        8,
                        8,
                        {"Hamming SEC of 7 bits of 8 words in their words", 0, 0, CodeKind::hamming_sec, 0xBF,
                         8, 0x40, OnDetected::keep, 0x40},
                        0,
                        3,
                        0,
                        0.001,
                        20}};
    protection.front = {{0, 0, 0.01}, {12, 3.125, 0.0005}};
    protection.signature_sizes = {{"raw", 18, 8, 60, 0.5, 12.5}, {"channels", 2, 8, 108, 1, 20}};
    protection.fit_per_mbit = 600;
    protection.multi_bit_share = 0.1;
    protection.scrub_hours = 24;
    protection.chosen = 1;
    protection.overhead = {18.75, 9.375, 3.125, 33.333};
    protection.signature = {{"fc", {1, 0, 0, 0, 0, 0, 0, 1, 1, 0}}, {"conv1", {}}};
    return protection;
}

ProtectedRecord sample_protected()
{
    ProtectedRecord memory;
    memory.provenance = sample_provenance();
    memory.protection_sha256 = "77";
    memory.scheme = "optimized";
    memory.plan = {{"fc", 3, 32, {"equal bits", 0x40000000, 0}, 0, 1, 0, 0, 0},
                   {"conv1", 9, 8, {"sec", 0, 0, CodeKind::hamming_sec, 0xC0, 5}, 10, 1, 0, 0, 1},
                   {"conv2",
                    9,
                    8,
                    {"in words", 0, 0, CodeKind::hamming_sec, 0xBF, 8, 0x40, OnDetected::keep, 0x40},
                    0,
                    1,
                    0,
                    0,
                    1}};
    memory.plan[2].weights = 16;
    memory.plan[1].extra_bits = 2 * 4;
    memory.layers = {protect(memory.plan[0], {0x3F800000, 0xBF000000, 0}),
                     protect(memory.plan[1], {1, 2, 3, 0xFF, 0x80, 6, 7, 8, 9}),
                     protect(memory.plan[2], {1, 2, 3, 0xFF, 0xC0, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})};
    return memory;
}

MemoryRecord sample_memory()
{
    MemoryRecord memory;
    memory.provenance = sample_provenance();
    memory.memory_sha256 = "78";
    memory.images = 100;
    memory.golden_correct = {90, 89};
    memory.bits = {1000, 1100};
    memory.adjacent_share = 0.25;
    memory.ber = {1e-6, 1e-3};
    memory.trials = {{0, 1, 1}, {0, 0, 1}, {0, 2, 1},    {0, 0, 1},
                     {0, 0, 0}, {0, 2, 0}, {90, 10, 89}, {0, 5, 0}};
    return memory;
}

CampaignRecord sample_protected_campaign()
{
    CampaignRecord campaign = sample_campaign();
    campaign.header.target = "protected";
    campaign.header.memory_sha256 = "78";
    for (std::size_t i = 0; i < campaign.faults.size(); ++i)
    {
        campaign.faults.region.push_back(static_cast<std::uint8_t>(i % 2));
        campaign.outcomes.changed.push_back(static_cast<std::uint32_t>(i));
        campaign.outcomes.detected.push_back(static_cast<std::uint8_t>(i % 2));
        campaign.outcomes.corrected.push_back(static_cast<std::uint8_t>((i + 1) % 2));
    }
    return campaign;
}

ComparisonRecord sample_comparison()
{
    ComparisonRecord comparison;
    comparison.provenance = sample_provenance();
    comparison.device = "cpu";
    comparison.threads = 2;
    comparison.batch = 200;
    VariantResult first;
    first.name = "baseline";
    first.arch = "lenet5";
    first.format = "fp32";
    first.weights = 61470;
    first.test_accuracy = 0.9;
    first.mean_weight = -0.001;
    first.mean_magnitude = 0.02;
    first.seconds_per_image = 1e-4;
    first.target = "feature_maps";
    first.faults = 12;
    first.images = 1000;
    first.clean_accuracy = 0.91;
    first.noisy_accuracy = 0.81;
    first.regret = {0.1, 0.09, 0.12};
    first.critical_sdc = {0.15, 0.13, 0.18};
    VariantResult second = first;
    second.name = "β";
    second.changes = "model.activation = \"relu6\"; train.epochs = 3";
    second.tolerance = 0.005;
    second.critical_bits = {0.01, 0.008, 0.013};
    second.scheme = "sec_critical";
    second.protection_overhead = 12.5;
    second.full_overhead = 18.75;
    second.residual = 0.0001;
    comparison.variants = {first, second};
    comparison.fault_models = {{1, "line", 6, {0.2, 0.1, 0.3}, {0.25, 0.2, 0.35}}};
    comparison.variants[0].data = "fashion-mnist";
    comparison.tolerances = {{1, 0.005, 200, 3, {0.015, 0.005, 0.04}, {0.012, 0.004, 0.03}}};
    comparison.forests = {
        {0, "rf", 0.01, 0.99, 0.98, std::numeric_limits<double>::quiet_NaN(), 97, 2, 0.25, 0.75}};
    comparison.overheads = {{1, "brf", 8, 0.005, 50, 0.5, 12.5, 74}};
    comparison.weights = {{-1.0, 0.0, 0.5}, {{1, 2}, {3, 4}}};
    return comparison;
}

void write_whole(const std::filesystem::path& file, const CampaignRecord& campaign)
{
    write_campaign(file, campaign.header, campaign.faults, campaign.outcomes, 0, campaign.faults.size(),
                   MPI_COMM_NULL);
}

void change_file(const std::filesystem::path& file, const std::function<void(hid_t)>& change)
{
    {
        const H5Handle opened(H5Fopen(file.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
        ASSERT_GE(opened.get(), 0);
        change(opened.get());
    }
    seal_file(file);
}

void set_version(hid_t file, std::int32_t major, std::int32_t minor)
{
    const H5Handle version(H5Aopen(file, "version", H5P_DEFAULT), H5Aclose);
    const std::int32_t numbers[2] = {major, minor};
    ASSERT_GE(H5Awrite(version.get(), H5T_NATIVE_INT32, numbers), 0);
}

void remove_room(const std::filesystem::path& file)
{
    write_file_durably(file, read_file(file).substr(kSealBytes));
}

std::string message_of(const std::function<void()>& call)
{
    try
    {
        call();
    }
    catch (const FileError& error)
    {
        return error.what();
    }
    return "no FileError";
}

void InFolder::SetUp()
{
    folder_ = std::filesystem::temp_directory_path() / ("flipstorm-hdf5-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
}

void InFolder::TearDown()
{
    std::filesystem::remove_all(folder_);
}

}  // namespace flipstorm
