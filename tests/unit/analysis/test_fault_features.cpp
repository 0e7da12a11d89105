#include "analysis/fault_features.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "engine/base/error.hpp"
#include "sample_campaign.hpp"

namespace flipstorm
{
namespace
{

/// One convolution [2, 1, 1×2] and one linear layer [2, 2] of fp32 words.
struct OneNetwork
{
    LayerTable layers{{"conv", "fc"}, {4, 4}, {2, 2}, {1, 2}, {32, 32}, {1, 1}};
    std::vector<LayerWeights> weights;

    OneNetwork()
    {
        const SharedValues conv{std::vector<float>{1.5F, -0.75F, 0.0F, 1e-40F}};
        const SharedValues fc{std::vector<float>{3.0F, 4.0F, -2.0F, 1.0F}};
        weights.push_back({"conv", conv, StoredTensor({2, 1, 1, 2}, conv), 0, 1});
        weights.push_back({"fc", fc, StoredTensor({2, 2}, fc), 1, 2});
    }

    [[nodiscard]] float value(ExtraFeature feature, std::size_t layer, std::uint64_t parameter,
                              std::int32_t bit = 0) const
    {
        return FaultFeatures({}, layers, weights).size() == 5
                   ? FaultFeatures(extra_feature_names(), layers, weights)
                         .value(feature, layer, parameter, bit)
                   : 0;
    }
};

TEST(FaultFeatures, ByHand)
{
    const OneNetwork network;
    using E = ExtraFeature;
    EXPECT_EQ(network.value(E::kernel_position, 0, 3), 1);
    EXPECT_EQ(network.value(E::kernel_position, 1, 3), 0);
    EXPECT_EQ(network.value(E::layer_type, 0, 0), 0);
    EXPECT_EQ(network.value(E::layer_type, 1, 0), 1);
    EXPECT_EQ(network.value(E::fan_in, 0, 0), 2);
    EXPECT_EQ(network.value(E::fan_in, 1, 0), 2);
    EXPECT_EQ(network.value(E::depth, 1, 0), 2);
    EXPECT_EQ(network.value(E::exponent, 0, 0), 0);
    EXPECT_EQ(network.value(E::exponent, 0, 1), -1);
    EXPECT_EQ(network.value(E::exponent, 0, 2), -150);
    EXPECT_EQ(network.value(E::exponent, 0, 3), -133);  // 1e-40 = 1.11 · 2^-133
    EXPECT_EQ(network.value(E::magnitude, 0, 1), 0.75F);
    EXPECT_EQ(network.value(E::filter_norm, 1, 0), 5);
    EXPECT_EQ(network.value(E::filter_norm, 1, 3), 2.25F);  // √5 = 2.236 in steps of 1/8
    // 1.5 = 0x3FC00000: bit 22 is set, bit 21 is not.
    EXPECT_EQ(network.value(E::direction, 0, 0, 22), 1);
    EXPECT_EQ(network.value(E::direction, 0, 0, 21), 0);
    EXPECT_EQ(network.value(E::change, 0, 0, 22), 0.5F);
    EXPECT_EQ(network.value(E::change, 0, 0, 31), 3);
    // Bit 30 of 1.0 makes it infinite.
    EXPECT_EQ(network.value(E::change, 1, 3, 30), std::numeric_limits<float>::max());
}

TEST(FaultFeatures, OfACampaignAreThoseOfItsFaults)
{
    const auto weights = testing::sample_weights_of_words(testing::sample_layers());
    const CampaignRecord campaign = testing::sample_campaign(weights, 5);
    const std::vector<std::string> extra = {"change", "kernel_position"};
    const FaultFeatures features(extra, campaign.header.layers, weights);
    const FeatureTable table = features.table(campaign.faults);
    EXPECT_EQ(table.names, (std::vector<std::string>{"sign", "bit", "layer", "out_channel", "in_channel",
                                                     "change", "kernel_position"}));
    for (std::size_t row = 0; row < table.rows(); ++row)
    {
        const FaultTable& faults = campaign.faults;
        const auto layer = static_cast<std::size_t>(faults.layer[row]);
        EXPECT_EQ(table.value(table.cell[row], kBitFeature), faults.bit[row]);
        EXPECT_EQ(table.value(table.cell[row], kInChannelFeature), faults.in_channel[row]);
        EXPECT_EQ(table.value(table.cell[row], 5),
                  features.value(ExtraFeature::change, layer, faults.parameter[row], faults.bit[row]));
        EXPECT_EQ(table.value(table.cell[row], 6), faults.parameter[row] % (layer == 0 ? 9 : 1));
    }
    // Nothing but the campaign is needed for the paper's five.
    EXPECT_EQ(FaultFeatures().table(campaign.faults).features(), 5U);
}

TEST(FaultFeatures, RefusesWhatIsNone)
{
    OneNetwork network;
    for (const std::string& name : extra_feature_names())
        EXPECT_NO_THROW(FaultFeatures({name}, network.layers, network.weights));
    EXPECT_THROW(FaultFeatures({"colour"}, network.layers, network.weights), JobError);
    EXPECT_THROW(FaultFeatures({"depth", "depth"}, network.layers, network.weights), JobError);
    network.layers.word_bits[1] = 16;
    EXPECT_THROW(FaultFeatures({"depth"}, network.layers, network.weights), DataError);
    network.weights.pop_back();
    EXPECT_THROW(FaultFeatures({"depth"}, network.layers, network.weights), DataError);
    EXPECT_NO_THROW(FaultFeatures({}, network.layers, network.weights));
}

}  // namespace
}  // namespace flipstorm
