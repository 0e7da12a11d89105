// Import of TorchScript: that a graph which is not the module's is noticed. What is imported, and what is
// refused, is tested with PyTorch: tests/pipeline/test_import.py, test_import_refused.py.

#include <gtest/gtest.h>
#include <torch/script.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "engine/base/error.hpp"
#include "engine/network/import/torchscript/torchscript.hpp"

namespace flipstorm
{
namespace
{

const Normalisation kPlain{{0.0F}, {1.0F}};

/// A file with logits = images.flatten(1) @ weight.t() + bias for images of [1, 2, 2] and two classes.
class TorchScriptFile : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        torch::jit::Module module("Linear");
        module.register_parameter(
            "weight", torch::tensor({{1.0F, 2.0F, 3.0F, 4.0F}, {0.5F, 0.0F, -1.0F, 0.25F}}), false);
        module.register_parameter("bias", torch::tensor({0.125F, -8.0F}), false);
        module.define(
            "def forward(self, x):\n    return torch.linear(x.flatten(1), self.weight, self.bias)\n");
        const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
        file_ = std::filesystem::temp_directory_path() /
                fmt::format("flipstorm-{}-{}.pt", ::getpid(), test->name());
        module.save(file_.string());
    }
    void TearDown() override { std::filesystem::remove(file_); }

    [[nodiscard]] ImportedNetwork imported() const
    {
        return TorchScript(file_).to_network({1, 2, 2}, kPlain);
    }

    std::filesystem::path file_;
};

TEST_F(TorchScriptFile, BecomesAGraphWithItsParameters)
{
    const ImportedNetwork result = imported();
    const std::vector<Node>& nodes = result.network.graph.nodes();
    ASSERT_EQ(nodes.size(), 3U);
    EXPECT_TRUE(std::holds_alternative<FlattenOp>(nodes[1].operation));
    EXPECT_EQ(nodes[2].name, "linear");
    EXPECT_EQ(result.network.parameter("linear.weight").shape(), (Shape{2, 4}));
    EXPECT_EQ(result.network.parameter("linear.weight").values(),
              (std::vector<float>{1, 2, 3, 4, 0.5F, 0, -1, 0.25F}));
    EXPECT_EQ(result.network.parameter("linear.bias").values(), (std::vector<float>{0.125F, -8}));
    const std::vector<std::pair<std::string, std::string>> renamed = {{"weight", "linear.weight"},
                                                                      {"bias", "linear.bias"}};
    EXPECT_EQ(result.renamed, renamed);
}

TEST_F(TorchScriptFile, AgreesWithItsGraph)
{
    const TorchScript script(file_);
    // Logits (0.2 · 10 + 0.125, -0.05 - 8) for pixels of 51 / 255 = 0.2.
    const ImageSet images{1, 2, 2, std::vector<std::uint8_t>(12, 51), {0, 1, 0}};
    const LogitAgreement agreement = script.compare(imported().network, images);
    EXPECT_EQ(agreement.images, 3);
    EXPECT_NEAR(agreement.largest_logit, 8.05, 1e-5);
    EXPECT_LE(agreement.max_difference, 1e-6);
    EXPECT_EQ(agreement.top1_changed, 0);
    EXPECT_TRUE(agreement.holds());
    EXPECT_TRUE(script.compare_on_noise(imported().network, 32, 1).holds());
}

TEST_F(TorchScriptFile, DisagreesWithAnotherGraph)
{
    const TorchScript script(file_);
    const ImageSet images{1, 2, 2, std::vector<std::uint8_t>(8, 51), {0, 0}};
    Network other = imported().network;
    other.parameters[1].set_values({0.125F + 0.0075F, -8});
    EXPECT_NEAR(script.compare(other, images).max_difference, 0.0075, 1e-5);
    EXPECT_TRUE(script.compare(other, images).holds());  // 0.0075 ≤ 1e-3 · 8.05
    other.parameters[1].set_values({0.125F + 0.0085F, -8});
    EXPECT_FALSE(script.compare(other, images).holds());
    EXPECT_EQ(script.compare(other, images).top1_changed, 0);
    other.parameters[1].set_values({0.125F, 8});
    EXPECT_FALSE(script.compare_on_noise(other, 32, 1).holds());
    EXPECT_EQ(script.compare(other, images).top1_changed, 2);
    other.parameters[1].set_values({std::numeric_limits<float>::quiet_NaN(), -8});
    EXPECT_TRUE(std::isnan(script.compare(other, images).max_difference));
    EXPECT_FALSE(script.compare(other, images).holds());
}

// Operations with any number of arguments are told how many there are.
TEST_F(TorchScriptFile, MayFormatMessages)
{
    torch::jit::Module module("Talking");
    module.register_parameter("weight", torch::ones({2, 4}), false);
    module.define(R"(
def forward(self, x):
    print("batch {} of {} and {}".format(x.size(0), x.size(2), x.dim()))
    assert x.size(1) == 1, "%d channels of %d" % (x.size(1), x.size(3))
    text = "{}{}{}".format(x.dim(), "-", x.size(2))
    if text != "4-2":
        x = x * 0
    return torch.linear(x.flatten(1), self.weight)
)");
    module.save(file_.string());
    const ImportedNetwork result = imported();
    EXPECT_EQ(result.network.graph.nodes().size(), 3U);
    EXPECT_TRUE(TorchScript(file_).compare_on_noise(result.network, 8, 1).holds());
}

// A text that holds the batch size is for messages only: what depends on it is refused, not guessed.
TEST_F(TorchScriptFile, DoesNotComputeWithTheTextOfTheBatchSize)
{
    torch::jit::Module module("Guess");
    module.register_parameter("weight", torch::ones({2, 4}), false);
    module.define(R"(
def forward(self, x):
    if "{}".format(x.size(0)) == "1":
        x = x * 0
    return torch.linear(x.flatten(1), self.weight)
)");
    module.save(file_.string());
    EXPECT_THROW(static_cast<void>(imported()), DataError);
}

TEST_F(TorchScriptFile, HasAsManyClassesAsOutputs)
{
    EXPECT_EQ(imported().network.num_classes, 2);
}

TEST_F(TorchScriptFile, IsRefusedForOtherImages)
{
    const TorchScript script(file_);
    EXPECT_THROW(static_cast<void>(script.to_network({1, 3, 3}, kPlain)), DataError);
}

}  // namespace
}  // namespace flipstorm
