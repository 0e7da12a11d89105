#pragma once
// Reads one flipstorm file after its schema and refuses what does not fit.

#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/error.hpp"
#include "hdf5_schema/h5.hpp"
#include "hdf5_schema/provenance.hpp"
#include "hdf5_schema/schema.hpp"

namespace flipstorm
{

/**
 * Open any HDF5 file to read it.
 *
 * Its seal is checked first. A file without room for one is tried in a child process (trial_read.hpp) and, if
 * it is of flipstorm, noted in the log, once.
 *
 * \throws FileError, naming the file and why it cannot be read: also if its bytes are not those of its seal,
 * or it has no room for a seal, but a version that has one
 */
H5Handle h5_open_to_read(const std::filesystem::path& file);

/// A file being read by one process. All members throw FileError, naming the file and the object.
class H5Reader
{
  public:
    /// Opens a file and checks its `filetype` and major `version`.
    H5Reader(std::filesystem::path file, const FileSpec& spec);

    [[nodiscard]] Provenance provenance() const;

    /// The file, for messages.
    [[nodiscard]] std::string file_name() const { return file_name_.string(); }

    /// Minor version of the file: what later ones added is not in it.
    [[nodiscard]] std::int32_t minor_version() const { return minor_version_; }

    [[nodiscard]] std::string text_attribute(const std::string& object, const std::string& name) const;
    template<class T>
    [[nodiscard]] std::vector<T> attributes(const std::string& object, const std::string& name) const
    {
        std::vector<T> values(attribute_size(object, name, H5Element<T>::kType));
        read_attribute(object, name, H5Element<T>::kType, values.data());
        return values;
    }
    template<class T>
    [[nodiscard]] T attribute(const std::string& object, const std::string& name) const
    {
        const std::vector<T> values = attributes<T>(object, name);
        FS_CHECK(FileError, values.size() == 1, "'{}': attribute '{}' of '{}' has {} values, one is expected",
                 file_name_.string(), name, object, values.size());
        return values.front();
    }

    /// All values of a dataset, row-major.
    template<class T>
    [[nodiscard]] std::vector<T> dataset(const std::string& path) const
    {
        std::vector<T> values(dataset_size(path, H5Element<T>::kType));
        read_dataset(path, H5Element<T>::kType, values.data());
        return values;
    }
    [[nodiscard]] std::vector<std::string> texts(const std::string& path) const;
    /// Whether an object of the root is there: "/codes".
    [[nodiscard]] bool has(const std::string& object) const;
    [[nodiscard]] std::vector<hsize_t> dims(const std::string& path) const;

    /// Names in a group, in the order in which they were created where known, else sorted.
    [[nodiscard]] std::vector<std::string> names(const std::string& group) const;

    /// Throw a FileError about this file unless a condition holds.
    void expect(bool holds, const std::string& what) const;

  private:
    [[nodiscard]] std::string where(const std::string& object) const;
    [[nodiscard]] H5Handle open_dataset(const std::string& path) const;
    [[nodiscard]] H5Handle open_attribute(const std::string& object, const std::string& name) const;
    std::size_t attribute_size(const std::string& object, const std::string& name, ElementType type) const;
    void read_attribute(const std::string& object, const std::string& name, ElementType type,
                        void* out) const;
    std::size_t dataset_size(const std::string& path, ElementType type) const;
    void read_dataset(const std::string& path, ElementType type, void* out) const;

    std::filesystem::path file_name_;
    const FileSpec& spec_;
    H5Handle file_;
    std::uint64_t file_bytes_ = 0;
    std::int32_t minor_version_ = 0;
};

}  // namespace flipstorm
