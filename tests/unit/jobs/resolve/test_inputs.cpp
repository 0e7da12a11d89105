#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/network/builders.hpp"
#include "engine/network/network_format.hpp"
#include "jobs/job_file/job_print.hpp"
#include "jobs/resolve/inputs.hpp"

namespace flipstorm
{
namespace
{

Network lenet()
{
    return build_network("lenet5", {1, 28, 28}, 10, {{0.3F}, {0.4F}}, 1);
}

TEST(ModelRecord, CarriesANetworkWhole)
{
    EXPECT_EQ(digest(from_record(to_record(lenet()), "model.h5")), digest(lenet()));
}

TEST(ModelRecord, CarriesAResidualNetworkWhole)
{
    const Network network =
        build_network("resnet20", {3, 32, 32}, 10, {{0.5F, 0.5F, 0.5F}, {0.2F, 0.2F, 0.2F}}, 1,
                      {Activation::relu6, LayerOrder::conv_act_norm, Shortcut::option_a});
    EXPECT_EQ(digest(from_record(to_record(network), "model.h5")), digest(network));
    ModelRecord record = to_record(network);
    record.parameters[4].values.edit()[3] = -0.5F;
    ASSERT_EQ(record.parameters[4].name, "bn1.running_var");
    EXPECT_THROW(from_record(record, "model.h5"), DataError);
}

Network residual()
{
    return build_network("resnet8", {3, 32, 32}, 10,
                         {{0.5F, 0.5F, 0.5F}, {0.2F, 0.2F, 0.2F}}, 1);
}

Network stored(const Network& network, const FormatChoice& choice)
{
    return stored_as(network, choice, std::vector<float>(network.graph.nodes().size(), 3.0F));
}

TEST(ModelRecord, CarriesNetworksOfEveryFormatWhole)
{
    for (const std::string& name : number_format_names())
    {
        FormatChoice choice;
        choice.format = number_format(name);
        for (const Network& network : {lenet(), residual()})
        {
            const Network want = stored(network, choice);
            const Network got = from_record(to_record(want), "model.h5");
            EXPECT_EQ(digest(got), digest(want)) << name;
            EXPECT_EQ(got.activations, want.activations) << name;
            ASSERT_EQ(got.parameters.size(), want.parameters.size());
            for (std::size_t i = 0; i < want.parameters.size(); ++i)
            {
                EXPECT_EQ(got.parameters[i].format(), want.parameters[i].format());
                EXPECT_EQ(got.parameters[i].scales(), want.parameters[i].scales());
                EXPECT_EQ(got.parameters[i].values(), want.parameters[i].values());
            }
        }
    }
}

TEST(ModelRecord, CarriesNetworksOfMixedFormatsWhole)
{
    FormatChoice floats;
    floats.of_layer = {{"conv1", NumberFormat::fp16}, {"fc1", NumberFormat::fp8_e4m3}};
    FormatChoice whole;
    whole.format = NumberFormat::int8;
    whole.of_layer = {{"conv1", NumberFormat::fxp16}};
    whole.scale_per_channel = false;
    for (const FormatChoice& choice : {floats, whole})
    {
        const Network want = stored(lenet(), choice);
        EXPECT_EQ(digest(from_record(to_record(want), "model.h5")), digest(want));
    }
}

TEST(ModelRecord, OfWholeNumbersIsRefusedWhenItIsNotWhole)
{
    const auto refused = [](auto&& spoil) -> std::string {
        FormatChoice choice;
        choice.format = NumberFormat::int8;
        ModelRecord record = to_record(stored(lenet(), choice));
        spoil(record);
        try
        {
            from_record(record, "model.h5");
        }
        catch (const DataError& error)
        {
            return error.what();
        }
        return "accepted";
    };
    const auto parameter = [](ModelRecord& record, const std::string& name) -> ParameterRecord& {
        return *std::find_if(record.parameters.begin(), record.parameters.end(),
                             [&](const ParameterRecord& p) { return p.name == name; });
    };
    EXPECT_EQ(refused([](ModelRecord&) {}), "accepted");
    EXPECT_EQ(refused([](ModelRecord& r) { r.activations.erase(r.activations.begin() + 1); }),
              "'model.h5' lacks the activation of node 'conv1'");
    EXPECT_NE(refused([](ModelRecord& r) {
                  r.activations.push_back({"elsewhere", 1, 8});
              }).find("'elsewhere', which is no node"),
              std::string::npos);
    EXPECT_NE(refused([](ModelRecord& r) { r.activations.clear(); }).find("in whole numbers or in floats"),
              std::string::npos);
    EXPECT_NE(refused([&](ModelRecord& r) {
                  parameter(r, "fc1.weight").format = "fp32";
              }).find("the weights of 'fc1' are fp32"),
              std::string::npos);
    EXPECT_NE(refused([&](ModelRecord& r) {
                  parameter(r, "fc1.weight").format = "fp12";
              }).find("'model.h5': parameter 'fc1.weight' is of format 'fp12'"),
              std::string::npos);
    EXPECT_NE(refused([&](ModelRecord& r) {
                  parameter(r, "fc1.bias").format = "fp32";
              }).find("'fc1.bias' is fp32; beside weights in int8 it is int32"),
              std::string::npos);
    EXPECT_NE(
        refused([&](ModelRecord& r) { r.activations[0].scale *= 2; }).find("has other scales than the sums"),
        std::string::npos);
}

TEST(ModelRecord, MayListItsParametersInAnyOrder)
{
    ModelRecord record = to_record(lenet());
    std::reverse(record.parameters.begin(), record.parameters.end());
    EXPECT_EQ(digest(from_record(record, "model.h5")), digest(lenet()));
}

TEST(ModelRecord, IsRefusedWhenItIsNoWholeNetwork)
{
    const auto refused = [](auto&& spoil) -> std::string {
        ModelRecord record = to_record(lenet());
        spoil(record);
        try
        {
            from_record(record, "model.h5");
        }
        catch (const Error& error)
        {
            return error.what();
        }
        return "accepted";
    };
    EXPECT_NE(
        refused([](ModelRecord& r) { r.parameters.erase(r.parameters.begin() + 4); }).find("fc1.weight"),
        std::string::npos);
    EXPECT_NE(refused([](ModelRecord& r) {
                  r.parameters[4].shape = {400, 120};
              }).find("fc1.weight"),
              std::string::npos);
    EXPECT_NE(refused([](ModelRecord& r) {
                  r.input_shape = {3, 32, 32};
              }).find("input_shape"),
              std::string::npos);
    EXPECT_NE(refused([](ModelRecord& r) { r.format = "fp12"; }).find("fp12"), std::string::npos);
    EXPECT_NE(refused([](ModelRecord& r) { r.mean.clear(); }).find("mean"), std::string::npos);
    EXPECT_NE(refused([](ModelRecord& r) { r.graph = "{}"; }).find("graph"), std::string::npos);
}

TEST(ModelRecord, OfAFormatThatIsNotKnownIsBadData)
{
    ModelRecord record = to_record(lenet());
    record.format = "fp12";
    try
    {
        from_record(record, "model.h5");
        FAIL() << "accepted";
    }
    catch (const DataError& error)
    {
        EXPECT_NE(std::string(error.what()).find("'model.h5': number format 'fp12'"), std::string::npos)
            << error.what();
    }
}

TEST(LoadTestImages, TakesTheFirstOnesAndNoMoreThanThereAre)
{
    Job job;
    job.data.kind = "synthetic";
    job.data.test_images = 7;
    EXPECT_EQ(load_test_images(job).size(), 7);
    job.data.test_images = 0;
    const auto all = load_test_images(job).size();
    EXPECT_EQ(all, load_dataset(job).test.size());
    job.data.test_images = all + 1;
    EXPECT_THROW(load_test_images(job), JobError);
    job.data.kind = "cifar10";
    job.data.path = "/no/such/folder";
    EXPECT_THROW(load_test_images(job), FileError);
    job.data.kind = "cifar11";
    EXPECT_THROW(load_test_images(job), JobError);
}

TEST(FreshNetwork, IsTheVariantOfTheJob)
{
    Job job;
    job.data.kind = "synthetic";
    const Dataset dataset = load_dataset(job);
    const auto nodes_of = [&](const char* arch, const char* activation, const char* order,
                              const char* shortcut) {
        job.model.arch = arch;
        job.model.activation = activation;
        job.model.order = order;
        job.model.shortcut = shortcut;
        return fresh_network(job, dataset).graph.nodes();
    };
    const auto usual = nodes_of("resnet20", "relu", "conv-norm-act", "option-a");
    EXPECT_EQ(usual[2].name, "bn1");
    EXPECT_TRUE(std::holds_alternative<ReluOp>(usual[3].operation));
    const auto other = nodes_of("resnet18", "relu6", "conv-act-norm", "projection");
    EXPECT_EQ(other[3].name, "bn1");
    EXPECT_TRUE(std::holds_alternative<Relu6Op>(other[2].operation));
    const auto named = [](const std::vector<Node>& nodes, const std::string& name) {
        return std::any_of(nodes.begin(), nodes.end(), [&](const Node& node) { return node.name == name; });
    };
    EXPECT_TRUE(named(usual, "layer2.0.shortcut.pad"));
    EXPECT_TRUE(named(other, "layer4.0.shortcut.0"));
    EXPECT_EQ(fresh_network(job, dataset).arch, "resnet18");
}

TEST(LoadDataset, TakesTheFirstTrainingImages)
{
    Job job;
    job.data.kind = "synthetic";
    const Dataset whole = load_dataset(job);
    job.data.train_images = 37;
    const Dataset part = load_dataset(job);
    EXPECT_EQ(digest(part.train), digest(whole.train.head(37)));
    EXPECT_EQ(digest(part.test), digest(whole.test));
    EXPECT_EQ(part.normalisation.mean, whole.normalisation.mean);
    job.data.train_images = whole.train.size() + 1;
    EXPECT_THROW(load_dataset(job), JobError);
}

TEST(LoadDataset, SubtractsTheLabelOffset)
{
    Job job;
    job.data.kind = "synthetic";
    job.model.shortcut = "option-a";
    const Dataset plain = load_dataset(job);
    job.data.label_offset = -1;
    const Dataset shifted = load_dataset(job);
    ASSERT_EQ(plain.num_classes, 10);
    EXPECT_EQ(shifted.num_classes, 11);
    EXPECT_EQ(shifted.train.labels[3], plain.train.labels[3] + 1);
    EXPECT_EQ(shifted.test.labels, load_test_images(job).labels);
    EXPECT_EQ(fresh_network(job, shifted).num_classes, 11);
    // What is computed from the labels knows the offset by them: no key of a digest changes.
    EXPECT_NE(digest(shifted.test), digest(plain.test));
    EXPECT_EQ(canonical_tables(job, {"data"}).find("label"), std::string::npos);
    job.data.label_offset = 1;
    EXPECT_THROW(load_dataset(job), DataError);
    EXPECT_THROW(load_test_images(job), DataError);
}

TEST(FreshNetwork, HasAllClassesOfItsDataSet)
{
    Job job;
    job.data.kind = "synthetic";
    job.model.shortcut = "option-a";
    Dataset dataset = load_dataset(job);
    dataset.test.labels[5] = 10;
    EXPECT_THROW(fresh_network(job, dataset), DataError);
    dataset.num_classes = 11;
    EXPECT_EQ(fresh_network(job, dataset).num_classes, 11);
}

TEST(NormalisationText, SaysWhereItIsFrom)
{
    Job job;
    job.data.kind = "synthetic";
    EXPECT_NE(normalisation_text(load_dataset(job)).find("measured on the 4000 training images"),
              std::string::npos);
    job.data.mean = {0.5};
    job.data.std = {0.25};
    EXPECT_EQ(normalisation_text(load_dataset(job)),
              "mean [0.5] and std [0.25] of pixel / 255: given by the job");
}

TEST(LoadDataset, TakesTheJobsNormalisation)
{
    Job job;
    job.data.kind = "synthetic";
    job.data.mean = {0.5};
    job.data.std = {0.25};
    EXPECT_EQ(load_dataset(job).normalisation.std_dev, std::vector<float>{0.25F});
    job.data.mean = {0.5, 0.5, 0.5};
    EXPECT_THROW(load_dataset(job), JobError);
}

}  // namespace
}  // namespace flipstorm
