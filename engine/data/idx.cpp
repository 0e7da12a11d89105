#include "engine/data/idx.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "engine/base/error.hpp"

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
        FS_CHECK(FileError, !fs::is_directory(file), "cannot read '{}': it is a folder", name_);
        errno = 0;
        handle_.reset(gzopen(name_.c_str(), "rb"));
        FS_CHECK(FileError, handle_, "cannot open '{}': {}", name_, std::strerror(errno));
        gzbuffer(handle_.get(), 1U << 18U);
    }

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
    std::unique_ptr<gzFile_s, Close> handle_;
};

fs::path plain_or_gzip(const fs::path& folder, const std::string& name)
{
    for (const std::string& candidate : {name, name + ".gz"})
    {
        if (fs::exists(folder / candidate)) return folder / candidate;
    }
    throw FileError("no '{}' or '{}.gz' in '{}' (data.path names the folder of an IDX data set)", name, name,
                    folder.string());
}

ImageSet read_pair(const fs::path& folder, const std::string& prefix)
{
    FS_CHECK(FileError, fs::is_directory(folder), "data.path: '{}' is not a folder", folder.string());
    const fs::path image_file = plain_or_gzip(folder, prefix + "-images-idx3-ubyte");
    const fs::path label_file = plain_or_gzip(folder, prefix + "-labels-idx1-ubyte");
    IdxArray images = read_idx(image_file);
    const IdxArray labels = read_idx(label_file);
    FS_CHECK(DataError, images.shape.size() == 3,
             "'{}' has {} dimensions; images have 3 (images, height, width)", image_file.string(),
             images.shape.size());
    FS_CHECK(DataError, labels.shape.size() == 1, "'{}' has {} dimensions; labels have 1",
             label_file.string(), labels.shape.size());
    FS_CHECK(DataError, images.shape[0] == labels.shape[0], "'{}' holds {} images but '{}' {} labels",
             image_file.string(), images.shape[0], label_file.string(), labels.shape[0]);
    ImageSet set;
    set.channels = 1;
    set.height = images.shape[1];
    set.width = images.shape[2];
    set.pixels = std::move(images.values);
    set.labels.assign(labels.values.begin(), labels.values.end());
    return set;
}

}  // namespace

IdxArray read_idx(const fs::path& file)
{
    constexpr std::int64_t kLargest = std::int64_t{1} << 40;
    GzipReader reader(file);
    std::array<std::uint8_t, 4> magic{};
    const std::size_t have = reader.read(magic.data(), magic.size());
    FS_CHECK(DataError, have == magic.size() && magic[0] == 0 && magic[1] == 0, "'{}' is no IDX file",
             file.string());
    FS_CHECK(DataError, magic[2] == 0x08,
             "'{}' holds IDX values of type 0x{:02x}; flipstorm reads 0x08 (bytes)", file.string(), magic[2]);
    IdxArray array;
    std::int64_t count = 1;
    for (int d = 0; d < magic[3]; ++d)
    {
        std::array<std::uint8_t, 4> bytes{};
        FS_CHECK(DataError, reader.read(bytes.data(), bytes.size()) == bytes.size(),
                 "'{}' ends within its header", file.string());
        const std::int64_t size = (std::int64_t{bytes[0]} << 24) | (std::int64_t{bytes[1]} << 16) |
                                  (std::int64_t{bytes[2]} << 8) | std::int64_t{bytes[3]};
        FS_CHECK(DataError, size > 0, "'{}': dimension {} is 0", file.string(), d);
        FS_CHECK(DataError, count <= kLargest / size, "'{}': its header announces more than 2^40 bytes",
                 file.string());
        count *= size;
        array.shape.push_back(size);
    }
    FS_CHECK(DataError, !array.shape.empty(), "'{}' has no dimensions", file.string());
    // Grow as data come: a corrupt header must not allocate what the file does not hold.
    constexpr std::size_t kPiece = std::size_t{1} << 24;
    const auto total = static_cast<std::size_t>(count);
    while (array.values.size() < total)
    {
        const std::size_t old = array.values.size();
        const std::size_t piece = std::min(kPiece, total - old);
        array.values.resize(old + piece);
        const std::size_t got = reader.read(array.values.data() + old, piece);
        FS_CHECK(DataError, got == piece, "'{}' ends after {} of {} values", file.string(), old + got, total);
    }
    std::uint8_t extra = 0;
    FS_CHECK(DataError, reader.read(&extra, 1) == 0, "'{}' is longer than the {} values its header announces",
             file.string(), total);
    return array;
}

ImageSet read_idx_test_images(const fs::path& folder)
{
    return read_pair(folder, "t10k");
}

Dataset read_idx_dataset(const fs::path& folder)
{
    Dataset dataset;
    dataset.train = read_pair(folder, "train");
    dataset.test = read_idx_test_images(folder);
    dataset.num_classes =
        std::max(2, 1 + *std::max_element(dataset.train.labels.begin(), dataset.train.labels.end()));
    dataset.normalisation = measure_normalisation(dataset.train);
    check_dataset(dataset, folder.string());
    return dataset;
}

}  // namespace flipstorm
