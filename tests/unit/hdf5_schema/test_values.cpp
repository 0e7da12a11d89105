// Files that are whole, but say what cannot be.

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "sample_records.hpp"

namespace flipstorm
{
namespace
{

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

template<class Record>
struct Spoilt
{
    std::function<void(Record&)> spoil;
    const char* phrase;  ///< of the message
};

class ImpossibleValues : public InFolder
{
  protected:
    /// Every spoilt copy of a good record must be refused, with its phrase and the name of the file.
    template<class Record, class Write, class Read>
    void expect_refused(const Record& good, const std::vector<Spoilt<Record>>& cases, Write&& write,
                        Read&& read)
    {
        const std::filesystem::path file = folder_ / "spoilt.h5";
        write(file, good);
        EXPECT_EQ(message_of([&] { read(file); }), "no FileError");
        for (const Spoilt<Record>& each : cases)
        {
            Record bad = good;
            each.spoil(bad);
            write(file, bad);
            const std::string message = message_of([&] { read(file); });
            EXPECT_NE(message.find(each.phrase), std::string::npos) << each.phrase << ": " << message;
            EXPECT_NE(message.find("spoilt.h5"), std::string::npos) << message;
        }
    }
};

TEST_F(ImpossibleValues, OfACampaignsHeaderAreRefused)
{
    using C = CampaignRecord;
    expect_refused<C>(
        sample_campaign(),
        {
            {[](C& c) { c.header.golden_correct = ~std::uint64_t{0}; },
             "'golden_correct' is 18446744073709551615"},
            {[](C& c) { c.header.golden_correct = 1; }, "'golden_correct' is 1"},
            {[](C& c) {
                 c.header.tolerances = {0.1, 0.05};
             },
             "'tolerances' are [0.1, 0.05]"},
            {[](C& c) {
                 c.header.tolerances = {0.1, 0.1};
             },
             "'tolerances'"},
            {[](C& c) { c.header.tolerances = {kNaN}; }, "'tolerances' are [nan]"},
            {[](C& c) {
                 c.header.tolerances = {-0.1, 0.1};
             },
             "'tolerances'"},
            {[](C& c) {
                 c.header.tolerances = {0.1, 1.5};
             },
             "'tolerances'"},
            {[](C& c) { c.header.wall_seconds = kNaN; }, "'wall_seconds' nan"},
            {[](C& c) { c.header.faults_per_second = -1; }, "'faults_per_second' is -1"},
            {[](C& c) { c.header.layers.out_channels[1] = 0; }, "layer 1 ('fc') has 6 weights"},
            {[](C& c) { c.header.layers.weights[1] = 7; }, "layer 1 ('fc') has 7 weights"},
            {[](C& c) { c.header.layers.word_bits[0] = 65; }, "layer 0 ('conv1') has words of 65 bits"},
            {[](C& c) { c.header.layers.injected[0] = 2; }, "injected = 2"},
            {[](C& c) { c.header.strata.layer[0] = 2; }, "stratum 0 is of layer 2"},
            {[](C& c) { c.header.strata.layer[0] = -2; }, "stratum 0 is of layer -2"},
            {[](C& c) { c.header.strata.bit[0] = 32; }, "stratum 0 is of bit 32"},
            {[](C& c) { c.header.strata.population[0] = 1; }, "stratum 0 has 2 faults of a population of 1"},
            {[](C& c) { c.header.strata.evaluated[0] = 3; },
             "2 faults of stratum 0, '/strata/evaluated' says 3"},
            {[](C& c) { c.header.golden.margin[2] = std::nanf(""); }, "image 2 of '/golden'"},
            {[](C& c) { c.header.golden.top1[2] = -1; }, "image 2 of '/golden'"},
            {[](C& c) { c.header.screen.screened = 16; }, "of 15 pairs 16 screened"},
            {[](C& c) { c.header.screen.bound95 = kNaN; }, "'/screen' is impossible"},
            {[](C& c) { c.header.screen.trials.layer[2] = 2; }, "row 2 of '/screen'"},
            {[](C& c) { c.header.screen.trials.audited[1] = 5; }, "row 1 of '/screen'"},
            {[](C& c) { c.header.screen.trials.tau[0] = kInfinity; }, "row 0 of '/screen'"},
        },
        write_whole, [](const auto& file) { static_cast<void>(read_campaign(file)); });
}

TEST_F(ImpossibleValues, OfAFaultAndItsOutcomeAreRefused)
{
    using C = CampaignRecord;
    expect_refused<C>(
        sample_campaign(),
        {
            {[](C& c) { c.outcomes.drop[1] = 7; }, "fault 1 has a drop of 7"},
            {[](C& c) { c.outcomes.drop[0] = 0.001; }, "fault 0 has a drop of 0.001"},
            {[](C& c) { c.outcomes.drop[0] = kNaN; }, "fault 0 has a drop of nan"},
            {[](C& c) { c.outcomes.evaluated[0] = 0; }, "outcome of fault 0 is impossible"},
            {[](C& c) { c.outcomes.evaluated[0] = 4; }, "outcome of fault 0 is impossible"},
            {[](C& c) { c.outcomes.stopped[4] = 0; }, "outcome of fault 4 is impossible"},
            {[](C& c) { c.outcomes.stopped[4] = 2; }, "outcome of fault 4 is impossible"},
            {[](C& c) { c.outcomes.correct[0] = 4; }, "outcome of fault 0 is impossible"},
            {[](C& c) { c.outcomes.nonfinite[0] = 1; }, "outcome of fault 0 is impossible"},
            {[](C& c) { c.outcomes.mismatches[1] = 1, c.outcomes.nonfinite[1] = 0; },
             "fault 1 changes the top-1 of 1"},
            {[](C& c) { c.outcomes.stopped[0] = 1; }, "fault 0 was stopped at a drop of at least 0"},
            {[](C& c) { c.faults.out_channel[1] = 2; }, "fault 1 names channels (2, 0)"},
            {[](C& c) { c.faults.in_channel[1] = -1; }, "fault 1 names channels (1, -1)"},
            {[](C& c) { c.faults.sign[0] = 2; }, "fault 0 (sign 2"},
            {[](C& c) { c.faults.effect[0] = 3; }, "fault 0 (sign 0, effect 3"},
            {[](C& c) { c.faults.mask[0] = 1; }, "mask 0x1, bit 31"},
            {[](C& c) { c.faults.value_before[0] = std::nanf(""); }, "value nan"},
            {[](C& c) { c.faults.bit[2] = 4; }, "fault 2 (layer 1, bit 4) lies outside its stratum 1"},
            {[](C& c) { c.faults.layer[0] = 1; }, "fault 0 (layer 1, bit 31) lies outside its stratum 0"},
        },
        write_whole, [](const auto& file) { static_cast<void>(read_campaign(file)); });
}

TEST_F(ImpossibleValues, OfAForestAreRefused)
{
    using F = ForestRecord;
    expect_refused<F>(
        sample_forest(),
        {
            {[](F& f) { f.kind = "tree"; }, "'kind' is 'tree'"},
            {[](F& f) { f.test_share = kNaN; }, "'test_share' is nan"},
            {[](F& f) { f.tolerance = 2; }, "'tolerance' is 2"},
            {[](F& f) { f.tolerances[2].tolerance = 0.01; }, "row 2 of '/tolerances'"},
            {[](F& f) { f.tolerances[0].critical = 101; }, "more faults are critical than there are"},
            {[](F& f) { f.tolerances[0].splits[0].auc = 1.5; }, "a score"},
            {[](F& f) { f.tolerances[0].folds[1].brier = -1; }, "a score"},
            {[](F& f) { f.compare[0].tolerances[0].folds[1].recall = 2; }, "a score"},
            {[](F& f) { f.compare[0].kind = "svm"; }, "'/compare' has 'svm'"},
            {[](F& f) { f.splits = 0; }, "'splits' is 0"},
            {[](F& f) { f.permutation_importance[0] = kNaN; }, "'/permutation_importance'"},
            {[](F& f) { f.threshold = 0; }, "'threshold' is 0"},
            {[](F& f) { f.calibration.probability[7] = kNaN; }, "level 7 of '/calibration'"},
            {[](F& f) { f.calibration.low[200] = 0.9; }, "level 200 of '/calibration'"},
            {[](F& f) { f.calibration.high.pop_back(); }, "a column of '/calibration' has 255 values"},
            {[](F& f) { f.tolerances[0].confusion.critical_critical = 101; }, "'/confusion'"},
            {[](F& f) { f.tolerances[0].importance[0] = kInfinity; }, "'/importance'"},
            {[](F& f) { f.tolerances[1].trained = true; }, "trees where none"},
            {[](F& f) { f.tolerances[0].trees.left[0] = 3; }, "node 0 of tree 0 of forest 0"},
            {[](F& f) { f.tolerances[0].trees.right[0] = 0; }, "node 0 of tree 0 of forest 0"},
            {[](F& f) { f.tolerances[0].trees.feature[0] = 2; }, "node 0 of tree 0 of forest 0"},
            {[](F& f) { f.tolerances[2].trees.probability[3] = 1.5F; }, "node 0 of tree 1 of forest 2"},
            {[](F& f) { f.tolerances[2].trees.threshold[0] = std::nanf(""); },
             "node 0 of tree 0 of forest 2"},
            {[](F& f) {
                 f.tolerances[0].trees.first_node = {0, 3, 3};
             },
             "tree 1 of forest 0 has no nodes"},
            {[](F& f) {
                 f.tolerances[0].trees.first_node = {0, 3, 1000000000000000};
             },
             "'/forests/first_node'"},
            {[](F& f) { f.validation.critical = 100; }, "'/validation' has more critical faults"},
            {[](F& f) { f.validation.scores[0].value = 2; }, "'auc' of '/validation' is 2"},
            {[](F& f) { f.roc.threshold.pop_back(); }, "the columns of '/roc'"},
            {[](F& f) { f.roc.true_positive_rate[1] = kNaN; }, "a rate in '/roc'"},
        },
        write_forest, [](const auto& file) { static_cast<void>(read_forest(file)); });
}

TEST_F(ImpossibleValues, OfAProtectionAreRefused)
{
    using P = ProtectionRecord;
    expect_refused<P>(
        sample_protection(),
        {
            {[](P& p) { p.chosen = 2; }, "'chosen' is 2"},
            {[](P& p) { p.chosen = -2; }, "'chosen' is -2"},
            {[](P& p) { p.ber = kNaN; }, "'ber' nan"},
            {[](P& p) { p.tolerance = -1; }, "'tolerance' -1"},
            {[](P& p) { p.word_bits = 0; }, "'word_bits' 0"},
            {[](P& p) { p.overhead.gain = kInfinity; }, "'/overhead' is not finite"},
            {[](P& p) { p.options[1].scheme = "magic"; }, "the scheme 'magic'"},
            {[](P& p) { p.options[1].threshold = 2; }, "row 1 of '/options' is impossible"},
            {[](P& p) { p.options[0].flagged_share = kNaN; }, "row 0 of '/options' is impossible"},
            {[](P& p) { p.options[0].total_overhead = -5; }, "row 0 of '/options' is impossible"},
            {[](P& p) { p.options[0].predicted_residual = 2; }, "row 0 of '/options' leaves"},
            {[](P& p) { p.options[0].measured_high = 0.01; }, "row 0 of '/options' leaves"},
        },
        write_protection, [](const auto& file) { static_cast<void>(read_protection(file)); });
}

TEST_F(ImpossibleValues, OfAModelAreRefused)
{
    using M = ModelRecord;
    expect_refused<M>(sample_model(),
                      {
                          {[](M& m) { m.input_shape[1] = -28; }, "'input_shape' is [1, -28, 28]"},
                          {[](M& m) { m.num_classes = 0; }, "'num_classes' is 0"},
                          {[](M& m) { m.test_accuracy = 7; }, "'test_accuracy' is 7"},
                          {[](M& m) { m.training.loss.pop_back(); }, "'/training'"},
                      },
                      write_model, [](const auto& file) { static_cast<void>(read_model(file)); });
}

TEST_F(ImpossibleValues, OfAComparisonAreRefused)
{
    using C = ComparisonRecord;
    expect_refused<C>(sample_comparison(),
                      {
                          {[](C& c) { c.variants[1].test_accuracy = 3; }, "of the variant 'β' is 3"},
                          {[](C& c) { c.variants[0].regret.low = 0.5; },
                           "the regret of the variant 'baseline' is 0.1 [0.5"},
                          {[](C& c) { c.fault_models[0].critical_sdc.value = kInfinity; },
                           "critical SDCs under 'line' is inf"},
                          {[](C& c) { c.weights.edges[2] = -2; }, "'/weights/edges'"},
                          {[](C& c) { c.tolerances[0].critical = 201; }, "201 critical of 200"},
                          {[](C& c) { c.tolerances[0].all.value = 2; }, "a critical share of '/tolerances'"},
                          {[](C& c) { c.forests[0].auc_folds = -1; }, "an AUC of '/forests' is -1"},
                          {[](C& c) { c.overheads[0].gain = kInfinity; }, "'/overheads' is not finite"},
                          {[](C& c) { c.overheads[0].variant = 2; }, "'/overheads/variant' has 2"},
                      },
                      write_comparison, [](const auto& file) { static_cast<void>(read_comparison(file)); });
}

}  // namespace
}  // namespace flipstorm
