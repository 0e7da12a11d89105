#include "engine/data/idx.hpp"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "engine/base/error.hpp"
#include "engine/base/regular_file.hpp"
#include "engine/data/data_file.hpp"
#include "engine/data/idx_folder.hpp"

namespace flipstorm
{
namespace fs = std::filesystem;
namespace
{

/// A file that zlib unpacks if it is gzip and passes through otherwise.
class GzipReader
{
  public:
    explicit GzipReader(const fs::path& file) : name_(file.string())
    {
        RegularFile opened = open_regular_file(file);
        size_ = opened.size();
        const int descriptor = opened.release();
        errno = 0;
        handle_.reset(gzdopen(descriptor, "rb"));
        if (!handle_)
        {
            const int reason = errno;
            ::close(descriptor);
            throw FileError("cannot open '{}': {}", name_, std::strerror(reason));
        }
        gzbuffer(handle_.get(), 1U << 18U);
    }

    /// Bytes that the content cannot be longer than: the file's, or of a gzip file as many as they unpack to
    /// at best (a code of two bits may stand for 258 bytes).
    [[nodiscard]] std::uint64_t most_bytes() const
    {
        constexpr std::uint64_t kMostPacked = 1032;
        return is_plain() ? size_ : size_ * kMostPacked;
    }

    [[nodiscard]] bool is_plain() const { return gzdirect(handle_.get()) != 0; }

    /// Read up to `bytes`; fewer only at the end of the file.
    std::size_t read(std::uint8_t* out, std::size_t bytes)
    {
        std::size_t have = 0;
        while (have < bytes)
        {
            const auto want = static_cast<unsigned>(std::min<std::size_t>(bytes - have, 1U << 30U));
            const int got = gzread(handle_.get(), out + have, want);
            if (got < 0)
            {
                int code = 0;
                const char* text = gzerror(handle_.get(), &code);
                throw FileError("cannot unpack '{}' after {} bytes: {}", name_, have, text);
            }
            if (got == 0)
            {
                // zlib reports a stream that ends before its checksum only here.
                int code = Z_OK;
                gzerror(handle_.get(), &code);
                FS_CHECK(DataError, code != Z_BUF_ERROR, "'{}' is cut off: its gzip stream has no end",
                         name_);
                break;
            }
            have += static_cast<std::size_t>(got);
        }
        return have;
    }

  private:
    struct Close
    {
        void operator()(gzFile handle) const { gzclose(handle); }
    };

    std::string name_;
    std::uint64_t size_ = 0;
    std::unique_ptr<gzFile_s, Close> handle_;
};

/// A type of IDX values.
struct IdxType
{
    std::uint8_t code;
    std::size_t bytes;
    const char* meaning;
};

constexpr IdxType kBytes{0x08, 1, "0x08 (bytes)"};
constexpr IdxType kShorts{0x0B, 2, "0x0b (16 bits)"};
constexpr IdxType kInts{0x0C, 4, "0x0c (32 bits)"};

/// An IDX file whose header is read and whose values come next.
class IdxFile
{
  public:
    /// \throws FileError, DataError: see read_idx
    IdxFile(const fs::path& file, const std::vector<IdxType>& types) : name_(file.string()), reader_(file)
    {
        std::array<std::uint8_t, 4> magic{};
        const std::size_t have = reader_.read(magic.data(), magic.size());
        FS_CHECK(DataError, have == magic.size() && magic[0] == 0 && magic[1] == 0, "'{}' is no IDX file",
                 name_);
        const auto type =
            std::find_if(types.begin(), types.end(), [&](const IdxType& t) { return t.code == magic[2]; });
        std::string known;
        for (const IdxType& each : types)
            known += (known.empty() ? "" : ", ") + std::string(each.meaning);
        FS_CHECK(DataError, type != types.end(), "'{}' holds IDX values of type 0x{:02x}; flipstorm reads {}",
                 name_, magic[2], known);
        type_ = *type;
        for (int d = 0; d < magic[3]; ++d)
            read_dimension(d);
        FS_CHECK(DataError, !shape_.empty(), "'{}' has no dimensions", name_);
        check_size(4 * (1 + shape_.size()));
        need_memory(bytes(), file);
    }

    [[nodiscard]] const std::vector<std::int64_t>& shape() const { return shape_; }
    [[nodiscard]] const IdxType& type() const { return type_; }
    [[nodiscard]] const std::string& name() const { return name_; }

