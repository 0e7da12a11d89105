// train.checkpoint: whole, or refused with the reason.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "engine/base/durable_file.hpp"
#include "engine/base/framed_bytes.hpp"
#include "jobs/bench/bench_training.hpp"
#include "jobs/resolve/train_options.hpp"
#include "jobs/stages/train_checkpoint.hpp"

namespace flipstorm
{
namespace
{

TrainCheckpoint sample()
{
    TrainCheckpoint checkpoint;
    checkpoint.stage_sha256 = "abcdef0123456789";
    TrainingState& state = checkpoint.state;
    state.step = 17;
    state.parameters = {{1.5F, -0.0F, 1e-45F}, {}, {std::numeric_limits<float>::max()}};
    state.momentum = {{0.1F, 0.2F, 0.3F}, {}};
    state.ranges = {0, 2.5F};
    state.loss_sum = 12.3456789;
    state.correct = 99;
    state.seconds = 0.5;
    state.curve = {{1, 2.5, 0.25, 0.1, 3.5}, {2, 1.5, 0.75, 0.05, 3.25}};
    return checkpoint;
}

std::string refusal(const std::string& bytes)
{
    try
    {
        static_cast<void>(decode_checkpoint(bytes));
    }
    catch (const FrameError& error)
    {
        return error.what();
    }
    return "not refused";
}

TEST(TrainCheckpoint, ComesBackAsItWas)
{
    const TrainCheckpoint want = sample();
    const TrainCheckpoint got = decode_checkpoint(encode_checkpoint(want));
    EXPECT_EQ(got.stage_sha256, want.stage_sha256);
    EXPECT_EQ(got.state.step, want.state.step);
    EXPECT_EQ(got.state.parameters, want.state.parameters);
    EXPECT_TRUE(std::signbit(got.state.parameters[0][1]));
    EXPECT_EQ(got.state.momentum, want.state.momentum);
    EXPECT_EQ(got.state.ranges, want.state.ranges);
    EXPECT_EQ(got.state.loss_sum, want.state.loss_sum);
    EXPECT_EQ(got.state.correct, want.state.correct);
    EXPECT_EQ(got.state.seconds, want.state.seconds);
    ASSERT_EQ(got.state.curve.size(), 2U);
    EXPECT_EQ(got.state.curve[1].epoch, 2);
    EXPECT_EQ(got.state.curve[1].loss, 1.5);
    EXPECT_EQ(got.state.curve[1].train_accuracy, 0.75);
    EXPECT_EQ(got.state.curve[1].learning_rate, 0.05);
    EXPECT_EQ(got.state.curve[1].seconds, 3.25);
}

TEST(TrainCheckpoint, OfVersionOneHasNoRanges)
{
    const auto frame = [](std::uint32_t version) {
        return Frame{std::string_view("\x89"
                                      "FST\r\n\x1a\n",
                                      8),
                     version, "a training checkpoint"};
    };
    TrainCheckpoint want = sample();
    want.state.ranges.clear();
    std::string payload(payload_of(frame(2), encode_checkpoint(want)));
    payload.resize(payload.size() - sizeof(std::uint64_t));  // that there are none
    const TrainCheckpoint got = decode_checkpoint(framed(frame(1), payload));
    EXPECT_EQ(got.stage_sha256, want.stage_sha256);
    EXPECT_EQ(got.state.parameters, want.state.parameters);
    EXPECT_EQ(got.state.curve.size(), 2U);
    EXPECT_TRUE(got.state.ranges.empty());
    EXPECT_NE(refusal(framed(frame(2), payload)), "not refused");
}

TEST(TrainCheckpoint, DamageOfAnyKindIsSeen)
{
    const std::string whole = encode_checkpoint(sample());
    EXPECT_EQ(refusal(whole), "not refused");
    for (std::size_t length = 0; length < whole.size(); ++length)
        ASSERT_NE(refusal(whole.substr(0, length)), "not refused") << length;
    for (std::size_t place = 0; place < whole.size(); ++place)
    {
        std::string flipped = whole;
        flipped[place] = static_cast<char>(flipped[place] ^ 0x10);
        ASSERT_NE(refusal(flipped), "not refused") << place;
    }
    EXPECT_NE(refusal("").find("empty"), std::string::npos);
    EXPECT_NE(refusal(std::string(100, 'x')).find("magic"), std::string::npos);
    std::string other_version = whole;
    other_version[8] = 9;
    EXPECT_NE(refusal(other_version).find("version 9"), std::string::npos);
}

TEST(TrainCheckpoint, LengthsBehindAValidCrcAreNotBelieved)
{
    const Frame frame{std::string_view("\x89"
                                       "FST\r\n\x1a\n",
                                       8),
                      2, "a training checkpoint"};
    const std::string payload(payload_of(frame, encode_checkpoint(sample())));
    std::size_t lengths = 0;
    for (std::size_t place = 0; place + 8 <= payload.size(); ++place)
    {
        std::string hostile = payload;
        hostile.replace(place, 8, std::string("\0\0\0\0\0\x10\0\0", 8));
        const std::string reason = refusal(framed(frame, hostile));
        lengths += reason.find("more than fit") != std::string::npos ? 1U : 0U;
    }
    // Of two texts, the lists of parameters and of momenta, the five lists in them, and the curve.
    EXPECT_GE(lengths, 10U);
}

TEST(TrainCheckpoint, TheHeaderBehindAValidCrcIsNotBelieved)
{
    const Frame frame{std::string_view("\x89"
                                       "FST\r\n\x1a\n",
                                       8),
                      2, "a training checkpoint"};
    const std::string file = encode_checkpoint(sample());
    const std::string payload(payload_of(frame, file));
    // "serialization::archive" and its length, then the version: Boost asserts that it is there.
    constexpr std::size_t kVersion = 8 + 22;
    for (std::size_t length = 0; length < kVersion + 2; ++length)
    {
        EXPECT_NE(refusal(framed(frame, payload.substr(0, length))).find("shorter than an archive's header"),
                  std::string::npos)
            << length;
    }
    for (std::size_t length = kVersion + 2; length < payload.size(); ++length)
        EXPECT_NE(refusal(framed(frame, payload.substr(0, length))), "not refused") << length;
    std::string old = payload;
    old[kVersion] = 6;
    EXPECT_NE(refusal(framed(frame, old)).find("version 6, the oldest that is read is 8"), std::string::npos)
        << refusal(framed(frame, old));
}

Network small_network()
{
    Graph graph({4});
    graph.add("fc", LinearOp{4, 3, true}, {NodeId(0)});
    Network network{"test", NumberFormat::fp32, graph, 3, {}, {}};
    for (const ParameterSpec& spec : graph.parameters())
    {
        const auto count = static_cast<std::size_t>(elements(spec.shape));
        network.parameters.push_back({spec.name, spec.shape, std::vector<float>(count)});
    }
    return network;
}

TEST(TrainCheckpoint, AStateOfAnotherTrainingIsAMisfit)
{
    const Network network = small_network();
    TrainingState good;
    good.step = 7;
    good.parameters = {std::vector<float>(12), std::vector<float>(3)};
    good.momentum = good.parameters;
    good.curve = {{1, 2.5, 0.25, 0.1, 3.5}};
    EXPECT_EQ(misfit(good, network, 5, 2), "");
    const auto problem = [&](const std::function<void(TrainingState&)>& change) {
        TrainingState state = good;
        change(state);
        return misfit(state, network, 5, 2);
    };
    EXPECT_NE(problem([](TrainingState& s) { s.step = -1; }).find("step -1 of 10"), std::string::npos);
    EXPECT_NE(problem([](TrainingState& s) { s.step = 11; }).find("step 11 of 10"), std::string::npos);
    EXPECT_NE(problem([](TrainingState& s) { s.curve.clear(); }).find("0 epochs"), std::string::npos);
    EXPECT_NE(problem([](TrainingState& s) { s.curve[0].epoch = 4; }).find("called 4"), std::string::npos);
    EXPECT_NE(problem([](TrainingState& s) { s.correct = -1; }), "");
    EXPECT_NE(problem([](TrainingState& s) { s.loss_sum = std::nan(""); }), "");
    EXPECT_NE(problem([](TrainingState& s) { s.parameters[1].resize(4); }).find("network"),
              std::string::npos);
    EXPECT_NE(problem([](TrainingState& s) { s.momentum.pop_back(); }).find("network"), std::string::npos);
    EXPECT_NE(problem([](TrainingState& s) { s.ranges = {1, 1}; }).find("2 ranges"), std::string::npos);

    FormatChoice int8;
    int8.format = NumberFormat::int8;
    EXPECT_NE(misfit(good, network, 5, 2, int8).find("0 ranges"), std::string::npos);
    TrainingState quantised = good;
    quantised.ranges = {1, 0};
    EXPECT_EQ(misfit(quantised, network, 5, 2, int8), "");
    quantised.ranges = {1, std::numeric_limits<float>::infinity()};
    EXPECT_NE(misfit(quantised, network, 5, 2, int8).find("range of inf"), std::string::npos);
    quantised.ranges = {-1, 0};
    EXPECT_NE(misfit(quantised, network, 5, 2, int8).find("range of -1"), std::string::npos);
}

TEST(TrainCheckpoint, IsReadForItsOwnTrainingOnly)
{
    const std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("flipstorm-checkpoint-" + std::to_string(getpid()));
    std::filesystem::create_directory(folder);
    const std::filesystem::path file = folder / kTrainCheckpoint;
    EXPECT_FALSE(read_checkpoint(file, "abcdef0123456789").has_value());
    write_file_durably(file, encode_checkpoint(sample()));
    ASSERT_TRUE(read_checkpoint(file, "abcdef0123456789").has_value());
    EXPECT_EQ(read_checkpoint(file, "abcdef0123456789")->step, 17);
    EXPECT_THROW(static_cast<void>(read_checkpoint(file, "another")), JobError);
    std::ofstream(file, std::ios::app) << "x";
    EXPECT_FALSE(read_checkpoint(file, "abcdef0123456789").has_value());
    std::filesystem::remove_all(folder);
}

TEST(TrainOptions, AreTheJobs)
{
    Job job;
    job.train.loss = "bce";
    job.train.augment = "crop_flip";
    job.train.batch_norm = "local";
    job.train.clip = 1;
    job.fault_aware = {"diehardnet", "line", 0.5, 0.25, 2};
    job.job.seed = 9;
    const TrainOptions options = train_options(job);
    EXPECT_EQ(options.loss, Loss::bce);
    EXPECT_EQ(options.augment, Augment::crop_flip);
    EXPECT_EQ(options.batch_norm, BatchNormScope::local);
    EXPECT_EQ(options.clip, 1.0);
    EXPECT_EQ(options.seed, 9U);
    EXPECT_EQ(options.fault_aware.rule, FaultRule::diehardnet);
    EXPECT_EQ(options.fault_aware.geometry, Geometry::line);
    EXPECT_EQ(options.fault_aware.image_share, 0.5);
    EXPECT_EQ(options.fault_aware.channel_probability, 0.25);
    EXPECT_EQ(options.fault_aware.magnitude, 2.0);
    EXPECT_EQ(train_options(Job{}).fault_aware.rule, FaultRule::none);
    EXPECT_EQ(train_options(Job{}).format.format, NumberFormat::fp32);
    job.model.format = "fxp8";
    EXPECT_EQ(train_options(job).format.format, NumberFormat::fxp8);
}

TEST(TrainingBench, CostsAreRelativeToTheMedianStep)
{
    EXPECT_EQ(quantile({4, 1, 3, 2}, 0.5), 2.5);
    EXPECT_EQ(quantile({4, 1, 3, 2, 5}, 0.25), 2.0);
    EXPECT_EQ(quantile({7}, 0.75), 7.0);
    const TrainingBench bench{{0.1, 0.2, 0.4}, {0.11, 0.22, 0.38}};
    const std::vector<double> costs = injection_costs(bench);
    EXPECT_NEAR(costs[0], 0.05, 1e-12);
    EXPECT_NEAR(costs[1], 0.1, 1e-12);
    EXPECT_NEAR(costs[2], -0.1, 1e-12);
    const std::string text = training_bench_text(bench);
    EXPECT_NE(text.find("3 pairs"), std::string::npos);
    EXPECT_NE(text.find("200.0 ms (150.0, 300.0)"), std::string::npos) << text;
    EXPECT_NE(text.find("5.00 % of a step (-2.50, 7.50)"), std::string::npos) << text;
}

}  // namespace
}  // namespace flipstorm
