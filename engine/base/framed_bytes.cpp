#include "engine/base/framed_bytes.hpp"

#include <zlib.h>

namespace flipstorm
{
namespace
{

constexpr std::size_t kMagicBytes = 8;
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

std::string framed(const Frame& frame, std::string_view payload)
{
    FS_REQUIRE(frame.magic.size() == kMagicBytes, "a magic of {} bytes", frame.magic.size());
    std::string file(frame.magic);
    file.reserve(kHeaderBytes + payload.size());
    put_little_endian(file, frame.version);
    put_little_endian(file, std::uint64_t{payload.size()});
    put_little_endian(file, crc_of(payload));
    file += payload;
    return file;
}

std::uint32_t version_of(std::string_view file)
{
    return get_little_endian<std::uint32_t>(file.substr(kMagicBytes));
}

std::string_view payload_of(const Frame& frame, std::string_view file)
{
    FS_CHECK(FrameError, !file.empty(), "it is empty");
    const std::string_view magic = file.substr(0, kMagicBytes);
    FS_CHECK(FrameError, magic == frame.magic.substr(0, magic.size()), "it is not {} (wrong magic)",
             frame.name);
    FS_CHECK(FrameError, file.size() >= kHeaderBytes, "it is torn: {} bytes, shorter than its header",
             file.size());
    const std::uint32_t version = version_of(file);
    const std::uint32_t oldest = frame.oldest > 0 ? frame.oldest : frame.version;
    FS_CHECK(
        FrameError, version >= oldest && version <= frame.version,
        "it has format version {}, this program reads {}", version,
        oldest == frame.version ? std::to_string(oldest) : fmt::format("{} to {}", oldest, frame.version));
    const auto length = get_little_endian<std::uint64_t>(file.substr(12));
    const std::string_view payload = file.substr(kHeaderBytes);
    FS_CHECK(FrameError, payload.size() == length, "it is torn: {} bytes of content, {} expected",
             payload.size(), length);
    const auto crc = get_little_endian<std::uint32_t>(file.substr(20));
    FS_CHECK(FrameError, crc_of(payload) == crc, "it is damaged: its CRC-32 is {:08x}, {:08x} expected",
             crc_of(payload), crc);
    return payload;
}

}  // namespace flipstorm
