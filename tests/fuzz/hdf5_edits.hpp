#pragma once
// Sealed HDF5 files whose values are wrong. Bytes that are changed anywhere would find the bugs of libhdf5,
// which the seal keeps away; so a good file is changed by HDF5 itself, sealed, and read by flipstorm.
//
// An input is a list of edits: object (a byte: which dataset or attribute, in the order of the file), offset
// (two bytes, the low one first), length (a byte), bytes. Length 1 to 32 writes so many bytes into the stored
// values from the offset on, 0 removes the object, 33 to 255 makes it anew with another number of rows, the
// values repeated or cut off. A file without edits must be read.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace flipstorm::fuzz
{

/// A file as flipstorm writes it, in memory.
class GoodFile
{
  public:
    /// \param write  makes the file
    explicit GoodFile(const std::function<void(const std::filesystem::path&)>& write);

    /// Apply an input's edits to a copy, seal it, and read that. \return what a target returns
    int read_with_edits(const std::uint8_t* data, std::size_t size,
                        const std::function<void(const std::filesystem::path&)>& read) const;

  private:
    /// A dataset (no attribute's name) or an attribute of an object.
    struct Place
    {
        std::string object;
        std::string attribute;
    };

    std::string bytes_;
    std::vector<Place> places_;
};

}  // namespace flipstorm::fuzz
