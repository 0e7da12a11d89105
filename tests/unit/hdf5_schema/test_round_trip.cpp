#include <hdf5.h>

#include <cmath>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "hdf5_schema/h5.hpp"
#include "sample_records.hpp"

namespace flipstorm
{
namespace
{

using RoundTrip = InFolder;

void expect_equal(const Provenance& a, const Provenance& b)
{
    EXPECT_EQ(a.software_version, b.software_version);
    EXPECT_EQ(a.git_sha1, b.git_sha1);
    EXPECT_EQ(a.date, b.date);
    EXPECT_EQ(a.command_line, b.command_line);
    EXPECT_EQ(a.job, b.job);
    EXPECT_EQ(a.job_sha256, b.job_sha256);
    EXPECT_EQ(a.stage_sha256, b.stage_sha256);
    EXPECT_EQ(a.model_sha256, b.model_sha256);
    EXPECT_EQ(a.dataset_sha256, b.dataset_sha256);
    EXPECT_EQ(a.seed, b.seed);
    EXPECT_EQ(a.libraries, b.libraries);
}

TEST_F(RoundTrip, Model)
{
    const ModelRecord want = sample_model();
    write_model(folder_ / "model.h5", want);
    const ModelRecord got = read_model(folder_ / "model.h5");
    expect_equal(got.provenance, want.provenance);
    EXPECT_EQ(got.arch, want.arch);
    EXPECT_EQ(got.format, want.format);
    EXPECT_EQ(got.input_shape, want.input_shape);
    EXPECT_EQ(got.num_classes, want.num_classes);
    EXPECT_EQ(got.mean, want.mean);
    EXPECT_EQ(got.std_dev, want.std_dev);
    EXPECT_EQ(got.test_accuracy, want.test_accuracy);
    EXPECT_EQ(got.graph, want.graph);
    ASSERT_EQ(got.parameters.size(), want.parameters.size());
    for (std::size_t i = 0; i < want.parameters.size(); ++i)
    {
        EXPECT_EQ(got.parameters[i].name, want.parameters[i].name);
        EXPECT_EQ(got.parameters[i].shape, want.parameters[i].shape);
        EXPECT_EQ(got.parameters[i].values, want.parameters[i].values);
    }
    EXPECT_TRUE(std::signbit(got.parameters[0].values[3]));
    EXPECT_EQ(got.training.epoch, want.training.epoch);
    EXPECT_EQ(got.training.loss, want.training.loss);
    EXPECT_EQ(got.training.train_accuracy, want.training.train_accuracy);
    EXPECT_EQ(got.training.learning_rate, want.training.learning_rate);
    EXPECT_EQ(got.training.seconds, want.training.seconds);
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
        EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
}

TEST_F(RoundTrip, ModelsOfVersion10HaveNoLearningCurve)
{
    const std::filesystem::path name = folder_ / "model.h5";
    write_model(name, sample_model());
    change_file(name, [](hid_t file) {
        set_version(file, 1, 0);
        ASSERT_GE(H5Ldelete(file, "/training", H5P_DEFAULT), 0);
    });
    EXPECT_TRUE(read_model(name).training.epoch.empty());
    EXPECT_EQ(read_model(name).parameters.size(), 2U);
}

TEST_F(RoundTrip, Campaign)
{
    const CampaignRecord want = sample_campaign();
    write_whole(folder_ / "campaign.h5", want);
    const CampaignRecord got = read_campaign(folder_ / "campaign.h5");
    expect_equal(got.header.provenance, want.header.provenance);
    EXPECT_EQ(got.header.target, want.header.target);
    EXPECT_EQ(got.header.evaluation, want.header.evaluation);
    EXPECT_EQ(got.header.tolerances, want.header.tolerances);
    EXPECT_EQ(got.header.images, want.header.images);
    EXPECT_EQ(got.header.golden_correct, want.header.golden_correct);
    EXPECT_EQ(got.header.faults_per_second, want.header.faults_per_second);
    EXPECT_EQ(got.header.wall_seconds, want.header.wall_seconds);
    EXPECT_EQ(got.header.layers.name, want.header.layers.name);
    EXPECT_EQ(got.header.layers.weights, want.header.layers.weights);
    EXPECT_EQ(got.header.layers.word_bits, want.header.layers.word_bits);
    EXPECT_EQ(got.header.layers.injected, want.header.layers.injected);
    EXPECT_EQ(got.header.fault_model, want.header.fault_model);
    EXPECT_EQ(got.header.upset_bits, want.header.upset_bits);
    EXPECT_EQ(got.faults.mask, want.faults.mask);
    EXPECT_EQ(got.faults.effect, want.faults.effect);
    EXPECT_EQ(got.header.strata.layer, want.header.strata.layer);
    EXPECT_EQ(got.header.strata.bit, want.header.strata.bit);
    EXPECT_EQ(got.header.strata.planned, want.header.strata.planned);
    EXPECT_EQ(got.header.strata.evaluated, want.header.strata.evaluated);
    EXPECT_EQ(got.header.golden.top1, want.header.golden.top1);
    EXPECT_EQ(got.header.golden.margin, want.header.golden.margin);
    EXPECT_EQ(got.header.screen.kappa, want.header.screen.kappa);
    EXPECT_EQ(got.header.screen.screened, want.header.screen.screened);
    EXPECT_EQ(got.header.screen.screen_bound, want.header.screen.screen_bound);
    EXPECT_EQ(got.header.screen.bound95, want.header.screen.bound95);
    const ScreenTable& trials = want.header.screen.trials;
    EXPECT_EQ(got.header.screen.trials.layer, trials.layer);
    EXPECT_EQ(got.header.screen.trials.level, trials.level);
    EXPECT_EQ(got.header.screen.trials.kappa, trials.kappa);
    EXPECT_EQ(got.header.screen.trials.tau, trials.tau);
    EXPECT_EQ(got.header.screen.trials.audit_share, trials.audit_share);
    EXPECT_EQ(got.header.screen.trials.pairs, trials.pairs);
    EXPECT_EQ(got.header.screen.trials.screened, trials.screened);
    EXPECT_EQ(got.header.screen.trials.audited, trials.audited);
    EXPECT_EQ(got.header.screen.trials.disagreements, trials.disagreements);
    EXPECT_EQ(got.header.screen.trials.bound95, trials.bound95);
    EXPECT_EQ(got.header.screen.trials.kept, trials.kept);
    EXPECT_EQ(got.faults.stratum, want.faults.stratum);
    EXPECT_EQ(got.faults.parameter, want.faults.parameter);
    EXPECT_EQ(got.faults.in_channel, want.faults.in_channel);
    EXPECT_EQ(got.faults.bit, want.faults.bit);
    EXPECT_EQ(got.faults.value_after, want.faults.value_after);
    EXPECT_EQ(got.outcomes.correct, want.outcomes.correct);
    EXPECT_EQ(got.outcomes.stopped, want.outcomes.stopped);
    EXPECT_EQ(got.outcomes.drop, want.outcomes.drop);
}

TEST_F(RoundTrip, ACampaignOfTheFirstMinorVersionHasNoTrialsOfTheScreenAndSingleBitFlips)
{
    write_whole(folder_ / "campaign.h5", sample_campaign());
    change_file(folder_ / "campaign.h5", [](hid_t file) {
        set_version(file, 1, 0);
        const H5Handle screen(H5Gopen2(file, "/screen", H5P_DEFAULT), H5Gclose);
        ASSERT_GE(H5Adelete(screen.get(), "screen_bound"), 0);
        for (const char* column : {"layer", "level", "kappa", "tau", "audit_share", "pairs", "screened",
                                   "audited", "disagreements", "bound95", "kept"})
        {
            ASSERT_GE(H5Ldelete(screen.get(), column, H5P_DEFAULT), 0) << column;
        }
        for (const char* column : {"/faults/mask", "/faults/effect", "/layers/injected"})
            ASSERT_GE(H5Ldelete(file, column, H5P_DEFAULT), 0) << column;
        for (const char* attribute : {"fault_model", "upset_bits"})
            ASSERT_GE(H5Adelete(file, attribute), 0) << attribute;
    });
    const CampaignRecord got = read_campaign(folder_ / "campaign.h5");
    EXPECT_EQ(got.header.screen.trials.size(), 0U);
    EXPECT_EQ(got.header.screen.screened, 5U);
    EXPECT_EQ(got.header.fault_model, "bit_flip");
    EXPECT_EQ(got.header.upset_bits, 1);
    EXPECT_EQ(got.header.layers.injected, (std::vector<std::uint8_t>{1, 1}));
    EXPECT_EQ(got.faults.mask, (std::vector<std::uint32_t>{1U << 31U, 1U << 30U, 32, 32, 32}));
    EXPECT_EQ(got.faults.effect, (std::vector<std::uint8_t>(5, 0)));
    EXPECT_EQ(got.outcomes.drop, sample_campaign().outcomes.drop);
}

void expect_same_numbers(const std::vector<double>& a, const std::vector<double>& b)
{
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i)
        EXPECT_TRUE(a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) << a[i] << " and " << b[i];
}

void expect_same_judgement(const ToleranceRecord& a, const ToleranceRecord& b)
{
    for (const auto member :
         {&ToleranceRecord::folds, &ToleranceRecord::grouped_folds, &ToleranceRecord::splits})
    {
        ASSERT_EQ((a.*member).size(), (b.*member).size());
        for (std::size_t i = 0; i < (b.*member).size(); ++i)
        {
            for (const ScoreColumn& score : score_columns())
                expect_same_numbers({(a.*member)[i].*score.member}, {(b.*member)[i].*score.member});
        }
    }
    expect_same_numbers({a.confusion.critical_acceptable}, {b.confusion.critical_acceptable});
    expect_same_numbers(a.importance, b.importance);
    expect_same_numbers(a.importance_error, b.importance_error);
    EXPECT_EQ(a.levels.acceptable, b.levels.acceptable);
    EXPECT_EQ(a.levels.critical, b.levels.critical);
    EXPECT_EQ(a.levels.acceptable_weight, b.levels.acceptable_weight);
    EXPECT_EQ(a.levels.critical_weight, b.levels.critical_weight);
    EXPECT_EQ(a.levels.acceptable_squares, b.levels.acceptable_squares);
    EXPECT_EQ(a.levels.critical_squares, b.levels.critical_squares);
}

TEST_F(RoundTrip, Forest)
{
    const ForestRecord want = sample_forest();
    write_forest(folder_ / "forest.h5", want);
    const ForestRecord got = read_forest(folder_ / "forest.h5");
    EXPECT_EQ(got.campaign_sha256, want.campaign_sha256);
    EXPECT_EQ(got.kind, want.kind);
    EXPECT_EQ(got.features, want.features);
    ASSERT_EQ(got.tolerances.size(), want.tolerances.size());
    for (std::size_t t = 0; t < want.tolerances.size(); ++t)
    {
        const ToleranceRecord& a = got.tolerances[t];
        const ToleranceRecord& b = want.tolerances[t];
        EXPECT_EQ(a.tolerance, b.tolerance);
        EXPECT_EQ(a.trained, b.trained);
        EXPECT_EQ(a.critical, b.critical);
        expect_same_judgement(a, b);
        EXPECT_EQ(a.trees.first_node, b.trees.first_node);
        EXPECT_EQ(a.trees.feature, b.trees.feature);
        EXPECT_EQ(a.trees.threshold, b.trees.threshold);
        EXPECT_EQ(a.trees.probability, b.trees.probability);
    }
    EXPECT_TRUE(std::isnan(got.tolerances[1].test().auc));
    EXPECT_EQ(got.splits, want.splits);
    ASSERT_EQ(got.compare.size(), 1U);
    EXPECT_EQ(got.compare[0].kind, "table");
    for (std::size_t t = 0; t < want.tolerances.size(); ++t)
        expect_same_judgement(got.compare[0].tolerances[t], want.compare[0].tolerances[t]);
    EXPECT_EQ(got.validation.campaign_sha256, want.validation.campaign_sha256);
    EXPECT_EQ(got.validation.faults, want.validation.faults);
    EXPECT_EQ(got.validation.critical, want.validation.critical);
    EXPECT_EQ(got.validation.threshold, want.validation.threshold);
    ASSERT_EQ(got.validation.scores.size(), want.validation.scores.size());
    for (std::size_t i = 0; i < want.validation.scores.size(); ++i)
    {
        const ValidationScore& a = got.validation.scores[i];
        const ValidationScore& b = want.validation.scores[i];
        EXPECT_EQ(a.name, b.name);
        expect_same_numbers({a.value, a.low, a.high, a.table}, {b.value, b.low, b.high, b.table});
    }
    EXPECT_EQ(got.validation.levels.critical, want.validation.levels.critical);
    EXPECT_EQ(got.validation.levels.acceptable_squares, want.validation.levels.acceptable_squares);
    EXPECT_EQ(got.roc.threshold, want.roc.threshold);
    ASSERT_EQ(got.criticality.size(), 2U);
    EXPECT_EQ(got.criticality[0].layer, "fc");
    EXPECT_EQ(got.criticality[0].weights, 2U);
    EXPECT_EQ(got.criticality[0].bits, 3);
    EXPECT_EQ(got.criticality[0].probability, want.criticality[0].probability);
    EXPECT_EQ(got.criticality[1].level, want.criticality[1].level);
    EXPECT_EQ(got.threshold, want.threshold);
    EXPECT_EQ(got.permutation_importance, want.permutation_importance);
    EXPECT_EQ(got.calibration.probability, want.calibration.probability);
    EXPECT_EQ(got.calibration.low, want.calibration.low);
    EXPECT_EQ(got.calibration.high, want.calibration.high);
}

TEST_F(RoundTrip, Protection)
{
    const ProtectionRecord want = sample_protection();
    write_protection(folder_ / "protection.h5", want);
    const ProtectionRecord got = read_protection(folder_ / "protection.h5");
    EXPECT_EQ(got.chosen, want.chosen);
    EXPECT_EQ(got.ber, want.ber);
    ASSERT_EQ(got.options.size(), want.options.size());
    EXPECT_TRUE(std::isnan(got.options[0].threshold));
    EXPECT_EQ(got.options[1].scheme, "sec_critical");
    EXPECT_EQ(got.options[1].parity_bits, want.options[1].parity_bits);
    EXPECT_EQ(got.options[1].predicted_residual, want.options[1].predicted_residual);
    EXPECT_EQ(got.options[1].pareto, true);
    EXPECT_EQ(got.overhead.gain, want.overhead.gain);
    ASSERT_EQ(got.signature.size(), 2U);
    EXPECT_EQ(got.signature[0].flagged, want.signature[0].flagged);
    EXPECT_TRUE(got.signature[1].flagged.empty());
    ASSERT_EQ(got.signature_sizes.size(), 2U);
    EXPECT_EQ(got.signature_sizes[1].encoding, "channels");
    EXPECT_EQ(got.signature_sizes[1].parity_bits, 108U);
    EXPECT_EQ(got.signature_sizes[0].flagged_share, 0.5);
    EXPECT_EQ(got.fit_per_mbit, 600);
    EXPECT_EQ(got.multi_bit_share, 0.1);
    EXPECT_EQ(got.scrub_hours, 24);
    EXPECT_EQ(got.options[0].predicted_high, 0.05);
    ASSERT_EQ(got.plan.size(), want.plan.size());
    for (std::size_t l = 0; l < want.plan.size(); ++l)
    {
        const LayerProtection& a = got.plan[l];
        const LayerProtection& b = want.plan[l];
        EXPECT_EQ(std::tie(a.layer, a.weights, a.word_bits, a.extra_bits, a.critical_before, a.critical_after,
                           a.change, a.xors),
                  std::tie(b.layer, b.weights, b.word_bits, b.extra_bits, b.critical_before, b.critical_after,
                           b.change, b.xors));
        EXPECT_EQ(std::tie(a.code.name, a.code.forced, a.code.forced_value, a.code.code, a.code.covered,
                           a.code.group, a.code.check_places, a.code.on_detected, a.code.copies,
                           a.code.interleaved),
                  std::tie(b.code.name, b.code.forced, b.code.forced_value, b.code.code, b.code.covered,
                           b.code.group, b.code.check_places, b.code.on_detected, b.code.copies,
                           b.code.interleaved));
    }
    ASSERT_EQ(got.front.size(), 2U);
    EXPECT_EQ(got.front[1].extra_bits, 12U);
    EXPECT_EQ(got.front[1].overhead, 3.125);
    EXPECT_EQ(got.front[1].predicted_residual, 0.0005);
}

TEST_F(RoundTrip, Protected)
{
    const ProtectedRecord want = sample_protected();
    const std::filesystem::path file = folder_ / "protected.h5";
    write_protected(file, want);
    const ProtectedRecord got = read_protected(file);
    EXPECT_EQ(got.protection_sha256, want.protection_sha256);
    EXPECT_EQ(got.scheme, want.scheme);
    ASSERT_EQ(got.layers.size(), 3U);
    for (std::size_t l = 0; l < 3; ++l)
    {
        EXPECT_EQ(got.plan[l].code.covered, want.plan[l].code.covered);
        EXPECT_EQ(got.layers[l].words, want.layers[l].words);
        EXPECT_EQ(got.layers[l].checks, want.layers[l].checks);
        EXPECT_EQ(got.layers[l].check_width, want.layers[l].check_width);
    }
    EXPECT_EQ(decoded(got.plan[1], got.layers[1]),
              (std::vector<std::uint32_t>{1, 2, 3, 0xFF, 0x80, 6, 7, 8, 9}));
    EXPECT_TRUE(got.layers[2].checks.empty());
    // One bit of it upset, anywhere, and it is no memory that an encoder made.
    for (std::size_t l = 1; l < 3; ++l)
    {
        ProtectedRecord upset = want;
        upset.layers[l].words[3] ^= 0x80;
        write_protected(file, upset);
        EXPECT_THROW(static_cast<void>(read_protected(file)), FileError);
    }
    ProtectedRecord upset = want;
    upset.layers[1].checks[1] ^= 1;
    write_protected(file, upset);
    EXPECT_THROW(static_cast<void>(read_protected(file)), FileError);
    upset.layers[1].checks.pop_back();
    write_protected(file, upset);
    EXPECT_THROW(static_cast<void>(read_protected(file)), FileError);
}

TEST_F(RoundTrip, Memory)
{
    const MemoryRecord want = sample_memory();
    const std::filesystem::path file = folder_ / "memory.h5";
    write_memory(file, want);
    const MemoryRecord got = read_memory(file);
    EXPECT_EQ(got.images, want.images);
    EXPECT_EQ(got.golden_correct, want.golden_correct);
    EXPECT_EQ(got.bits, want.bits);
    EXPECT_EQ(got.adjacent_share, want.adjacent_share);
    EXPECT_EQ(got.ber, want.ber);
    EXPECT_EQ(got.trials.rate, want.trials.rate);
    EXPECT_EQ(got.trials.protected_memory, want.trials.protected_memory);
    EXPECT_EQ(got.trials.upsets, want.trials.upsets);
    EXPECT_EQ(got.trials.correct, want.trials.correct);
    EXPECT_EQ(got.trials.nonfinite, want.trials.nonfinite);
    const auto refuses = [&](const std::function<void(MemoryRecord&)>& spoil) {
        MemoryRecord bad = want;
        spoil(bad);
        write_memory(file, bad);
        EXPECT_THROW(static_cast<void>(read_memory(file)), FileError);
    };
    refuses([](MemoryRecord& m) { m.trials.rate[1] = 2; });
    refuses([](MemoryRecord& m) { m.trials.protected_memory[0] = 2; });
    refuses([](MemoryRecord& m) { m.trials.correct[0] = 101; });
    refuses([](MemoryRecord& m) { m.trials.upsets.pop_back(); });
    refuses([](MemoryRecord& m) { m.ber = {1e-3, 1e-6}; });
    refuses([](MemoryRecord& m) { m.images = 0; });
}

TEST_F(RoundTrip, CampaignIntoAProtectedMemory)
{
    const CampaignRecord want = sample_protected_campaign();
    const std::filesystem::path file = folder_ / "campaign.h5";
    write_whole(file, want);
    const CampaignRecord got = read_campaign(file, "protected");
    EXPECT_EQ(got.header.memory_sha256, "78");
    EXPECT_EQ(got.faults.region, want.faults.region);
    EXPECT_EQ(got.outcomes.detected, want.outcomes.detected);
    EXPECT_EQ(got.outcomes.corrected, want.outcomes.corrected);
    EXPECT_EQ(got.outcomes.changed, want.outcomes.changed);
    EXPECT_EQ(got.outcomes.drop, want.outcomes.drop);
    EXPECT_THROW(static_cast<void>(read_campaign(file)), FileError);
    write_whole(file, sample_campaign());
    EXPECT_THROW(static_cast<void>(read_campaign(file, "protected")), FileError);
}

TEST_F(RoundTrip, WritingAgainReplacesTheFile)
{
    ModelRecord model = sample_model();
    write_model(folder_ / "model.h5", model);
    model.arch = "other";
    write_model(folder_ / "model.h5", model);
    EXPECT_EQ(read_model(folder_ / "model.h5").arch, "other");
}

void expect_same(const MeasuredShare& got, const MeasuredShare& want)
{
    for (const auto member : {&MeasuredShare::value, &MeasuredShare::low, &MeasuredShare::high})
    {
        if (std::isnan(want.*member))
            EXPECT_TRUE(std::isnan(got.*member));
        else
            EXPECT_EQ(got.*member, want.*member);
    }
}

TEST_F(RoundTrip, Comparison)
{
    const ComparisonRecord want = sample_comparison();
    write_comparison(folder_ / "comparison.h5", want);
    const ComparisonRecord got = read_comparison(folder_ / "comparison.h5");
    EXPECT_EQ(got.device, want.device);
    EXPECT_EQ(got.threads, want.threads);
    EXPECT_EQ(got.batch, want.batch);
    ASSERT_EQ(got.variants.size(), want.variants.size());
    for (std::size_t i = 0; i < want.variants.size(); ++i)
    {
        const VariantResult& a = got.variants[i];
        const VariantResult& b = want.variants[i];
        for (const auto member : {&VariantResult::name, &VariantResult::changes, &VariantResult::arch,
                                  &VariantResult::format, &VariantResult::target, &VariantResult::scheme})
        {
            EXPECT_EQ(a.*member, b.*member);
        }
        for (const auto member : {&VariantResult::weights, &VariantResult::faults, &VariantResult::images})
            EXPECT_EQ(a.*member, b.*member);
        for (const auto member : {&VariantResult::test_accuracy, &VariantResult::mean_weight,
                                  &VariantResult::mean_magnitude, &VariantResult::seconds_per_image,
                                  &VariantResult::clean_accuracy, &VariantResult::noisy_accuracy})
        {
            EXPECT_EQ(a.*member, b.*member);
        }
        expect_same(a.regret, b.regret);
        expect_same(a.critical_sdc, b.critical_sdc);
        expect_same(a.critical_bits, b.critical_bits);
    }
    EXPECT_TRUE(std::isnan(got.variants[0].tolerance));
    EXPECT_EQ(got.variants[1].tolerance, 0.005);
    EXPECT_EQ(got.variants[1].protection_overhead, 12.5);
    EXPECT_EQ(got.variants[1].full_overhead, 18.75);
    EXPECT_EQ(got.variants[1].residual, 0.0001);
    ASSERT_EQ(got.fault_models.size(), 1U);
    EXPECT_EQ(got.fault_models[0].variant, 1);
    EXPECT_EQ(got.fault_models[0].fault_model, "line");
    EXPECT_EQ(got.fault_models[0].faults, 6U);
    expect_same(got.fault_models[0].regret, want.fault_models[0].regret);
    expect_same(got.fault_models[0].critical_sdc, want.fault_models[0].critical_sdc);
    EXPECT_EQ(got.weights.edges, want.weights.edges);
    EXPECT_EQ(got.weights.counts, want.weights.counts);
    EXPECT_EQ(got.variants[0].data, "fashion-mnist");
    ASSERT_EQ(got.tolerances.size(), 1U);
    EXPECT_EQ(got.tolerances[0].variant, 1);
    EXPECT_EQ(got.tolerances[0].tolerance, 0.005);
    EXPECT_EQ(got.tolerances[0].faults, 200U);
    EXPECT_EQ(got.tolerances[0].critical, 3U);
    expect_same(got.tolerances[0].injected, want.tolerances[0].injected);
    expect_same(got.tolerances[0].all, want.tolerances[0].all);
    ASSERT_EQ(got.forests.size(), 1U);
    EXPECT_EQ(got.forests[0].kind, "rf");
    for (const auto member : {&ForestResult::tolerance, &ForestResult::auc_folds, &ForestResult::auc_grouped,
                              &ForestResult::acceptable_acceptable, &ForestResult::acceptable_critical,
                              &ForestResult::critical_acceptable, &ForestResult::critical_critical})
    {
        EXPECT_EQ(got.forests[0].*member, want.forests[0].*member);
    }
    EXPECT_TRUE(std::isnan(got.forests[0].auc_test));
    ASSERT_EQ(got.overheads.size(), 1U);
    EXPECT_EQ(got.overheads[0].variant, 1);
    EXPECT_EQ(got.overheads[0].kind, "brf");
    EXPECT_EQ(got.overheads[0].word_bits, 8);
    for (const auto member :
         {&OverheadResult::tolerance, &OverheadResult::all_parameters, &OverheadResult::critical_parameters,
          &OverheadResult::signature, &OverheadResult::gain})
    {
        EXPECT_EQ(got.overheads[0].*member, want.overheads[0].*member);
    }
}

TEST_F(RoundTrip, AComparisonOfVersion11)
{
    write_comparison(folder_ / "comparison.h5", sample_comparison());
    change_file(folder_ / "comparison.h5", [](hid_t file) {
        for (const char* group : {"/tolerances", "/forests", "/overheads", "/variants/data"})
            ASSERT_GE(H5Ldelete(file, group, H5P_DEFAULT), 0);
        set_version(file, 1, 1);
    });
    const ComparisonRecord got = read_comparison(folder_ / "comparison.h5");
    EXPECT_EQ(got.variants.size(), 2U);
    EXPECT_TRUE(got.tolerances.empty() && got.forests.empty() && got.overheads.empty());
}

TEST_F(RoundTrip, AComparisonWithoutFaultModels)
{
    ComparisonRecord comparison = sample_comparison();
    comparison.fault_models.clear();
    write_comparison(folder_ / "comparison.h5", comparison);
    EXPECT_TRUE(read_comparison(folder_ / "comparison.h5").fault_models.empty());
    comparison.fault_models = sample_comparison().fault_models;
    comparison.fault_models[0].variant = 2;
    write_comparison(folder_ / "comparison.h5", comparison);
    EXPECT_THROW(static_cast<void>(read_comparison(folder_ / "comparison.h5")), FileError);
}

}  // namespace
}  // namespace flipstorm
