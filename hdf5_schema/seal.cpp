#include "hdf5_schema/seal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/base/regular_file.hpp"
#include "engine/base/sha256.hpp"

namespace flipstorm
{
namespace
{

constexpr std::string_view kMagic = "flipstorm seal ";
constexpr std::string_view kHdf5 = "\x89HDF\r\n\x1a\n";

/// A file that is read from its start to its end.
class Bytes
{
  public:
    Bytes(const std::filesystem::path& file, int access) : file_(open_regular_file(file, access)) {}

    [[nodiscard]] const std::string& name() const { return file_.name(); }

    /// The next bytes, at most `count`; fewer at the end of the file.
    [[nodiscard]] std::string next(std::size_t count)
    {
        std::string bytes(count, '\0');
        bytes.resize(file_.read(bytes.data(), count));
        return bytes;
    }

    /// Number and digest of all bytes from `first`, which were read already, to the end.
    [[nodiscard]] std::pair<std::uint64_t, std::string> digest_from(std::string_view first)
    {
        constexpr std::size_t kPiece = std::size_t{1} << 20U;
        ::posix_fadvise(file_.descriptor(), 0, 0, POSIX_FADV_SEQUENTIAL);
        const std::unique_ptr<char[]> piece(new char[kPiece]);
        Sha256 hash;
        hash.update(first);
        std::uint64_t bytes = first.size();
        for (std::size_t got = kPiece; got == kPiece;)
        {
            got = file_.read(piece.get(), kPiece);
            hash.update(piece.get(), got);
            bytes += got;
        }
        return {bytes, hash.hex()};
    }

    void write_at_start(std::string_view bytes) const
    {
        const ssize_t written = ::pwrite(file_.descriptor(), bytes.data(), bytes.size(), 0);
        FS_CHECK(FileError, written == static_cast<ssize_t>(bytes.size()),
                 "cannot write the seal of '{}': {}", name(),
                 written < 0 ? std::strerror(errno) : "is the disk full?");
    }

  private:
    RegularFile file_;
};

/// The user block of a file with these bytes behind it.
std::string seal_text(std::uint64_t bytes, const std::string& sha256)
{
    std::string block = fmt::format("{}1\nbytes {}\nsha256 {}\n", kMagic, bytes, sha256);
    block.resize(kSealBytes, '\0');
    return block;
}

/// What to do about a file whose seal is not right.
std::string remedy(const std::string& name)
{
    return fmt::format(
        "Restore it from a copy, or make it anew. If it was changed on purpose with other tools, 'flipstorm "
        "inspect "
        "--seal {}' reads it whole and seals it as it is",
        name);
}

bool starts_with(std::string_view text, std::string_view start)
{
    return text.substr(0, start.size()) == start;
}

}  // namespace

SealState check_seal(const std::filesystem::path& file)
{
    Bytes bytes(file, O_RDONLY);
    const std::string block = bytes.next(kSealBytes);
    if (starts_with(block, kHdf5)) return SealState::no_room;
    const std::string signature = bytes.next(kHdf5.size());
    const bool has_seal = starts_with(block, kMagic);
    FS_CHECK(FileError, has_seal || signature == kHdf5,
             "cannot open '{}' (truncated, or no HDF5 file?): it has no HDF5 signature", bytes.name());
    FS_CHECK(FileError, has_seal, "'{}' is damaged: its seal, the first {} bytes, is gone. {}", bytes.name(),
             kSealBytes, remedy(bytes.name()));
    FS_CHECK(FileError, signature.size() == kHdf5.size(),
             "'{}' is truncated: it ends in its seal, or right behind it. {}", bytes.name(),
             remedy(bytes.name()));
    const auto [length, sha256] = bytes.digest_from(signature);
    if (block == seal_text(length, sha256)) return SealState::sealed;
    std::uint64_t named = length;
    if (const std::size_t at = block.find("\nbytes "); at != std::string::npos)
        named = std::strtoull(block.c_str() + at + 7, nullptr, 10);
    FS_CHECK(FileError, length == named,
             "'{}' is truncated or damaged: {} bytes are there behind its seal, which names {}. {}",
             bytes.name(), length, named, remedy(bytes.name()));
    throw FileError("'{}' is damaged: its bytes are not those that its seal names. {}", bytes.name(),
                    remedy(bytes.name()));
}

void seal_file(const std::filesystem::path& file)
{
    Bytes bytes(file, O_RDWR);
    static_cast<void>(bytes.next(kSealBytes));
    const std::string signature = bytes.next(kHdf5.size());
    FS_CHECK(FileError, signature == kHdf5, "cannot seal '{}': HDF5's bytes do not begin at byte {}",
             bytes.name(), kSealBytes);
    const auto [length, sha256] = bytes.digest_from(signature);
    bytes.write_at_start(seal_text(length, sha256));
}

}  // namespace flipstorm
