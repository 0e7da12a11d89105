#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/compute/torch/inference.hpp"
#include "engine/data/synthetic.hpp"
#include "engine/network/builders.hpp"
#include "engine/train/train.hpp"

namespace flipstorm
{
namespace
{

// torch.optim.lr_scheduler.OneCycleLR(max_lr=0.1, total_steps=10).get_last_lr() of PyTorch 1.13, step by
// step.
TEST(Schedule, OneCycleGivesPyTorchsValues)
{
    const double expected[] = {0.004,
                               0.052,
                               0.1,
                               0.09504846320134738,
                               0.08117456539497631,
                               0.06112620219362893,
                               0.03887419780637108,
                               0.018825834605023698,
                               0.004951936798652636,
                               4.0e-07};
    for (int step = 0; step < 10; ++step)
    {
        EXPECT_NEAR(learning_rate(Schedule::one_cycle, 0.1, step, 10), expected[step], 1e-9) << step;
    }
}

TEST(Schedule, CosineAndConstant)
{
    EXPECT_DOUBLE_EQ(learning_rate(Schedule::cosine, 0.2, 0, 100), 0.2);
    EXPECT_NEAR(learning_rate(Schedule::cosine, 0.2, 50, 100), 0.1, 1e-12);
    EXPECT_DOUBLE_EQ(learning_rate(Schedule::constant, 0.2, 99, 100), 0.2);
    EXPECT_THROW(learning_rate(Schedule::cosine, 0.2, 100, 100), Error);
    EXPECT_THROW(schedule_from("triangle"), JobError);
    // One step in all must not divide by zero.
    for (const std::int64_t steps : {1, 2, 3, 4})
    {
        for (std::int64_t step = 0; step < steps; ++step)
        {
            const double lr = learning_rate(Schedule::one_cycle, 0.1, step, steps);
            EXPECT_GE(lr, 0.0);
            EXPECT_LE(lr, 0.1 + 1e-12);
        }
    }
}

class Train : public ::testing::Test
{
  protected:
    Train()
        : data_(make_synthetic_dataset(2, {600, 200, 1, 28, 28, 10})),
          network_(build_network("lenet5", {1, 28, 28}, 10, data_.normalisation, 2))
    {
        set_compute_threads(1);
        options_.epochs = 3;
        options_.batch = 64;
        options_.lr = 0.05;
    }

    bool run(Network& network) const
    {
        return train(
            network, data_.train, options_, [](const EpochReport&) {}, [] { return false; });
    }

    Dataset data_;
    Network network_;
    TrainOptions options_;
};

TEST_F(Train, LearnsTheSyntheticImages)
{
    EXPECT_LT(accuracy(network_, data_.test, {}), 0.4);
    ASSERT_TRUE(run(network_));
    EXPECT_GT(accuracy(network_, data_.test, {}), 0.9);
}

TEST_F(Train, LogitsAreThoseThatAccuracyJudges)
{
    ASSERT_TRUE(run(network_));
    const ImageSet images = data_.train.head(501);  // batches of unequal size
    const std::vector<float> logits = logits_of(network_, images, {});
    ASSERT_EQ(logits.size(), 501U * 10U);
    int correct = 0;
    for (std::size_t n = 0; n < 501; ++n)
    {
        const auto row = logits.begin() + static_cast<std::ptrdiff_t>(10 * n);
        correct += std::max_element(row, row + 10) - row == images.labels[n] ? 1 : 0;
    }
    EXPECT_EQ(correct / 501.0, accuracy(network_, images, {}));
}

TEST_F(Train, IsReproducible)
{
    Network again = network_;
    ASSERT_TRUE(run(network_));
    ASSERT_TRUE(run(again));
    EXPECT_EQ(digest(network_), digest(again));
}

TEST_F(Train, StopsWhenAskedAndKeepsTheParameters)
{
    const std::string before = digest(network_);
    int asked = 0;
    EXPECT_FALSE(train(
        network_, data_.train, options_, [](const EpochReport&) {}, [&] { return ++asked > 5; }));
    EXPECT_EQ(digest(network_), before);
}

TEST_F(Train, NamesADivergedTraining)
{
    options_.lr = 1e6;
    options_.schedule = Schedule::constant;
    EXPECT_THROW(run(network_), DataError);
}

}  // namespace
}  // namespace flipstorm
