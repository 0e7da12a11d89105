#include "jobs/train_checkpoint.hpp"

#include <boost/archive/binary_iarchive.hpp>
#include <boost/archive/binary_oarchive.hpp>
#include <boost/serialization/string.hpp>
#include <boost/serialization/vector.hpp>
#include <cstdint>
#include <new>
#include <sstream>
#include <stdexcept>

#include "engine/base/durable_file.hpp"
#include "engine/base/framed_bytes.hpp"
#include "engine/base/log.hpp"

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
                       1, "a training checkpoint"};

}  // namespace

std::string encode_checkpoint(const TrainCheckpoint& checkpoint)
{
    std::ostringstream out(std::ios::binary);
    {
        boost::archive::binary_oarchive archive(out);
        archive << checkpoint.stage_sha256 << checkpoint.state;
    }
    return framed(kFrame, out.str());
}

TrainCheckpoint decode_checkpoint(std::string_view file)
{
    const std::string_view payload = payload_of(kFrame, file);
    try
    {
        std::istringstream in(std::string(payload), std::ios::binary);
        boost::archive::binary_iarchive archive(in);
        TrainCheckpoint checkpoint;
        archive >> checkpoint.stage_sha256 >> checkpoint.state;
        return checkpoint;
    }
    catch (const boost::archive::archive_exception& error)
    {
        throw FrameError("its archive cannot be read: {}", error.what());
    }
}

std::optional<TrainingState> read_checkpoint(const std::filesystem::path& file,
                                             const std::string& stage_sha256)
{
    if (!std::filesystem::exists(file)) return std::nullopt;
    TrainCheckpoint checkpoint;
    try
    {
        checkpoint = decode_checkpoint(read_file(file));
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
