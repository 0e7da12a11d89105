#include "engine/data/cifar.hpp"

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/base/regular_file.hpp"
#include "engine/data/data_file.hpp"

namespace flipstorm
{
namespace fs = std::filesystem;
namespace
{

constexpr std::int64_t kChannels = 3;
constexpr std::int64_t kSize = 32;
constexpr std::size_t kPixelBytes = kChannels * kSize * kSize;

/// What differs between the two data sets.
struct Format
{
    const char* name;
    const char* key;  ///< data.kind
    const char* archive_folder;
    const char* archive;        ///< that the folder comes from
    const char* python_folder;  ///< of the version that flipstorm does not read
    const char* python_file;    ///< a file in it
    std::vector<std::string> train_files;
    std::string test_file;
    std::vector<int> label_classes;  ///< of each label byte of a record
    std::size_t label;               ///< which of them counts
    Normalisation normalisation;

    [[nodiscard]] std::size_t record_bytes() const { return label_classes.size() + kPixelBytes; }
    [[nodiscard]] std::int32_t num_classes() const { return label_classes[label]; }
};

Format format_of(Cifar which)
{
    if (which == Cifar::cifar10)
    {
        return {"CIFAR-10",
                "cifar10",
                "cifar-10-batches-bin",
                "cifar-10-binary.tar.gz",
                "cifar-10-batches-py",
                "data_batch_1",
                {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                 "data_batch_5.bin"},
                "test_batch.bin",
                {10},
                0,
                {{0.4914F, 0.4822F, 0.4465F}, {0.2470F, 0.2435F, 0.2616F}}};
    }
    return {"CIFAR-100",
            "cifar100",
            "cifar-100-binary",
            "cifar-100-binary.tar.gz",
            "cifar-100-python",
            "train",
            {"train.bin"},
            "test.bin",
            {20, 100},
            which == Cifar::cifar100 ? 1U : 0U,
            {{0.5071F, 0.4865F, 0.4409F}, {0.2673F, 0.2564F, 0.2762F}}};
}

/// The folder that holds the files: the one given, or the archive's in it.
fs::path folder_of(const Format& format, const fs::path& folder)
{
    FS_CHECK(FileError, fs::is_directory(folder), "data.path: '{}' is not a folder", folder.string());
    const fs::path inside = folder / format.archive_folder;
    const bool is_here = fs::exists(folder / format.test_file) || fs::exists(folder / format.train_files[0]);
    return !is_here && fs::is_directory(inside) ? inside : folder;
}

/// What is in a folder in place of the files looked for, as a sentence.
std::string instead(const Format& format, const fs::path& folder)
{
    std::error_code error;
    for (const fs::path& place : {folder, folder / format.python_folder})
    {
        if (fs::is_regular_file(place / format.python_file, error))
        {
            return fmt::format(
                "'{}' is of the Python version (pickles), which flipstorm does not read; {} "
                "holds the binary one",
                (place / format.python_file).string(), format.archive);
        }
    }
    if (fs::is_regular_file(folder / format.archive, error))
        return fmt::format("'{}' is not unpacked yet", (folder / format.archive).string());
    return fmt::format("There is {}", content_text(folder));
}

std::vector<std::uint8_t> read_records(const Format& format, const fs::path& file)
{
    FS_CHECK(FileError, fs::exists(file),
             "no '{}' in '{}' (data.kind = \"{}\" reads the binary version of {}: data.path names the folder "
             "that holds it, or the one with '{}'). {}",
             file.filename().string(), file.parent_path().string(), format.key, format.name,
             format.archive_folder, instead(format, file.parent_path()));
    RegularFile stream = open_regular_file(file);
    const std::uint64_t bytes = stream.size();
    const std::size_t record = format.record_bytes();
    FS_CHECK(DataError, bytes > 0, "'{}' is empty; a record of {} has {} bytes", file.string(), format.name,
             record);
    FS_CHECK(DataError, bytes % record == 0,
             "'{}' has {} bytes, which is no whole number of {} records of {} bytes: record {} is cut off "
             "after {} bytes, or it is no {} file",
             file.string(), bytes, format.name, record, bytes / record, bytes % record, format.name);
    need_memory(bytes, file);
    std::vector<std::uint8_t> content(bytes);
    const std::size_t got = stream.read(content.data(), bytes);
    FS_CHECK(FileError, got == bytes, "'{}' became shorter while it was read", file.string());
    return content;
}

/// Append the images of one file.
void append(const Format& format, const fs::path& file, ImageSet& images)
{
    const std::vector<std::uint8_t> content = read_records(format, file);
    const std::size_t labels = format.label_classes.size();
    images.files.push_back({file.string(), images.size()});
    images.pixels.reserve(images.pixels.size() + content.size() / format.record_bytes() * kPixelBytes);
    for (std::size_t at = 0; at < content.size(); at += format.record_bytes())
    {
        for (std::size_t k = 0; k < labels; ++k)
        {
            FS_CHECK(DataError, content[at + k] < format.label_classes[k],
                     "'{}': {}label {} of record {} is not in 0 … {}; it is no {} file, or damaged",
                     file.string(), k + 1 < labels ? "coarse " : "", content[at + k],
                     at / format.record_bytes(), format.label_classes[k] - 1, format.name);
        }
        images.labels.push_back(content[at + format.label]);
        const auto pixels = content.begin() + static_cast<std::ptrdiff_t>(at + labels);
        images.pixels.insert(images.pixels.end(), pixels, pixels + kPixelBytes);
    }
}

ImageSet read_files(const Format& format, const fs::path& folder, const std::vector<std::string>& names)
{
    ImageSet images{kChannels, kSize, kSize, {}, {}};
    for (const std::string& name : names)
        append(format, folder / name, images);
    return images;
}

}  // namespace

Dataset read_cifar_dataset(Cifar which, const fs::path& folder)
{
    const Format format = format_of(which);
    const fs::path where = folder_of(format, folder);
    Dataset dataset;
    dataset.train = read_files(format, where, format.train_files);
    dataset.test = read_files(format, where, {format.test_file});
    dataset.num_classes = format.num_classes();
    dataset.normalisation = format.normalisation;
    dataset.normalisation_source = fmt::format("usual for {}", format.name);
    return dataset;
}

ImageSet read_cifar_test_images(Cifar which, const fs::path& folder)
{
    const Format format = format_of(which);
    return read_files(format, folder_of(format, folder), {format.test_file});
}

}  // namespace flipstorm
