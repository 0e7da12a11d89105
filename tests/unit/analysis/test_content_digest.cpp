#include "analysis/content_digest.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <set>

#include "sample_campaign.hpp"

namespace flipstorm
{
namespace
{

/// Each change gives a digest that neither the record nor another change has.
template<class Record>
void expect_all_different(const Record& record, const std::vector<std::function<void(Record&)>>& changes)
{
    std::set<std::string> digests{content_digest(record)};
    for (std::size_t i = 0; i < changes.size(); ++i)
    {
        Record changed = record;
        changes[i](changed);
        EXPECT_TRUE(digests.insert(content_digest(changed)).second) << "change " << i;
    }
}

TEST(ContentDigest, OfACampaign)
{
    const auto weights = testing::sample_weights(testing::sample_layers());
    CampaignRecord campaign = testing::sample_campaign(weights, 5);
    campaign.header.golden = {{1, 2}, {1, 3}, {0.5F, 0.25F}};
    campaign.faults.value_after[1] = std::numeric_limits<float>::quiet_NaN();
    CampaignRecord again = campaign;
    again.header.provenance.date = "later";
    again.header.provenance.seed = 9;
    again.header.faults_per_second = 17;
    again.header.wall_seconds = 18;
    EXPECT_EQ(content_digest(again), content_digest(campaign));
    EXPECT_EQ(content_digest(campaign).size(), 64U);

    using C = CampaignRecord;
    expect_all_different<C>(campaign, {
                                          [](C& c) { c.header.layers.name[1] = "fc2"; },
                                          [](C& c) { c.header.layers.weights[1]++; },
                                          [](C& c) { c.header.layers.out_channels[1]++; },
                                          [](C& c) { c.header.layers.in_channels[1]++; },
                                          [](C& c) { c.header.layers.word_bits[1]++; },
                                          [](C& c) { c.header.layers.injected[1] = 0; },
                                          [](C& c) { c.header.fault_model = "stuck_at"; },
                                          [](C& c) { c.header.upset_bits = 2; },
                                          [](C& c) { c.faults.mask[1]++; },
                                          [](C& c) { c.faults.effect[1]++; },
                                          [](C& c) { c.header.strata.layer[1]++; },
                                          [](C& c) { c.header.strata.bit[1]++; },
                                          [](C& c) { c.header.strata.population[1]++; },
                                          [](C& c) { c.header.strata.planned[1]++; },
                                          [](C& c) { c.header.strata.evaluated[1]++; },
                                          [](C& c) { c.header.golden.label[1]++; },
                                          [](C& c) { c.header.golden.top1[1]++; },
                                          [](C& c) { c.header.golden.margin[1]++; },
                                          [](C& c) { c.header.tolerances[1] = 0.02; },
                                          [](C& c) { c.faults.stratum[1]++; },
                                          [](C& c) { c.faults.layer[1]++; },
                                          [](C& c) { c.faults.parameter[1]++; },
                                          [](C& c) { c.faults.out_channel[1]++; },
                                          [](C& c) { c.faults.in_channel[1]++; },
                                          [](C& c) { c.faults.bit[1]++; },
                                          [](C& c) { c.faults.sign[1] = 7; },
                                          [](C& c) { c.faults.value_before[1] = 7; },
                                          [](C& c) { c.faults.value_after[1] = 7; },
                                          [](C& c) { c.outcomes.evaluated[1]++; },
                                          [](C& c) { c.outcomes.correct[1]++; },
                                          [](C& c) { c.outcomes.mismatches[1]++; },
                                          [](C& c) { c.outcomes.nonfinite[1]++; },
                                          [](C& c) { c.outcomes.stopped[1] = 1; },
                                          [](C& c) { c.outcomes.drop[1] = 0.125; },
                                          // A value that moves from one column to its neighbour.
                                          [](C& c) {
                                              c.header.golden.top1.insert(c.header.golden.top1.begin(),
                                                                          c.header.golden.label.back());
                                              c.header.golden.label.pop_back();
                                          },
                                      });
}

TEST(ContentDigest, OfAForest)
{
    ForestRecord forest;
    forest.kind = "brf";
    forest.features = {"bit", "layer"};
    forest.test_share = 0.3;
    forest.tolerance = 0.01;
    forest.tolerances.resize(2);
    ToleranceRecord& row = forest.tolerances[1];
    row.tolerance = 0.01;
    row.trained = true;
    row.rows = 10;
    row.critical = 2;
    row.trees = {{0, 1}, {-1}, {0}, {-1}, {-1}, {0.5F}};
    forest.criticality = {{"fc", 1, 2, {3, 4}}};
    ForestRecord again = forest;
    again.provenance.date = "later";
    again.campaign_sha256 = "other";
    EXPECT_EQ(content_digest(again), content_digest(forest));

    using F = ForestRecord;
    expect_all_different<F>(forest, {
                                        [](F& f) { f.kind = "rf"; },
                                        [](F& f) { f.provenance.seed = 1; },
                                        [](F& f) { f.features[1] = "sign"; },
                                        [](F& f) { f.test_share = 0.2; },
                                        [](F& f) { f.tolerance = 0.02; },
                                        [](F& f) { f.tolerances[1].tolerance = 0.02; },
                                        [](F& f) { f.tolerances[1].trained = false; },
                                        [](F& f) { f.tolerances[1].rows++; },
                                        [](F& f) { f.tolerances[1].critical++; },
                                        [](F& f) { f.tolerances[1].trees.first_node[1]++; },
                                        [](F& f) { f.tolerances[1].trees.feature[0]++; },
                                        [](F& f) { f.tolerances[1].trees.threshold[0]++; },
                                        [](F& f) { f.tolerances[1].trees.left[0]++; },
                                        [](F& f) { f.tolerances[1].trees.right[0]++; },
                                        [](F& f) { f.tolerances[1].trees.probability[0]++; },
                                        [](F& f) { f.criticality[0].layer = "fc2"; },
                                        [](F& f) { f.criticality[0].weights++; },
                                        [](F& f) { f.criticality[0].bits++; },
                                        [](F& f) { f.criticality[0].probability[1]++; },
                                        [](F& f) { f.criticality.clear(); },
                                    });
}

}  // namespace
}  // namespace flipstorm
