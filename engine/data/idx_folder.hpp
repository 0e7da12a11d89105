#pragma once
// Finds the files of an IDX data set, whatever names and folders they came with.

#include <filesystem>

namespace flipstorm
{

/// The half of a data set that is wanted.
enum class IdxPart
{
    train,
    test,
};

/// Images and labels of one half.
struct IdxFiles
{
    std::filesystem::path images;
    std::filesystem::path labels;
};

/**
 * Find the files of a half.
 *
 * A name is `[SPLIT-](train|t10k|test)-(images-idx3|labels-idx1)-ubyte[.gz]`, with dots or dashes before
 * `idx` and, for labels of more bits, `short` or `int` in place of `ubyte`. They lie in the folder itself, or
 * in `raw`, `gzip`, or `NAME/raw` below it, as torchvision and EMNIST's archive put them; the folder itself
 * is looked at first. Of equal ones the plain file is taken before the packed one, and dashes before dots.
 *
 * \param path  the folder, or FOLDER/SPLIT (such as `data/emnist-letters`) where it holds several splits
 * \throws JobError, listing the splits and folders to choose from, if there are several; FileError, with the
 * names looked for and some of those that are there, if there are none, or one of the two is missing.
 */
[[nodiscard]] IdxFiles find_idx_files(const std::filesystem::path& path, IdxPart part);

}  // namespace flipstorm
