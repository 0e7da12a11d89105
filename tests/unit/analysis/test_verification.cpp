#include "analysis/verification.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// Two parts, ten words of eight bits under a code over bits 7 and 6, and two check words of five bits;
/// strata by part and bit.
struct Case
{
    ProtectedRecord memory;
    ProtectionRecord protection;
    CampaignRecord campaign;
    CampaignRecord unprotected;

    Case()
    {
        LayerProtection layer{"fc", 10, 8, {"sec", 0, 0, CodeKind::hamming_sec, 0xC0, 5}};
        layer.extra_bits = 10;
        memory.plan = {layer};
        memory.protection_sha256 = protection.provenance.stage_sha256 = "p";
        campaign.header.memory_sha256 = memory.memory_sha256 = "m";
        memory.scheme = "optimized";
        ProtectionOption option;
        option.scheme = "optimized";
        option.predicted_residual = 0.01;
        option.predicted_high = 0.02;
        protection.options = {option};
        protection.chosen = 0;
        protection.tolerance = 0.01;
        campaign.header.target = "protected";
        campaign.header.layers = {{"fc", "fc:check"}, {10, 2}, {1, 1}, {1, 1}, {8, 5}, {1, 1}, {"", ""}};
        campaign.header.images = unprotected.header.images = 1000;
        campaign.header.golden_correct = 900;
        unprotected.header.golden_correct = 905;
        StrataTable& strata = campaign.header.strata;
        for (std::int32_t part = 0; part < 2; ++part)
        {
            for (std::int32_t bit = 0; bit < (part == 0 ? 8 : 5); ++bit)
            {
                strata.layer.push_back(part);
                strata.bit.push_back(bit);
                strata.population.push_back(part == 0 ? 10 : 2);
                strata.planned.push_back(2);
                strata.evaluated.push_back(2);
            }
        }
        for (std::int32_t s = 0; s < 13; ++s)
        {
            for (int i = 0; i < 2; ++i)
                add(s, s == 6 || s == 7 || s >= 8, 0);
        }
    }

    void add(std::int32_t stratum, bool corrected, double drop)
    {
        campaign.faults.stratum.push_back(stratum);
        campaign.faults.layer.push_back(stratum < 8 ? 0 : 1);
        campaign.faults.value_before.push_back(1);
        campaign.faults.value_after.push_back(corrected ? 1.0F : 2.0F);
        campaign.outcomes.detected.push_back(0);
        campaign.outcomes.corrected.push_back(corrected ? 1 : 0);
        campaign.outcomes.changed.push_back(corrected ? 0 : 1);
        campaign.outcomes.drop.push_back(drop);
        campaign.outcomes.evaluated.push_back(1000);
    }

    [[nodiscard]] Verification verify() const
    {
        return verify_protection(campaign, memory, protection, unprotected);
    }
};

TEST(Verification, SharesByHand)
{
    Case c;
    c.campaign.outcomes.drop[0] = 0.5;  // one of two of bit 0
    const Verification v = c.verify();
    EXPECT_EQ(v.bits, 90U);
    EXPECT_EQ(v.upsets, 26U);
    EXPECT_NEAR(v.corrected.share, 30.0 / 90, 1e-12);
    EXPECT_NEAR(v.changed.share, 60.0 / 90, 1e-12);
    EXPECT_NEAR(v.critical.share, 5.0 / 90, 1e-12);
    EXPECT_EQ(v.critical.hits, 1U);
    EXPECT_EQ(v.accuracy, 0.9);
    EXPECT_EQ(v.accuracy_before, 0.905);
    // Predicted of the words; the check bits are as safe.
    EXPECT_NEAR(v.predicted, 0.01 * 80 / 90, 1e-12);
    EXPECT_NEAR(v.predicted_high, 0.02 * 80 / 90, 1e-12);
    EXPECT_GT(v.critical.high, v.critical.share);
}

// What the code closes counts as whole: with all else injected, nothing is left open.
TEST(Verification, ClosedStrataAreKnown)
{
    Case c;
    for (std::int32_t s = 0; s < 6; ++s)
    {
        for (int i = 0; i < 8; ++i)
            c.add(s, false, 0);
        c.campaign.header.strata.evaluated[static_cast<std::size_t>(s)] = 10;
    }
    Verification v = c.verify();
    EXPECT_EQ(v.critical.share, 0);
    EXPECT_EQ(v.critical.high, 0);
    EXPECT_TRUE(v.disagreement().empty());  // 0.8 critical bits were expected
    // A critical upset of a bit that should be closed is no less critical.
    c.campaign.outcomes.drop[14] = 0.5;
    v = c.verify();
    EXPECT_EQ(v.critical.hits, 1U);
    EXPECT_GT(v.critical.share, 0.05);
    EXPECT_GT(v.critical.high, v.critical.share);
    // Upsets of several bits go through codes that correct one.
    c.campaign.outcomes.drop[14] = 0;
    c.campaign.header.fault_model = "adjacent_bits";
    c.campaign.header.upset_bits = 2;
    EXPECT_GT(c.verify().critical.high, 0);
}

TEST(Verification, SaysWhereItDisagrees)
{
    Case c;
    for (double& drop : c.campaign.outcomes.drop)
        drop = 0.5;
    EXPECT_NE(c.verify().disagreement().find("More upsets are critical than predicted"), std::string::npos);
    EXPECT_EQ(verification_table(c.verify()).note.find("More upsets"), 0U);
    Case safe;
    safe.protection.options[0].predicted_residual = 0.5;
    safe.protection.options[0].predicted_high = 0.6;
    EXPECT_NE(safe.verify().disagreement().find("Fewer upsets are critical"), std::string::npos);
}

TEST(Verification, RefusesWhatDoesNotBelongTogether)
{
    Case c;
    c.memory.protection_sha256 = "q";
    EXPECT_THROW(static_cast<void>(c.verify()), DataError);
    Case memory;
    memory.campaign.header.memory_sha256 = "n";
    EXPECT_THROW(static_cast<void>(memory.verify()), DataError);
    Case other;
    other.unprotected.header.provenance.model_sha256 = "m";
    EXPECT_THROW(static_cast<void>(other.verify()), DataError);
}

TEST(MemoryTable, MeansByHand)
{
    MemoryRecord memory;
    memory.images = 100;
    memory.golden_correct = {90, 88};
    memory.bits = {1000, 1100};
    memory.ber = {0.001};
    memory.trials = {{0, 0, 0, 0}, {0, 0, 1, 1}, {1, 3, 2, 2},     {0, 0, 1, 2},
                     {0, 0, 1, 0}, {1, 3, 0, 0}, {90, 70, 88, 88}, {0, 0, 0, 0}};
    const ResultTable table = memory_table(memory, 0.05);
    ASSERT_EQ(table.rows.size(), 2U);
    EXPECT_EQ(table.rows[0], (std::vector<std::string>{"unprotected", "0.001", "2", "2", "10.00", "19.60",
                                                       "20.00", "1", "0", "80.00"}));
    EXPECT_EQ(table.rows[1], (std::vector<std::string>{"protected", "0.001", "2", "2", "0.00", "0.00", "0.00",
                                                       "0", "0.5", "88.00"}));
}

}  // namespace
}  // namespace flipstorm
