// Sizes that a file declares, but cannot hold.

#include <vector>

#include "hdf5_schema/h5.hpp"
#include "sample_records.hpp"

namespace flipstorm
{
namespace
{

/// Puts another dataset in the place of one.
class Bounds : public InFolder
{
  protected:
    void replace(const char* path, const std::vector<hsize_t>& dims, const std::vector<hsize_t>& chunk,
                 std::size_t written = 0, hid_t type = H5T_NATIVE_FLOAT)
    {
        change_file(file_, [&](hid_t file) {
            ASSERT_GE(H5Ldelete(file, path, H5P_DEFAULT), 0);
            const H5Handle layout(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
            if (!chunk.empty())
            {
                ASSERT_GE(H5Pset_chunk(layout.get(), static_cast<int>(chunk.size()), chunk.data()), 0);
                ASSERT_GE(H5Pset_deflate(layout.get(), 9), 0);
            }
            const H5Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr),
                                 H5Sclose);
            const H5Handle dataset(
                H5Dcreate2(file, path, type, space.get(), H5P_DEFAULT, layout.get(), H5P_DEFAULT), H5Dclose);
            ASSERT_GE(dataset.get(), 0);
            if (written == 0) return;
            const std::vector<float> values(written, 1.0F);
            const hsize_t start = 0;
            const hsize_t count = written;
            const H5Handle memory(H5Screate_simple(1, &count, nullptr), H5Sclose);
            ASSERT_GE(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, &start, nullptr, &count, nullptr), 0);
            ASSERT_GE(H5Dwrite(dataset.get(), H5T_NATIVE_FLOAT, memory.get(), space.get(), H5P_DEFAULT,
                               values.data()),
                      0);
        });
    }

    void SetUp() override
    {
        InFolder::SetUp();
        file_ = folder_ / "model.h5";
        write_model(file_, sample_model());
    }

    [[nodiscard]] std::string problem() const
    {
        return message_of([this] { static_cast<void>(read_model(file_)); });
    }

    void expect_problem(const char* phrase) const
    {
        EXPECT_NE(problem().find(phrase), std::string::npos) << problem();
        EXPECT_NE(problem().find("'/parameters/a.bias' of"), std::string::npos) << problem();
        EXPECT_NE(problem().find("model.h5"), std::string::npos) << problem();
    }

    std::filesystem::path file_;
};

constexpr const char* kBias = "/parameters/a.bias";
constexpr hsize_t kHuge = 4'000'000'000;

TEST_F(Bounds, ValuesThatWereNeverWrittenAreMissed)
{
    replace(kBias, {kHuge}, {});
    expect_problem("declares values, but holds none");
    replace(kBias, {kHuge}, {1024});
    expect_problem("declares values, but holds none");
    replace(kBias, {3}, {});
    expect_problem("declares values, but holds none");
}

TEST_F(Bounds, OneChunkDoesNotStandForAll)
{
    replace(kBias, {kHuge}, {65536}, 65536);
    expect_problem("stored bytes hold at most");
    // As many as its bytes could hold, but most of the chunks are missing.
    replace(kBias, {3000}, {1000}, 1000);
    expect_problem("1 of its 3 chunks are there");
    replace(kBias, {3000}, {1000}, 3000);
    EXPECT_EQ(problem(), "no FileError");
}

TEST_F(Bounds, ShapesThatTheSchemaDoesNotHaveAreRefused)
{
    replace("/training/loss", {1, 2}, {}, 0, H5T_NATIVE_DOUBLE);
    EXPECT_NE(problem().find("'/training/loss' has 2 dimensions, 1 would be right"), std::string::npos)
        << problem();
}

hid_t follow_nothing(const char* /*name*/, hid_t /*group*/, const void* /*target*/, std::size_t /*bytes*/,
                     hid_t /*properties*/, hid_t /*transfer*/)
{
    return H5I_INVALID_HID;
}

TEST_F(Bounds, LinksToOtherFilesAreNotFollowed)
{
    const std::filesystem::path other = folder_ / "other.h5";
    write_model(other, sample_model());
    change_file(file_, [&](hid_t file) {
        ASSERT_GE(H5Ldelete(file, kBias, H5P_DEFAULT), 0);
        // Links to other files are switched off in this process: on for the moment that one is made.
        const H5L_class_t stand_in{
            H5L_LINK_CLASS_T_VERS, H5L_TYPE_EXTERNAL, "stand-in", nullptr, nullptr, nullptr,
            follow_nothing,        nullptr,           nullptr};
        ASSERT_GE(H5Lregister(&stand_in), 0);
        const std::string target = std::string(1, '\0') + other.string() + '\0' + kBias + '\0';
        ASSERT_GE(H5Lcreate_ud(file, kBias, H5L_TYPE_EXTERNAL, target.data(), target.size(), H5P_DEFAULT,
                               H5P_DEFAULT),
                  0);
        ASSERT_GE(H5Lunregister(H5L_TYPE_EXTERNAL), 0);
    });
    EXPECT_NE(problem().find("a.bias"), std::string::npos) << problem();
}

TEST_F(Bounds, ValuesInOtherFilesAreNotRead)
{
    change_file(file_, [&](hid_t file) {
        ASSERT_GE(H5Ldelete(file, kBias, H5P_DEFAULT), 0);
        const H5Handle layout(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
        ASSERT_GE(H5Pset_external(layout.get(), (folder_ / "values").c_str(), 0, 4), 0);
        const hsize_t one = 1;
        const H5Handle space(H5Screate_simple(1, &one, nullptr), H5Sclose);
        const H5Handle dataset(
            H5Dcreate2(file, kBias, H5T_NATIVE_FLOAT, space.get(), H5P_DEFAULT, layout.get(), H5P_DEFAULT),
            H5Dclose);
        const float value = 1;
        ASSERT_GE(H5Dwrite(dataset.get(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value), 0);
    });
    expect_problem("lie in another file");
}

}  // namespace
}  // namespace flipstorm
