#include <gtest/gtest.h>
#include <hdf5.h>

#include <cmath>
#include <cstring>

#include "hdf5_schema/file_summary.hpp"
#include "hdf5_schema/h5.hpp"
#include "hdf5_schema/h5_reader.hpp"
#include "hdf5_schema/h5_writer.hpp"
#include "sample_records.hpp"

namespace flipstorm
{
namespace
{

using ModelCodes = InFolder;

std::int32_t minor_version_of(const std::filesystem::path& file)
{
    return H5Reader(file, model_spec()).minor_version();
}

TEST_F(ModelCodes, OfEveryFormatComeBack)
{
    for (const NumberFormat number : number_formats())
    {
        const FormatTraits& format = format_traits(number);
        if (format.words_are_values || !format.of_weights) continue;
        const ModelRecord want = sample_model_in(format);
        const std::filesystem::path file = folder_ / (format.name + ".h5");
        write_model(file, want);
        EXPECT_EQ(check_against_schema(file), "") << format.name;
        EXPECT_EQ(minor_version_of(file), 3);
        const ModelRecord got = read_model(file);
        EXPECT_EQ(got.format, format.name);
        const ParameterRecord& weight = got.parameters[0];
        EXPECT_EQ(weight.format, format.name);
        EXPECT_EQ(weight.codes, want.parameters[0].codes) << format.name;
        EXPECT_EQ(weight.scales, want.parameters[0].scales) << format.name;
        EXPECT_EQ(std::memcmp(weight.values.data(), want.parameters[0].values.data(), 4 * sizeof(float)), 0);
        EXPECT_EQ(got.parameters[1].format, "fp32");
        EXPECT_TRUE(got.parameters[1].codes.empty());
        ASSERT_EQ(got.activations.size(), want.activations.size());
        for (std::size_t i = 0; i < got.activations.size(); ++i)
        {
            EXPECT_EQ(got.activations[i].node, want.activations[i].node);
            EXPECT_EQ(got.activations[i].scale, want.activations[i].scale);
            EXPECT_EQ(got.activations[i].bits, want.activations[i].bits);
        }
        const std::string summary = summarise_file(file);
        EXPECT_NE(summary.find(fmt::format("/codes/conv.weight  uint{} [2, 1, 1, 2]", format.bits)),
                  std::string::npos)
            << summary;
        EXPECT_NE(summary.find("/codes/conv.weight@format = " + format.name), std::string::npos) << summary;
        EXPECT_EQ(summary.find("/activations/conv@bits = 24") != std::string::npos, format.whole_numbers);
    }
}

TEST_F(ModelCodes, BiasesMayHaveAFormatThatWeightsDoNot)
{
    ModelRecord model = sample_model_in(format_traits(NumberFormat::int8));
    model.parameters[1] = {"a.bias", {1}, SharedValues{-3.0F}, "int32", SharedWords{0xFFFFFFF4U}, {0.25F}};
    write_model(folder_ / "model.h5", model);
    const ModelRecord got = read_model(folder_ / "model.h5");
    EXPECT_EQ(got.parameters[1].format, "int32");
    EXPECT_EQ(got.parameters[1].codes, (std::vector<std::uint32_t>{0xFFFFFFF4U}));
}

TEST_F(ModelCodes, FilesOfFloatsAreOfTheVersionThatHadNoOthers)
{
    write_model(folder_ / "model.h5", sample_model());
    EXPECT_EQ(minor_version_of(folder_ / "model.h5"), 2);
    const std::string summary = summarise_file(folder_ / "model.h5");
    for (const char* object : {"/codes", "/scales", "/activations"})
        EXPECT_EQ(summary.find(object), std::string::npos) << summary;
}

void remove(hid_t file, const char* object)
{
    ASSERT_GE(H5Ldelete(file, object, H5P_DEFAULT), 0) << object;
}

/// Put other values in the place of a dataset's; its attribute `format` stays.
void replace(hid_t file, const std::string& path, hid_t type, const std::vector<hsize_t>& dims,
             const void* values)
{
    std::string format(16, '\0');
    const H5Handle text(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(text.get(), format.size());
    H5Tset_cset(text.get(), H5T_CSET_UTF8);
    H5Tset_strpad(text.get(), H5T_STR_NULLPAD);
    {
        const H5Handle old(H5Dopen2(file, path.c_str(), H5P_DEFAULT), H5Dclose);
        if (H5Aexists(old.get(), "format") > 0)
        {
            const H5Handle attribute(H5Aopen(old.get(), "format", H5P_DEFAULT), H5Aclose);
            ASSERT_GE(H5Aread(attribute.get(), text.get(), format.data()), 0);
        }
    }
    remove(file, path.c_str());
    const H5Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose);
    const H5Handle made(
        H5Dcreate2(file, path.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Dclose);
    ASSERT_GE(H5Dwrite(made.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
    const H5Handle one(H5Screate(H5S_SCALAR), H5Sclose);
    const H5Handle attribute(
        H5Acreate2(made.get(), "format", text.get(), one.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    ASSERT_GE(H5Awrite(attribute.get(), text.get(), format.data()), 0);
}

void set_activation(hid_t file, float scale, std::int32_t bits)
{
    const H5Handle group(H5Gopen2(file, "/activations/conv", H5P_DEFAULT), H5Gclose);
    const H5Handle of_scale(H5Aopen(group.get(), "scale", H5P_DEFAULT), H5Aclose);
    ASSERT_GE(H5Awrite(of_scale.get(), H5T_NATIVE_FLOAT, &scale), 0);
    const H5Handle of_bits(H5Aopen(group.get(), "bits", H5P_DEFAULT), H5Aclose);
    ASSERT_GE(H5Awrite(of_bits.get(), H5T_NATIVE_INT32, &bits), 0);
}

TEST_F(ModelCodes, ThatAreNotWholeAreRefused)
{
    const auto refused = [&](NumberFormat format, const std::function<void(hid_t)>& spoil) {
        const std::filesystem::path file = folder_ / "model.h5";
        write_model(file, sample_model_in(format_traits(format)));
        change_file(file, spoil);
        return message_of([&] { static_cast<void>(read_model(file)); });
    };
    const auto expect = [](const std::string& message, const std::string& part) {
        EXPECT_NE(message.find(part), std::string::npos) << message;
        EXPECT_NE(message.find("model.h5"), std::string::npos) << message;
    };
    const NumberFormat fp16 = NumberFormat::fp16;
    const NumberFormat int8 = NumberFormat::int8;
    expect(refused(fp16, [](hid_t f) { remove(f, "/codes"); }), "its format is 'fp16', but no tensor");
    expect(refused(fp16, [](hid_t f) { remove(f, "/codes/conv.weight"); }), "its format is 'fp16'");
    const auto copy = [](hid_t f, const char* from, const char* to) {
        ASSERT_GE(H5Ocopy(f, from, f, to, H5P_DEFAULT, H5P_DEFAULT), 0);
    };
    expect(refused(fp16, [&](hid_t f) { copy(f, "/codes/conv.weight", "/codes/other"); }),
           "'/codes' has 2 tensors, of which 1 are in '/parameters'");
    const std::uint32_t wide[4] = {0, 0, 0, 0};
    expect(refused(fp16,
                   [&](hid_t f) {
                       replace(f, "/codes/conv.weight", H5T_NATIVE_UINT32, {2, 1, 1, 2}, wide);
                   }),
           "dataset '/codes/conv.weight' is not of type uint16");
    expect(refused(int8,
                   [&](hid_t f) {
                       replace(f, "/codes/conv.weight", H5T_NATIVE_INT8, {2, 1, 1, 2}, wide);
                   }),
           "dataset '/codes/conv.weight' is not of type uint8");
    expect(refused(fp16, [&](hid_t f) { replace(f, "/codes/conv.weight", H5T_NATIVE_UINT16, {4}, wide); }),
           "'/codes/conv.weight' has shape [4], the parameter [2, 1, 1, 2]");
    const std::uint16_t nan[4] = {0x7E00, 0, 0, 0};
    expect(refused(fp16,
                   [&](hid_t f) {
                       replace(f, "/codes/conv.weight", H5T_NATIVE_UINT16, {2, 1, 1, 2}, nan);
                   }),
           "element 0 of '/parameters/conv.weight' is 1, but its word 0x7e00 in '/codes' reads as nan");
    const float zeros[4] = {1, 2.25F, -3.5F, 0};
    expect(refused(fp16,
                   [&](hid_t f) {
                       replace(f, "/parameters/conv.weight", H5T_NATIVE_FLOAT, {2, 1, 1, 2}, zeros);
                   }),
           "element 3 of '/parameters/conv.weight' is 0, but its word 0x8000 in '/codes' reads as -0");
}

TEST_F(ModelCodes, OfAFormatThatIsNoneAreRefused)
{
    for (const char* name : {"fp12", "fp32", ""})
    {
        const std::filesystem::path file = folder_ / "model.h5";
        write_model(file, sample_model_in(format_traits(NumberFormat::bf16)));
        change_file(file, [name](hid_t f) {
            const H5Handle codes(H5Dopen2(f, "/codes/conv.weight", H5P_DEFAULT), H5Dclose);
            ASSERT_GE(H5Adelete(codes.get(), "format"), 0);
            const H5Handle text(H5Tcopy(H5T_C_S1), H5Tclose);
            H5Tset_size(text.get(), 4);
            H5Tset_strpad(text.get(), H5T_STR_NULLPAD);
            const H5Handle one(H5Screate(H5S_SCALAR), H5Sclose);
            const H5Handle format(
                H5Acreate2(codes.get(), "format", text.get(), one.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
            char padded[5] = {};
            std::strncpy(padded, name, 4);
            ASSERT_GE(H5Awrite(format.get(), text.get(), padded), 0);
        });
        const std::string message = message_of([&] { static_cast<void>(read_model(file)); });
        EXPECT_NE(message.find(fmt::format("'/codes/conv.weight' is of format '{}'", name)),
                  std::string::npos)
            << message;
    }
}

TEST_F(ModelCodes, ScalesAreWhatTheFormatWants)
{
    const auto refused = [&](NumberFormat format, const std::vector<float>& scales) {
        const std::filesystem::path file = folder_ / "model.h5";
        write_model(file, sample_model_in(format_traits(format)));
        change_file(file, [&](hid_t f) {
            if (scales.empty())
                remove(f, "/scales/conv.weight");
            else
                replace(f, "/scales/conv.weight", H5T_NATIVE_FLOAT, {scales.size()}, scales.data());
        });
        return message_of([&] { static_cast<void>(read_model(file)); });
    };
    const NumberFormat int8 = NumberFormat::int8;
    EXPECT_NE(refused(int8, {}).find("'/scales/conv.weight' is missing"), std::string::npos);
    EXPECT_NE(refused(int8, {1, 2, 3}).find("3 scales for int8 of shape [2, 1, 1, 2]; one, or one of each"),
              std::string::npos);
    EXPECT_NE(refused(int8, {1, 0}).find("scale 1 is 0"), std::string::npos);
    EXPECT_NE(refused(int8, {-1, 1}).find("scale 0 is -1"), std::string::npos);
    EXPECT_NE(refused(int8, {1, std::nanf("")}).find("scale 1 is nan"), std::string::npos);
    EXPECT_NE(refused(int8, {0.75F, 0.02F}).find("reads as"), std::string::npos) << "another value";
    EXPECT_NE(refused(NumberFormat::fxp8, {0.3F}).find("a power of two"), std::string::npos);
    EXPECT_NE(refused(NumberFormat::fxp8, {0.25F, 0.25F}).find("2 scales"), std::string::npos);
    EXPECT_EQ(refused(NumberFormat::fxp8, {0.0625F}), "no FileError");
    // A format that has none.
    const std::filesystem::path file = folder_ / "model.h5";
    ModelRecord model = sample_model_in(format_traits(NumberFormat::fp16));
    model.parameters[0].scales = {1};
    write_model(file, model);
    EXPECT_NE(message_of([&] { static_cast<void>(read_model(file)); }).find("none would be right"),
              std::string::npos);
    model.parameters[0].scales = {};
    write_model(file, model);
    change_file(file, [](hid_t f) {
        const H5Handle group(H5Gcreate2(f, "/scales", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
        const H5Handle stray(H5Gcreate2(f, "/scales/a.bias", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                             H5Gclose);
    });
    EXPECT_NE(message_of([&] {
                  static_cast<void>(read_model(file));
              }).find("'/scales/a.bias' is there, but no '/codes/a.bias'"),
              std::string::npos);
}

TEST_F(ModelCodes, ActivationsAreThoseOfWholeNumbers)
{
    const auto refused = [&](const std::function<void(hid_t)>& spoil) {
        const std::filesystem::path file = folder_ / "model.h5";
        write_model(file, sample_model_in(format_traits(NumberFormat::fxp8)));
        change_file(file, spoil);
        return message_of([&] { static_cast<void>(read_model(file)); });
    };
    EXPECT_EQ(refused([](hid_t f) { set_activation(f, 0.5F, 8); }), "no FileError");
    EXPECT_NE(refused([](hid_t f) { remove(f, "/activations"); }).find("'/activations' is missing"),
              std::string::npos);
    EXPECT_NE(refused([](hid_t f) { set_activation(f, 0, 8); }).find("'scale' of '/activations/conv' is 0"),
              std::string::npos);
    EXPECT_NE(refused([](hid_t f) { set_activation(f, -1, 8); }).find("is -1"), std::string::npos);
    EXPECT_NE(refused([](hid_t f) { set_activation(f, std::nanf(""), 8); }).find("is nan"),
              std::string::npos);
    EXPECT_NE(refused([](hid_t f) { set_activation(f, 1, 33); }).find("'bits' of '/activations/conv' is 33"),
              std::string::npos);
    EXPECT_NE(refused([](hid_t f) {
                  const H5Handle group(H5Gopen2(f, "/activations/conv", H5P_DEFAULT), H5Gclose);
                  ASSERT_GE(H5Adelete(group.get(), "bits"), 0);
              }).find("/activations/conv@bits"),
              std::string::npos);
    ModelRecord model = sample_model_in(format_traits(NumberFormat::fp16));
    model.activations = {{"conv", 1, 8}};
    write_model(folder_ / "model.h5", model);
    EXPECT_NE(message_of([&] {
                  static_cast<void>(read_model(folder_ / "model.h5"));
              }).find("no words of '/codes' are whole numbers"),
              std::string::npos);
}

}  // namespace
}  // namespace flipstorm