    /// The bytes of all values.
    std::vector<std::uint8_t> values()
    {
        // Grow as data come: memory that the file does not fill is not touched.
        constexpr std::size_t kPiece = std::size_t{1} << 24U;
        const std::size_t total = bytes();
        std::vector<std::uint8_t> values;
        values.reserve(total);
        while (values.size() < total)
        {
            const std::size_t old = values.size();
            const std::size_t piece = std::min(kPiece, total - old);
            values.resize(old + piece);
            const std::size_t got = reader_.read(values.data() + old, piece);
            FS_CHECK(DataError, got == piece, "'{}' ends after {} of {} values", name_,
                     (old + got) / type_.bytes, count_);
        }
        std::uint8_t extra = 0;
        FS_CHECK(DataError, reader_.read(&extra, 1) == 0,
                 "'{}' is longer than the {} values its header announces", name_, count_);
        return values;
    }

  private:
    [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(count_) * type_.bytes; }

    void read_dimension(int dimension)
    {
        constexpr std::int64_t kLargest = std::int64_t{1} << 40U;
        std::array<std::uint8_t, 4> digits{};
        FS_CHECK(DataError, reader_.read(digits.data(), digits.size()) == digits.size(),
                 "'{}' ends within its header", name_);
        std::int64_t size = 0;
        for (const std::uint8_t digit : digits)
            size = size * 256 + digit;
        FS_CHECK(DataError, size > 0, "'{}': dimension {} is 0", name_, dimension);
        FS_CHECK(DataError, count_ <= kLargest / size, "'{}': its header announces more than 2^40 values",
                 name_);
        count_ *= size;
        shape_.push_back(size);
    }

    /// What the header announces is nothing to make room for before the file is known to be able to hold it.
    void check_size(std::size_t header) const
    {
        const std::uint64_t most = reader_.most_bytes();
        const std::uint64_t room = most - std::min<std::uint64_t>(most, header);
        if (bytes() <= room) return;
        FS_CHECK(DataError, !reader_.is_plain(), "'{}' ends after {} of {} values", name_, room / type_.bytes,
                 count_);
        throw DataError(
            "'{}' ends after {} of {} values, or sooner: that is what so small a gzip file unpacks to at "
            "most",
            name_, room / type_.bytes, count_);
    }

    std::string name_;
    GzipReader reader_;
    IdxType type_ = kBytes;
    std::vector<std::int64_t> shape_;
    std::int64_t count_ = 1;
};

std::vector<std::int32_t> labels_of(IdxFile& file)
{
    FS_CHECK(DataError, file.shape().size() == 1, "'{}' has {} dimensions; labels have 1", file.name(),
             file.shape().size());
    const std::vector<std::uint8_t> values = file.values();
    if (file.type().bytes == 1) return {values.begin(), values.end()};
    std::vector<std::int32_t> labels;
    labels.reserve(values.size() / file.type().bytes);
    for (std::size_t at = 0; at < values.size(); at += file.type().bytes)
    {
        std::uint32_t number = values[at] >= 0x80U ? 0xFFFFFFFFU : 0U;  // the sign goes on to the left
        for (std::size_t k = 0; k < file.type().bytes; ++k)
            number = (number << 8U) | values[at + k];
        labels.push_back(static_cast<std::int32_t>(number));
    }
    return labels;
}

ImageSet read_pair(const fs::path& folder, IdxPart part)
{
    const IdxFiles files = find_idx_files(folder, part);
    IdxFile images(files.images, {kBytes});
    IdxFile labels(files.labels, {kBytes, kShorts, kInts});
    FS_CHECK(DataError, images.shape().size() == 3,
             "'{}' has {} dimensions; images have 3 (images, height, width)", images.name(),
             images.shape().size());
    FS_CHECK(DataError, labels.shape().size() != 1 || images.shape()[0] == labels.shape()[0],
             "'{}' holds {} images but '{}' {} labels", images.name(), images.shape()[0], labels.name(),
             labels.shape()[0]);
    ImageSet set;
    set.channels = 1;
    set.height = images.shape()[1];
    set.width = images.shape()[2];
    set.labels = labels_of(labels);
    set.pixels = images.values();
    set.files = {{labels.name(), 0}};
    return set;
}

}  // namespace

IdxArray read_idx(const fs::path& file)
{
    IdxFile idx(file, {kBytes});
    return {idx.shape(), idx.values()};
}

std::vector<std::int32_t> read_idx_labels(const fs::path& file)
{
    IdxFile idx(file, {kBytes, kShorts, kInts});
    return labels_of(idx);
}

ImageSet read_idx_test_images(const fs::path& folder)
{
    return read_pair(folder, IdxPart::test);
}

Dataset read_idx_dataset(const fs::path& folder)
{
    Dataset dataset;
    dataset.train = read_pair(folder, IdxPart::train);
    dataset.test = read_idx_test_images(folder);
    dataset.num_classes = class_count(dataset.train);
    dataset.normalisation = measure_normalisation(dataset.train);
    dataset.normalisation_source = fmt::format("measured on the {} training images", dataset.train.size());
    return dataset;
}

}  // namespace flipstorm
