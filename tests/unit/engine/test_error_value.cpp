#include "engine/faults/error_value.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// Writes a file that is gone with the object.
class TableFile
{
  public:
    explicit TableFile(const std::string& content)
        : name_(std::filesystem::temp_directory_path() /
                ("flipstorm-table-" + std::to_string(getpid()) + ".csv"))
    {
        std::ofstream(name_) << content;
    }
    ~TableFile() { std::filesystem::remove(name_); }
    TableFile(const TableFile&) = delete;
    TableFile& operator=(const TableFile&) = delete;
    [[nodiscard]] const std::filesystem::path& name() const { return name_; }

  private:
    std::filesystem::path name_;
};

TEST(ErrorValue, QuantilesOfThePublishedPowerLaws)
{
    EXPECT_EQ(published_power_laws().size(), 21U);
    // x_min (1 − r)^(−1 / (α − 1)), computed by hand elsewhere.
    EXPECT_NEAR(quantile(power_law("ffma_common"), 0.5), 9.1942033, 1e-6);
    EXPECT_NEAR(quantile(power_law("imad_common"), 0.9), 1.5760735, 1e-6);
    EXPECT_EQ(quantile(power_law("fmul_big"), 0), 0.03517608);
    EXPECT_EQ(quantile(power_law("mufu_small"), 0.7), 0);
    try
    {
        static_cast<void>(power_law("ffma"));
        FAIL();
    }
    catch (const JobError& error)
    {
        EXPECT_NE(std::string(error.what()).find("ffma_small, ffma_common, ffma_big"), std::string::npos);
    }
}

TEST(ErrorValue, DrawsFollowTheDistributionFunction)
{
    constexpr int kDraws = 100000;
    for (const char* name : {"ffma_common", "fmul_big", "imad_common"})
    {
        const PowerLaw law = power_law(name);
        RandomStream random(3, RandomPurpose::test);
        std::vector<double> values;
        for (int i = 0; i < kDraws; ++i)
            values.push_back(draw_error(law, 32, random));
        std::sort(values.begin(), values.end());
        EXPECT_GE(values.front(), static_cast<float>(law.x_min));
        double distance = 0;  // Kolmogorov-Smirnov, against F(x) = 1 − (x / x_min)^(1 − α)
        for (int i = 0; i < kDraws; i += 50)
        {
            const double f = 1 - std::pow(values[static_cast<std::size_t>(i)] / law.x_min, 1 - law.alpha);
            distance = std::max(distance, std::abs(f - static_cast<double>(i) / kDraws));
        }
        EXPECT_LT(distance, 1.63 / std::sqrt(kDraws)) << name;  // 1 %
    }
}

TEST(ErrorValue, UniformStaysBelowItsMagnitude)
{
    RandomStream random(3, RandomPurpose::test);
    double sum = 0;
    for (int i = 0; i < 10000; ++i)
    {
        const float value = draw_error(UniformError{8}, 32, random);
        ASSERT_TRUE(value >= 0 && value < 8);
        sum += value;
    }
    EXPECT_NEAR(sum / 10000, 4, 0.1);
}

TEST(ErrorValue, TablesAreDrawnByWeight)
{
    const TableFile file("value,weight\r\n# observed\n-1.5, 1\n\n2e3,3\n");
    const ErrorTable table = read_error_table(file.name());
    ASSERT_EQ(table.value, (std::vector<float>{-1.5F, 2000.0F}));
    EXPECT_EQ(table.cumulative, (std::vector<double>{1, 4}));
    RandomStream random(5, RandomPurpose::test);
    int second = 0;
    for (int i = 0; i < 10000; ++i)
        second += draw_error(table, 32, random) == 2000.0F ? 1 : 0;
    EXPECT_NEAR(second, 7500, 150);
}

TEST(ErrorValue, BadTablesAreRefusedByLine)
{
    const auto message = [](const std::string& content) {
        const TableFile file(content);
        try
        {
            static_cast<void>(read_error_table(file.name()));
        }
        catch (const DataError& error)
        {
            return std::string(error.what());
        }
        return std::string("accepted");
    };
    EXPECT_NE(message("1\n2,x\n").find("line 2: '2,x'"), std::string::npos);
    EXPECT_NE(message("1,0\n").find("line 1"), std::string::npos);
    EXPECT_NE(message("1\nnan\n").find("line 2"), std::string::npos);
    EXPECT_NE(message("1,2,3\n").find("line 1"), std::string::npos);
    EXPECT_NE(message("value\n").find("no usable error values"), std::string::npos);
    EXPECT_THROW(static_cast<void>(read_error_table("/nowhere/table.csv")), FileError);
}

}  // namespace
}  // namespace flipstorm
