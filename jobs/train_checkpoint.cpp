#include "jobs/train_checkpoint.hpp"

#include <zlib.h>

#include <boost/archive/binary_iarchive.hpp>
#include <boost/archive/binary_oarchive.hpp>
#include <boost/serialization/string.hpp>
#include <boost/serialization/vector.hpp>
#include <cstdint>
#include <new>
#include <sstream>
#include <stdexcept>

#include "engine/base/durable_file.hpp"
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

constexpr std::string_view kMagic(
    "\x89"
    "FST\r\n\x1a\n",
    8);
constexpr std::uint32_t kFormatVersion = 1;
constexpr std::size_t kHeaderBytes = 24;

template<class Int>
void put_little_endian(std::string& out, Int value)
{
    for (std::size_t i = 0; i < sizeof(Int); ++i)
        out += static_cast<char>((value >> (8 * i)) & 0xffU);
}

template<class Int>
Int get_little_endian(std::string_view bytes)
{
    Int value = 0;
    for (std::size_t i = 0; i < sizeof(Int); ++i)
        value |= static_cast<Int>(static_cast<Int>(static_cast<unsigned char>(bytes[i])) << (8 * i));
    return value;
}

std::uint32_t crc_of(std::string_view bytes)
{
    return static_cast<std::uint32_t>(
        crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

}  // namespace

std::string encode_checkpoint(const TrainCheckpoint& checkpoint)
{
    std::ostringstream out(std::ios::binary);
    {
        boost::archive::binary_oarchive archive(out);
        archive << checkpoint.stage_sha256 << checkpoint.state;
    }
    const std::string payload = out.str();
    std::string file(kMagic);
    put_little_endian(file, kFormatVersion);
    put_little_endian(file, std::uint64_t{payload.size()});
    put_little_endian(file, crc_of(payload));
    return file + payload;
}

TrainCheckpoint decode_checkpoint(std::string_view file)
{
    FS_CHECK(CheckpointError, file.size() >= kHeaderBytes, "it is torn: {} bytes, shorter than its header",
             file.size());
    FS_CHECK(CheckpointError, file.substr(0, kMagic.size()) == kMagic,
             "it is not a training checkpoint (wrong magic)");
    const auto version = get_little_endian<std::uint32_t>(file.substr(8));
    FS_CHECK(CheckpointError, version == kFormatVersion, "it has format version {}, this program reads {}",
             version, kFormatVersion);
    const auto length = get_little_endian<std::uint64_t>(file.substr(12));
    const std::string_view payload = file.substr(kHeaderBytes);
    FS_CHECK(CheckpointError, payload.size() == length, "it is torn: {} bytes of content, {} expected",
             payload.size(), length);
    const auto crc = get_little_endian<std::uint32_t>(file.substr(20));
    FS_CHECK(CheckpointError, crc_of(payload) == crc, "it is damaged: its CRC-32 is {:08x}, {:08x} expected",
             crc_of(payload), crc);
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
        throw CheckpointError("its archive cannot be read: {}", error.what());
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
    catch (const CheckpointError& error)
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
