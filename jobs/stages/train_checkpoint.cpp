#include "jobs/stages/train_checkpoint.hpp"

#include <boost/archive/binary_oarchive.hpp>
#include <boost/serialization/string.hpp>
#include <boost/serialization/vector.hpp>
#include <cmath>
#include <cstdint>
#include <sstream>

#include "engine/base/durable_file.hpp"
#include "engine/base/framed_bytes.hpp"
#include "engine/base/log.hpp"
#include "mpi/checked_archive.hpp"

BOOST_CLASS_IMPLEMENTATION(flipstorm::EpochReport, boost::serialization::object_serializable)
BOOST_CLASS_IMPLEMENTATION(flipstorm::TrainingState, boost::serialization::object_serializable)
BOOST_CLASS_TRACKING(flipstorm::EpochReport, boost::serialization::track_never)
BOOST_CLASS_TRACKING(flipstorm::TrainingState, boost::serialization::track_never)

namespace boost::serialization
{

template<class Archive>
void serialize(Archive& archive, flipstorm::EpochReport& report, unsigned /*version*/)
{
    archive& report.epoch& report.loss& report.train_accuracy& report.learning_rate& report.seconds;
}

template<class Archive>
void serialize(Archive& archive, flipstorm::TrainingState& state, unsigned /*version*/)
{
    archive& state.step& state.parameters& state.momentum& state.loss_sum& state.correct& state.seconds& state
        .curve;
}

}  // namespace boost::serialization

namespace flipstorm
{
namespace
{

constexpr Frame kFrame{std::string_view("\x89"
                                        "FST\r\n\x1a\n",
                                        8),
                       2, "a training checkpoint", 1};
constexpr std::uint32_t kFirstWithRanges = 2;

constexpr std::uint64_t kLongestCheckpoint = std::uint64_t{16} << 30U;  ///< bytes

}  // namespace

std::string encode_checkpoint(const TrainCheckpoint& checkpoint)
{
    std::ostringstream out(std::ios::binary);
    {
        boost::archive::binary_oarchive archive(out);
        archive << checkpoint.stage_sha256 << checkpoint.state << checkpoint.state.ranges;
    }
    return framed(kFrame, out.str());
}

TrainCheckpoint decode_checkpoint(std::string_view file)
{
    TrainCheckpoint checkpoint;
    const std::string_view payload = payload_of(kFrame, file);
    const bool has_ranges = version_of(file) >= kFirstWithRanges;
    read_archive(payload, 0, [&checkpoint, has_ranges](CheckedArchive& archive) {
        archive >> checkpoint.stage_sha256 >> checkpoint.state;
        if (has_ranges) archive >> checkpoint.state.ranges;
    });
    return checkpoint;
}

std::string misfit(const TrainingState& state, const Network& network, std::int64_t steps_per_epoch,
                   std::int64_t epochs, const FormatChoice& format)
{
    if (state.step < 0 || state.step > steps_per_epoch * epochs)
        return fmt::format("it is of step {} of {}", state.step, steps_per_epoch * epochs);
    const auto done = static_cast<std::size_t>(state.step / steps_per_epoch);
    if (state.curve.size() != done)
        return fmt::format("it has {} epochs of figures, not {}", state.curve.size(), done);
    for (std::size_t i = 0; i < done; ++i)
    {
        if (state.curve[i].epoch != static_cast<std::int64_t>(i) + 1)
            return fmt::format("its epoch {} is called {}", i + 1, state.curve[i].epoch);
    }
    if (state.correct < 0 || !std::isfinite(state.loss_sum) || !(state.seconds >= 0))
        return "its figures of the epoch under way are impossible";
    std::vector<std::size_t> all;
    std::vector<std::size_t> trained;
    const std::vector<ParameterSpec> specs = network.graph.parameters();
    for (std::size_t i = 0; i < specs.size(); ++i)
    {
        all.push_back(network.parameters[i].values().size());
        if (specs[i].trainable) trained.push_back(all.back());
    }
    const auto sizes = [](const std::vector<std::vector<float>>& values) {
        std::vector<std::size_t> found;
        for (const std::vector<float>& each : values)
            found.push_back(each.size());
        return found;
    };
    if (sizes(state.parameters) != all || sizes(state.momentum) != trained)
        return "its parameters are those of another network";
    const std::size_t ranges = format.in_integers() ? network.graph.nodes().size() : 0;
    if (state.ranges.size() != ranges)
        return fmt::format("it has {} ranges of values, not {}", state.ranges.size(), ranges);
    for (const float range : state.ranges)
    {
        if (!std::isfinite(range) || range < 0) return fmt::format("it has a range of {}", range);
    }
    return {};
}

std::optional<TrainingState> read_checkpoint(const std::filesystem::path& file,
                                             const std::string& stage_sha256)
{
    if (!std::filesystem::exists(file)) return std::nullopt;
    TrainCheckpoint checkpoint;
    try
    {
        checkpoint = decode_checkpoint(read_file(file, kLongestCheckpoint));
    }
    catch (const FrameError& error)
    {
        log_warning("checkpoint '{}' is ignored, the training begins anew: {}", file.string(), error.what());
        return std::nullopt;
    }
    FS_CHECK(
        JobError, checkpoint.stage_sha256 == stage_sha256,
        "the out folder holds the training of another job ('{}' is of {:.12}…, this job is {:.12}…): use "
        "--fresh to discard it, or another --out",
        file.string(), checkpoint.stage_sha256, stage_sha256);
    return std::move(checkpoint.state);
}

}  // namespace flipstorm
