// A training on several ranks, and one that is interrupted, against one that is neither.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/base/error.hpp"
#include "engine/data/synthetic.hpp"
#include "engine/network/builders.hpp"
#include "engine/train/train.hpp"
#include "engine/train/trainer.hpp"
#include "thread_ranks.hpp"

namespace flipstorm
{
namespace
{

class DataParallel : public ::testing::Test
{
  protected:
    DataParallel()
        : data_(make_synthetic_dataset(4, {43, 20, 3, 16, 16, 10})),
          network_(build_network("resnet20", {3, 16, 16}, 10, data_.normalisation, 3,
                                 {Activation::relu6, LayerOrder::conv_act_norm, Shortcut::projection,
                                  Initialisation::kaiming_normal}))
    {
        set_compute_threads(1);
        options_.epochs = 2;
        options_.batch = 10;  // 43 images: the last batch has three, fewer than there are ranks
        options_.lr = 0.001;
        options_.clip = 1;
        options_.loss = Loss::bce;
        options_.schedule = Schedule::cosine;
        options_.augment = Augment::crop_flip;
        options_.fault_aware.rule = FaultRule::paper;
    }

    /// Train from the beginning on so many ranks; all end with the same network.
    Network trained_on(int size, std::vector<EpochReport>* curve = nullptr) const
    {
        std::vector<Network> networks(static_cast<std::size_t>(size), network_);
        on_threads(size, [&](TrainingRanks& ranks) {
            TrainingState state;
            EXPECT_TRUE(train(networks[static_cast<std::size_t>(ranks.rank())], data_.train, options_, ranks,
                              state, {}));
            if (ranks.rank() == 0 && curve != nullptr) *curve = state.curve;
        });
        for (const Network& network : networks)
            EXPECT_EQ(digest(network), digest(networks.front())) << "the ranks have different networks";
        return networks.front();
    }

    /// Largest difference of two networks' weights, relative to the largest weight; or of their running
    /// statistics.
    static double distance(const Network& a, const Network& b, bool statistics = false)
    {
        double difference = 0;
        double largest = 0;
        for (std::size_t i = 0; i < a.parameters.size(); ++i)
        {
            const Parameter& parameter = a.parameters[i];
            if ((parameter.name.find(".running_") != std::string::npos) != statistics) continue;
            for (std::size_t k = 0; k < parameter.values().size(); ++k)
            {
                const double x = parameter.values()[k];
                difference = std::max(difference, std::abs(x - b.parameters[i].values()[k]));
                largest = std::max(largest, std::abs(x));
            }
        }
        return difference / largest;
    }

    /// Rounding alone tells the networks apart. It may flip a ReLU, which changes a gradient by a percent or
    /// so: hence the small learning rate, and a bound on the difference of what was learnt.
    void expect_same_but_rounding(const Network& a, const Network& b) const
    {
        EXPECT_LT(distance(a, b), 1e-5);
        EXPECT_LT(distance(a, b, true), 1e-4);
        EXPECT_LT(distance(a, b), 0.1 * distance(a, network_));
    }

    Dataset data_;
    Network network_;
    TrainOptions options_;
};

TEST_F(DataParallel, TheNumberOfRanksDoesNotMatter)
{
    std::vector<EpochReport> curve;
    const Network one = trained_on(1, &curve);
    ASSERT_EQ(curve.size(), 2U);
    for (const int size : {2, 4})
    {
        std::vector<EpochReport> same;
        expect_same_but_rounding(one, trained_on(size, &same));
        for (std::size_t e = 0; e < 2; ++e)
        {
            EXPECT_NEAR(same[e].loss, curve[e].loss, 1e-4);
            EXPECT_EQ(same[e].train_accuracy, curve[e].train_accuracy);
            EXPECT_EQ(same[e].learning_rate, curve[e].learning_rate);
        }
    }
}

TEST_F(DataParallel, TheCodesRuleDoesNotCareEither)
{
    options_.fault_aware.rule = FaultRule::diehardnet;
    options_.fault_aware.geometry = Geometry::random;
    options_.epochs = 1;
    const Network one = trained_on(1);
    expect_same_but_rounding(one, trained_on(3));
}

TEST_F(DataParallel, LocalBatchNormsDiffer)
{
    options_.batch = 11;  // 43 = 3 · 11 + 10
    options_.epochs = 1;
    const Network one = trained_on(1);
    options_.batch_norm = BatchNormScope::local;
    const double apart = distance(one, trained_on(2));
    EXPECT_GT(apart, 0.1 * distance(one, network_));
    EXPECT_LT(apart, 10 * distance(one, network_));
    options_.batch = 10;  // the last batch has three images for two ranks
    EXPECT_THROW(trained_on(2), JobError);
}

TEST_F(DataParallel, FaultsChangeTheTraining)
{
    const Network with = trained_on(1);
    options_.fault_aware.rule = FaultRule::none;
    EXPECT_GT(distance(with, trained_on(1)), 0.1 * distance(with, network_));
}

TEST_F(DataParallel, AnInterruptedTrainingEndsAsAnUninterruptedOne)
{
    for (const int size : {1, 2})
    {
        const Network whole = trained_on(size);
        // Stopped on one rank after step 4, in the middle of an epoch; all save the same state.
        std::vector<TrainingState> saved(static_cast<std::size_t>(size));
        std::vector<Network> networks(static_cast<std::size_t>(size), network_);
        on_threads(size, [&](TrainingRanks& ranks) {
            const auto rank = static_cast<std::size_t>(ranks.rank());
            TrainingState state;
            int asked = 0;
            TrainObserver observer;
            observer.should_stop = [&asked, &ranks, size] {
                return ranks.rank() == size - 1 && ++asked == 4;
            };
            observer.save = [&saved, rank](const TrainingState& now) { saved[rank] = now; };
            EXPECT_FALSE(train(networks[rank], data_.train, options_, ranks, state, observer));
            EXPECT_EQ(digest(networks[rank]), digest(network_)) << "a stopped training changed the network";
        });
        for (const TrainingState& state : saved)
        {
            EXPECT_EQ(state.step, 4);
            EXPECT_EQ(state.parameters, saved[0].parameters);
            EXPECT_EQ(state.momentum, saved[0].momentum);
        }
        std::vector<EpochReport> curve;
        on_threads(size, [&](TrainingRanks& ranks) {
            const auto rank = static_cast<std::size_t>(ranks.rank());
            TrainingState state = saved[0];
            EXPECT_TRUE(train(networks[rank], data_.train, options_, ranks, state, {}));
            if (rank == 0) curve = state.curve;
        });
        EXPECT_EQ(digest(networks[0]), digest(whole)) << size;
        ASSERT_EQ(curve.size(), 2U);
        EXPECT_EQ(curve[1].epoch, 2);
    }
}

TEST_F(DataParallel, StatesOfOtherNetworksAreRefused)
{
    TrainingState state;
    state.step = 1;
    state.parameters = {{1}};
    TrainingRanks alone;
    EXPECT_THROW(train(network_, data_.train, options_, alone, state, {}), DataError);
    state.step = 1000;
    EXPECT_THROW(train(network_, data_.train, options_, alone, state, {}), DataError);
}

}  // namespace
}  // namespace flipstorm
