#include "analysis/fit.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace flipstorm
{
namespace
{

// 2 Mbit at 500 FIT/Mbit: 1,000 FIT; 1 % critical: 10 FIT, one in 10^8 hours.
TEST(Fit, ByHand)
{
    const MemoryRates plain = memory_rates(2'000'000, 500, {0.01, 0.008, 0.012}, 1);
    EXPECT_DOUBLE_EQ(plain.upsets, 1000);
    EXPECT_DOUBLE_EQ(plain.critical.share, 10);
    EXPECT_DOUBLE_EQ(plain.critical.low, 8);
    EXPECT_DOUBLE_EQ(plain.critical.high, 12);
    EXPECT_DOUBLE_EQ(plain.hours_to_critical(), 1e8);
    EXPECT_DOUBLE_EQ(plain.single_point_metric(), 0.99);
    EXPECT_DOUBLE_EQ(plain.latent, 990);
    EXPECT_DOUBLE_EQ(plain.latent_metric(), 0);

    const MemoryRates kept = memory_rates(2'200'000, 500, {0.001, 0, 0.002}, 0.101);
    EXPECT_DOUBLE_EQ(kept.upsets, 1100);
    EXPECT_DOUBLE_EQ(kept.latent, 110);
    EXPECT_DOUBLE_EQ(kept.latent_metric(), 1 - 110 / 1098.9);
    EXPECT_DOUBLE_EQ(diagnostic_coverage(plain, kept), 1 - 1.1 / 10);

    const MemoryRates safe = memory_rates(2'200'000, 500, {0, 0, 0}, NAN);
    EXPECT_TRUE(std::isinf(safe.hours_to_critical()));
    EXPECT_EQ(safe.single_point_metric(), 1);
    EXPECT_TRUE(std::isnan(safe.latent_metric()));
    EXPECT_TRUE(std::isnan(diagnostic_coverage(safe, kept)));
}

TEST(Fit, TableOfBothMemories)
{
    ProtectionRecord protection;
    ProtectionOption option;
    option.scheme = "sec_64";
    option.parity_bits = 100'000;
    option.measured_residual = 0.001;
    option.measured_high = 0.002;
    protection.options = {option};
    protection.chosen = 0;
    EXPECT_TRUE(fit_table(protection, {0.01, 0.01, 0.01}, 1'000'000, nullptr).rows.empty());
    protection.fit_per_mbit = 1000;
    protection.scrub_hours = 24;
    const ResultTable table = fit_table(protection, {0.01, 0.008, 0.012}, 1'000'000, nullptr);
    ASSERT_EQ(table.rows.size(), 2U);
    EXPECT_EQ(table.rows[0], (std::vector<std::string>{"unprotected", "1,000,000", "1000", "10", "8", "12",
                                                       "1.14e+04", "99", "0"}));
    EXPECT_EQ(table.rows[1][2], "1100");
    EXPECT_EQ(table.rows[1][3], "1");  // 1,000 FIT of the words, 0.1 % of them critical
    EXPECT_EQ(table.rows[1].back(), "-");
    EXPECT_NE(table.note.find("held out"), std::string::npos);
    Verification measured;
    measured.bits = 1'100'000;
    measured.critical.share = 0.0001;
    measured.unnoticed.share = 0.0501;
    const ResultTable proven = fit_table(protection, {0.01, 0.008, 0.012}, 1'000'000, &measured);
    EXPECT_EQ(proven.rows[1][3], "0.11");
    EXPECT_EQ(proven.rows[1].back(), "94.9995");
}

// 1,000 FIT/Mbit: 10^-12 upsets of a bit in an hour. Half the memories are critical at 10^-4, all at 10^-3.
TEST(Fit, TimeToACriticalState)
{
    MemoryRecord memory;
    memory.images = 100;
    memory.golden_correct = {90, 90};
    memory.ber = {1e-4, 1e-3};
    memory.trials.rate = {0, 0, 1, 1, 0, 1};
    memory.trials.protected_memory = {0, 0, 0, 0, 1, 1};
    memory.trials.correct = {90, 50, 50, 40, 90, 90};
    memory.trials.nonfinite = {0, 0, 0, 0, 0, 0};
    const TimeToCritical plain = time_to_critical(memory, false, 0.05, 1000);
    EXPECT_NEAR(plain.hours, (1e-4 * 0.75 + 9e-4 * 0.25) / 1e-12, 1e-3);
    EXPECT_FALSE(plain.at_least);
    const TimeToCritical kept = time_to_critical(memory, true, 0.05, 1000);
    EXPECT_NEAR(kept.hours, 1e-3 / 1e-12, 1e-3);
    EXPECT_TRUE(kept.at_least);
}

}  // namespace
}  // namespace flipstorm
