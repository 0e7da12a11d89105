// campaign.h5 written by several ranks equals the one written by one.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/file_summary.hpp"
#include "hdf5_schema/h5.hpp"
#include "hdf5_schema/seal.hpp"
#include "tests/mpi/world.hpp"

namespace flipstorm::test
{
namespace
{

namespace fs = std::filesystem;

constexpr std::uint64_t kImages = 1000;

CampaignHeader header(std::uint64_t rows)
{
    CampaignHeader h;
    h.target = "weights";
    h.evaluation = "exact";
    h.tolerances = {0.01};
    h.images = kImages;
    h.golden_correct = kImages;
    h.layers = {{"fc"}, {1000000}, {1000}, {1000}, {32}, {1}};
    h.strata = {{0}, {-1}, {32000000}, {rows}, {rows}};
    h.golden = {std::vector<std::int32_t>(kImages, 0), std::vector<std::int32_t>(kImages, 0),
                std::vector<float>(kImages, 1.0F)};
    return h;
}

/// Rows [first, first + count) of tables whose values tell their row.
void fill(std::uint64_t first, std::uint64_t count, FaultTable& faults, OutcomeTable& outcomes)
{
    faults.resize(count);
    outcomes.resize(count);
    for (std::uint64_t i = 0; i < count; ++i)
    {
        const std::uint64_t row = first + i;
        faults.parameter[i] = row;
        faults.bit[i] = static_cast<std::uint8_t>(row % 32);
        faults.value_after[i] = static_cast<float>(row) / 7;
        faults.mask[i] = (std::uint32_t{1} << faults.bit[i]) |
                         (static_cast<std::uint32_t>(row) & ((1U << faults.bit[i]) - 1));
        faults.effect[i] = static_cast<std::uint8_t>(row % 3);
        outcomes.evaluated[i] = kImages;
        outcomes.mismatches[i] = static_cast<std::uint32_t>(row % (kImages + 1));
        outcomes.correct[i] = kImages - outcomes.mismatches[i];
        outcomes.drop[i] = static_cast<double>(outcomes.mismatches[i]) / kImages;
    }
}

class CampaignFile : public ::testing::Test
{
  protected:
    CampaignFile()
    {
        std::string name =
            (fs::temp_directory_path() / ("flipstorm-mpi-" + std::to_string(::getpid()))).string();
        world().broadcast(name);
        folder_ = name;
        if (world().is_root()) fs::create_directories(folder_);
        world().barrier();
    }
    ~CampaignFile() override
    {
        world().barrier();
        if (world().is_root()) fs::remove_all(folder_);
    }

    fs::path folder_;
};

TEST_F(CampaignFile, HoldsTheRowsOfAllRanks)
{
    // 150,000 rows take three HDF5 chunks, whose borders are not those of the ranks; 2 rows leave ranks
    // without any.
    for (const std::uint64_t rows : {150000ULL, 2ULL, 0ULL})
    {
        const auto size = static_cast<std::uint64_t>(world().size());
        const auto rank = static_cast<std::uint64_t>(world().rank());
        const std::uint64_t each = rows / size;
        const std::uint64_t first = rank * each;
        const std::uint64_t count = rank + 1 == size ? rows - first : each;
        FaultTable faults;
        OutcomeTable outcomes;
        fill(first, count, faults, outcomes);
        const fs::path file = folder_ / "campaign.h5";
        write_campaign(file, header(rows), faults, outcomes, first, rows, world().handle());
        if (!world().is_root()) continue;
        EXPECT_EQ(check_seal(file), SealState::sealed);
        EXPECT_EQ(check_against_schema(file), "");
        const CampaignRecord got = read_campaign(file);
        FaultTable all;
        OutcomeTable all_outcomes;
        fill(0, rows, all, all_outcomes);
        EXPECT_EQ(got.faults.parameter, all.parameter);
        EXPECT_EQ(got.faults.bit, all.bit);
        EXPECT_EQ(got.faults.value_after, all.value_after);
        EXPECT_EQ(got.faults.mask, all.mask);
        EXPECT_EQ(got.faults.effect, all.effect);
        EXPECT_EQ(got.outcomes.evaluated, all_outcomes.evaluated);
        EXPECT_EQ(got.outcomes.drop, all_outcomes.drop);
    }
}

TEST_F(CampaignFile, OfAnOlderVersionIsTriedInAChildProcessUnderMpi)
{
    const fs::path file = folder_ / "campaign.h5";
    FaultTable faults;
    OutcomeTable outcomes;
    fill(0, world().is_root() ? 2 : 0, faults, outcomes);
    write_campaign(file, header(2), faults, outcomes, world().is_root() ? 0 : 2, 2, world().handle());
    if (world().is_root())
    {
        {
            const H5Handle opened(H5Fopen(file.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
            const H5Handle version(H5Aopen(opened.get(), "version", H5P_DEFAULT), H5Aclose);
            const std::int32_t older[2] = {1, 2};
            ASSERT_GE(H5Awrite(version.get(), H5T_NATIVE_INT32, older), 0);
        }
        write_file_durably(file, read_file(file).substr(kSealBytes));
        EXPECT_EQ(read_campaign(file).faults.size(), 2U);
    }
    // MPI still works in the parent.
    EXPECT_EQ(world().all_gather("x").size(), static_cast<std::size_t>(world().size()));
}

TEST_F(CampaignFile, AllRanksThrowWhereItCannotBeWritten)
{
    EXPECT_THROW(write_campaign(folder_ / "none" / "campaign.h5", header(0), {}, {}, 0, 0, world().handle()),
                 FileError);
}

}  // namespace
}  // namespace flipstorm::test
