#include "engine/network/import/torchscript/zip_archive.hpp"

#include <zlib.h>

#include <algorithm>
#include <cctype>
#include <limits>
#include <set>
#include <utility>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// Size or position that a field of 32 bits cannot hold.
constexpr std::uint64_t kTooLarge = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kMostBytes = std::uint64_t{8} << 30U;  ///< that an archive unpacks to

/// Little-endian numbers and pieces of an archive; all throw FileError beyond its end.
class Bytes
{
  public:
    Bytes(std::string_view content, const std::string& file) : content_(content), file_(file) {}

    std::string_view at(std::uint64_t position, std::uint64_t size) const
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

/// Unpack deflated bytes, to at most `longest`, piece by piece. \return whether that is all there is
template<class Take>
bool inflate_pieces(std::string_view bytes, std::uint64_t longest, Take&& take)
{
    z_stream stream{};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());  // less than 4 GiB
    std::string buffer(std::size_t{1} << 16U, '\0');
    int state = Z_OK;
    std::uint64_t found = 0;
    while (state == Z_OK && found <= longest)
    {
        stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
        stream.avail_out = static_cast<uInt>(buffer.size());
        state = inflate(&stream, Z_NO_FLUSH);
        const std::string_view piece(buffer.data(), buffer.size() - stream.avail_out);
        found += piece.size();
        if (found <= longest) take(piece);
    }
    inflateEnd(&stream);
    return state == Z_STREAM_END && found <= longest;
}

/// Whether a member has the size and the checksum that the directory says.
bool is_whole(const ZipMember& member, std::uint64_t crc)
{
    if (!member.deflated) return member.size == member.stored.size() && checksum(member.stored) == crc;
    uLong found = crc32(0, nullptr, 0);
    std::uint64_t size = 0;
    const bool all = inflate_pieces(member.stored, member.size, [&](std::string_view piece) {
        size += piece.size();
        found = crc32(found, reinterpret_cast<const Bytef*>(piece.data()), static_cast<uInt>(piece.size()));
    });
    return all && size == member.size && found == crc;
}

/// Where the directory of an archive stands.
struct Directory
{
    std::uint64_t begin = 0;
    std::uint64_t members = 0;
};

/// PKWARE's APPNOTE.TXT, 4.3.16 end of central directory, 4.3.14 and 4.3.15 its form for large archives.
Directory find_directory(std::string_view content, const Bytes& bytes, const std::string& file)
{
    const std::size_t end = content.rfind("PK\x05\x06");
    FS_CHECK(FileError, end != std::string_view::npos, "'{}' is truncated: its directory is missing", file);
    bytes.at(end, 22);
    const Directory directory{bytes.number(end + 16, 4), bytes.number(end + 10, 2)};
    constexpr std::size_t kLocator = 20;
    if (end < kLocator || !bytes.has(end - kLocator, "PK\x06\x07")) return directory;
    const std::uint64_t large = bytes.number(end - kLocator + 8, 8);
    FS_CHECK(FileError, bytes.has(large, "PK\x06\x06"), "'{}' is damaged: its second directory", file);
    const Directory second{bytes.number(large + 48, 8), bytes.number(large + 32, 8)};
    FS_CHECK(FileError,
             (directory.begin == kTooLarge || directory.begin == second.begin) &&
                 (directory.members == 0xffffU || directory.members == second.members),
             "'{}' is damaged: its two directories disagree", file);
    return second;
}

/// LibTorch looks for names without regard to case; of code files it may ask for both.
std::string lookup_name(const std::string& name)
{
    if (name.find("/code/") != std::string::npos) return name;
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return lower;
}

}  // namespace

std::vector<ZipMember> check_zip_archive(std::string_view content, const std::string& file)
{
    // 4.3.12 central directory, 4.3.7 local header.
    const Bytes bytes(content, file);
    const Directory directory = find_directory(content, bytes, file);
    std::uint64_t entry = directory.begin;
    std::uint64_t left = kMostBytes;
    std::set<std::string> names;
    std::vector<ZipMember> members;
    for (std::uint64_t i = 0; i < directory.members; ++i)
    {
        FS_CHECK(FileError, bytes.has(entry, "PK\x01\x02"), "'{}' is damaged: member {} of its directory",
                 file, i);
        const std::uint64_t method = bytes.number(entry + 10, 2);
        const std::uint64_t crc = bytes.number(entry + 16, 4);
        const std::uint64_t packed = bytes.number(entry + 20, 4);
        ZipMember member;
        member.deflated = method != 0;
        member.size = bytes.number(entry + 24, 4);
        const std::uint64_t name_size = bytes.number(entry + 28, 2);
        const std::uint64_t header = bytes.number(entry + 42, 4);
        member.name = bytes.at(entry + 46, name_size);
        entry += 46 + name_size + bytes.number(entry + 30, 2) + bytes.number(entry + 32, 2);
        FS_CHECK(FileError, names.insert(lookup_name(member.name)).second,
                 "'{}' is damaged: it has '{}' twice", file, member.name);
        FS_CHECK(FileError, std::max({packed, member.size, header}) < kTooLarge,
                 "'{}': '{}' in it has 4 GiB or more", file, member.name);
        FS_CHECK(FileError, member.size <= left, "'{}' unpacks to more than {} bytes", file, kMostBytes);
        left -= member.size;
        FS_CHECK(FileError, bytes.has(header, "PK\x03\x04"), "'{}' is damaged: the header of '{}' in it",
                 file, member.name);
        const std::uint64_t data = header + 30 + bytes.number(header + 26, 2) + bytes.number(header + 28, 2);
        member.stored = bytes.at(data, packed);
        FS_CHECK(FileError, is_whole(member, crc), "'{}' is damaged: '{}' in it does not have its checksum",
                 file, member.name);
        members.push_back(std::move(member));
    }
    return members;
}

std::string unpacked(const ZipMember& member, std::uint64_t longest, const std::string& file)
{
    FS_CHECK(FileError, member.size <= longest, "'{}': '{}' in it has {} bytes, at most {} can be", file,
             member.name, member.size, longest);
    if (!member.deflated) return std::string(member.stored);
    std::string content;
    inflate_pieces(member.stored, member.size, [&content](std::string_view piece) { content += piece; });
    return content;
}

}  // namespace flipstorm
