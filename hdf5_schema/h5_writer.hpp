#pragma once
// Writes one flipstorm file after its schema, under a temporary name until it is complete.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "hdf5_schema/h5.hpp"
#include "hdf5_schema/provenance.hpp"
#include "hdf5_schema/schema.hpp"

namespace flipstorm
{

/**
 * A file being written by one process.
 *
 * Nothing can be written that the schema does not have, or with another type. The final name appears with
 * `publish`; a writer that is destroyed before leaves the final name as it was and removes its temporary
 * file.
 */
class H5Writer
{
  public:
    /// Creates the temporary file with the root attributes. \throws FileError
    H5Writer(std::filesystem::path file, const FileSpec& spec, const Provenance& provenance)
        : H5Writer(std::move(file), spec, provenance, spec.minor)
    {}
    /// The same of a file that holds nothing that minor versions behind that one added.
    H5Writer(std::filesystem::path file, const FileSpec& spec, const Provenance& provenance,
             std::int32_t minor);
    ~H5Writer();
    H5Writer(const H5Writer&) = delete;
    H5Writer& operator=(const H5Writer&) = delete;

    /// Attribute of an existing dataset, or of a group, which is made if need be.
    void attribute(const std::string& object, const std::string& name, const std::string& value);
    template<class T>
    void attribute(const std::string& object, const std::string& name, const T& value)
    {
        write_attribute(object, name, H5Element<T>::kType, &value, 1, true);
    }
    template<class T>
    void attribute(const std::string& object, const std::string& name, const std::vector<T>& values)
    {
        write_attribute(object, name, H5Element<T>::kType, values.data(), values.size(), false);
    }

    /// Dataset with its values, chunked, shuffled and deflated.
    template<class T>
    void dataset(const std::string& path, const std::vector<T>& values)
    {
        dataset(path, values, {values.size()});
    }
    template<class T>
    void dataset(const std::string& path, const std::vector<T>& values, const std::vector<hsize_t>& dims)
    {
        write_dataset(path, H5Element<T>::kType, values.data(), values.size(), dims);
    }
    void dataset(const std::string& path, const std::vector<std::string>& values);
    /// A single text.
    void text(const std::string& path, const std::string& value);

    /// Dataset without values yet, for a collective write later. See h5_write_rows.
    void declare(const std::string& path, const std::vector<hsize_t>& dims);

    /// Make `scale` the scale of a dataset's dimension.
    void attach_scale(const std::string& path, unsigned dimension, const std::string& scale);

    /// Close the temporary file but leave it there, unsealed, for a collective write. \return its name;
    /// whoever calls removes or publishes it
    std::filesystem::path hand_over();

    /// Close, seal, fsync, rename. \throws FileError
    void publish();

  private:
    void begin(const Provenance& provenance, std::int32_t minor);
    void write_attribute(const std::string& object, const std::string& name, ElementType type,
                         const void* values, std::size_t count, bool scalar);
    void write_dataset(const std::string& path, ElementType type, const void* values, std::size_t count,
                       const std::vector<hsize_t>& dims);
    H5Handle create(const DatasetSpec& spec, const std::string& path, hid_t type,
                    const std::vector<hsize_t>& dims);
    const DatasetSpec& spec_of(const std::string& path, ElementType type) const;
    void make_parents(const std::string& path);
    void describe(hid_t dataset, const DatasetSpec& spec);
    [[nodiscard]] std::string where(const std::string& object) const;

    std::filesystem::path final_name_;
    std::filesystem::path temporary_;
    const FileSpec& spec_;
    H5Handle file_;
    bool keep_temporary_ = false;
};

/**
 * Write rows [first, first + count) of a dataset of an open file, all ranks together: of one with two
 * dimensions, whole rows.
 *
 * \param file  opened by h5_open_to_write  \throws FileError. \collective
 */
void h5_write_rows(const H5Handle& file, const std::string& path, ElementType type, const void* values,
                   hsize_t first, hsize_t count, bool collective);

/// Open a file for writing by all ranks (MPI_COMM_NULL: by this process alone). \throws FileError.
/// \collective
H5Handle h5_open_to_write(const std::filesystem::path& file, MPI_Comm communicator);

}  // namespace flipstorm
