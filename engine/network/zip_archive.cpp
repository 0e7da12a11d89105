#include "engine/network/zip_archive.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// Size or position that a field of 32 bits cannot hold.
constexpr std::uint64_t kTooLarge = std::numeric_limits<std::uint32_t>::max();

/// Little-endian numbers and pieces of an archive; all throw FileError beyond its end.
class Bytes
{
  public:
    Bytes(std::string_view content, const std::string& file) : content_(content), file_(file) {}

    [[nodiscard]] std::string_view at(std::uint64_t position, std::uint64_t size) const
    {
        FS_CHECK(FileError, position <= content_.size() && size <= content_.size() - position,
                 "'{}' is truncated or damaged: byte {} of {} is asked for", file_, position + size,
                 content_.size());
        return content_.substr(position, size);
    }
    [[nodiscard]] std::uint64_t number(std::uint64_t position, int bytes) const
    {
        std::uint64_t value = 0;
        for (const char byte : at(position, static_cast<std::uint64_t>(bytes)))
            value = (value >> 8U) | (std::uint64_t{static_cast<unsigned char>(byte)} << 56U);
        return value >> static_cast<unsigned>(64 - 8 * bytes);
    }
    [[nodiscard]] bool has(std::uint64_t position, std::string_view signature) const
    {
        return at(position, signature.size()) == signature;
    }

  private:
    std::string_view content_;
    const std::string& file_;
};

/// zlib's CRC-32 of any number of bytes.
std::uint64_t checksum(std::string_view bytes)
{
    uLong crc = crc32(0, nullptr, 0);
    constexpr std::size_t kPiece = std::size_t{1} << 30U;
    for (std::size_t at = 0; at < bytes.size(); at += kPiece)
    {
        const std::string_view piece = bytes.substr(at, kPiece);
        crc = crc32(crc, reinterpret_cast<const Bytef*>(piece.data()), static_cast<uInt>(piece.size()));
    }
    return crc;
}

/// Checksum of what deflated bytes unpack to; a number that is no CRC-32 if they do not.
std::uint64_t checksum_unpacked(std::string_view bytes)
{
    constexpr std::uint64_t kBroken = std::numeric_limits<std::uint64_t>::max();
    z_stream stream{};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return kBroken;
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());  // less than 4 GiB
    std::string buffer(std::size_t{1} << 16U, '\0');
    uLong crc = crc32(0, nullptr, 0);
    int state = Z_OK;
    while (state == Z_OK)
    {
        stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
        stream.avail_out = static_cast<uInt>(buffer.size());
        state = inflate(&stream, Z_NO_FLUSH);
        crc = crc32(crc, reinterpret_cast<const Bytef*>(buffer.data()),
                    static_cast<uInt>(buffer.size()) - stream.avail_out);
    }
    inflateEnd(&stream);
    return state == Z_STREAM_END ? crc : kBroken;
}

}  // namespace

std::vector<std::string> check_zip_archive(std::string_view content, const std::string& file)
{
    // PKWARE's APPNOTE.TXT: 4.3.16 end of central directory, 4.3.12 central directory, 4.3.7 local header.
    const std::size_t end = content.rfind("PK\x05\x06");
    FS_CHECK(FileError, end != std::string_view::npos, "'{}' is truncated: its directory is missing", file);
    const Bytes bytes(content, file);
    const std::uint64_t count = bytes.number(end + 10, 2);
    std::uint64_t entry = bytes.number(end + 16, 4);
    std::vector<std::string> names;
    for (std::uint64_t i = 0; i < count; ++i)
    {
        FS_CHECK(FileError, bytes.has(entry, "PK\x01\x02"), "'{}' is damaged: member {} of its directory",
                 file, i);
        const std::uint64_t method = bytes.number(entry + 10, 2);
        const std::uint64_t crc = bytes.number(entry + 16, 4);
        const std::uint64_t packed = bytes.number(entry + 20, 4);
        const std::uint64_t unpacked = bytes.number(entry + 24, 4);
        const std::uint64_t name_size = bytes.number(entry + 28, 2);
        const std::uint64_t header = bytes.number(entry + 42, 4);
        names.emplace_back(bytes.at(entry + 46, name_size));
        entry += 46 + name_size + bytes.number(entry + 30, 2) + bytes.number(entry + 32, 2);
        if (std::max({packed, unpacked, header}) == kTooLarge) continue;
        FS_CHECK(FileError, bytes.has(header, "PK\x03\x04"), "'{}' is damaged: the header of '{}' in it",
                 file, names.back());
        const std::uint64_t data = header + 30 + bytes.number(header + 26, 2) + bytes.number(header + 28, 2);
        const std::string_view stored = bytes.at(data, packed);
        const std::uint64_t found = method == 0 ? checksum(stored) : checksum_unpacked(stored);
        FS_CHECK(FileError, found == crc, "'{}' is damaged: '{}' in it does not have its checksum", file,
                 names.back());
    }
    return names;
}

}  // namespace flipstorm
