#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/network/builders.hpp"
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
