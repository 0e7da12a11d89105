#include "hdf5_edits.hpp"

#include <hdf5.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/base/durable_file.hpp"
#include "harness.hpp"
#include "hdf5_schema/h5.hpp"
#include "hdf5_schema/seal.hpp"

namespace flipstorm::fuzz
{
namespace
{

constexpr std::uint8_t kLongestEdit = 32;  ///< bytes of a value
constexpr std::size_t kMostEdits = 16;

/// Put bytes over stored values, from an offset on; what does not fit is left out.
void overwrite(std::string& values, std::size_t offset, const std::string& bytes)
{
    if (values.empty()) return;
    offset %= values.size();
    std::copy_n(bytes.begin(), std::min(bytes.size(), values.size() - offset),
                values.begin() + static_cast<std::ptrdiff_t>(offset));
}

/// Values over and over, or cut off, so many bytes of them; zeros if there are none.
std::string repeated(const std::string& values, std::size_t size)
{
    std::string result;
    while (!values.empty() && result.size() < size)
        result += values.substr(0, size - result.size());
    result.resize(size);
    return result;
}

/// The attribute with other values; with `count`, anew, with so many.
void edit_attribute(hid_t owner, const std::string& name, std::size_t offset, const std::string& bytes,
                    std::optional<hsize_t> count)
{
    H5Handle attribute(H5Aopen(owner, name.c_str(), H5P_DEFAULT), H5Aclose);
    const H5Handle type(H5Aget_type(attribute.get()), H5Tclose);
    const H5Handle space(H5Aget_space(attribute.get()), H5Sclose);
    const H5T_class_t kind = H5Tget_class(type.get());
    // Pointers and references, as dimension scales have, are HDF5's own.
    if (kind != H5T_INTEGER && kind != H5T_FLOAT && kind != H5T_STRING) return;
    std::string values(
        static_cast<std::size_t>(H5Sget_simple_extent_npoints(space.get())) * H5Tget_size(type.get()), '\0');
    if (values.empty()) return;
    expect(H5Aread(attribute.get(), type.get(), values.data()) >= 0,
           "an attribute of a good file to be read");
    if (count)
    {
        values = repeated(values, *count * H5Tget_size(type.get()));
        const H5Handle line(H5Screate_simple(1, &*count, nullptr), H5Sclose);
        attribute.reset();
        H5Adelete(owner, name.c_str());
        attribute = H5Handle(
            H5Acreate2(owner, name.c_str(), type.get(), line.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
        if (values.empty()) return;
    }
    overwrite(values, offset, bytes);
    expect(H5Awrite(attribute.get(), type.get(), values.data()) >= 0, "an attribute to be written");
}

std::string values_of(hid_t dataset, hid_t type, hid_t space)
{
    std::string values(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space)) * H5Tget_size(type),
                       '\0');
    if (!values.empty())
        expect(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0,
               "a dataset to be read");
    return values;
}

void edit_dataset(hid_t file, const std::string& path, std::size_t offset, const std::string& bytes)
{
    const H5Handle dataset(H5Dopen2(file, path.c_str(), H5P_DEFAULT), H5Dclose);
    if (dataset.get() < 0) return;  // an edit before has removed it
    const H5Handle type(H5Dget_type(dataset.get()), H5Tclose);
    const H5Handle space(H5Dget_space(dataset.get()), H5Sclose);
    std::string values = values_of(dataset.get(), type.get(), space.get());
    if (values.empty()) return;
    overwrite(values, offset, bytes);
    expect(H5Dwrite(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0,
           "a dataset to be written");
}

/// The dataset anew, without its attributes, with so many rows.
void resize_dataset(hid_t file, const std::string& path, std::size_t rows)
{
    H5Handle dataset(H5Dopen2(file, path.c_str(), H5P_DEFAULT), H5Dclose);
    if (dataset.get() < 0) return;
    const H5Handle type(H5Dget_type(dataset.get()), H5Tclose);
    const H5Handle old_space(H5Dget_space(dataset.get()), H5Sclose);
    std::vector<hsize_t> dims(
        static_cast<std::size_t>(std::max(0, H5Sget_simple_extent_ndims(old_space.get()))));
    if (dims.empty()) return;
    H5Sget_simple_extent_dims(old_space.get(), dims.data(), nullptr);
    std::string values = values_of(dataset.get(), type.get(), old_space.get());
    dims[0] = rows;
    const H5Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose);
    const auto size =
        static_cast<std::size_t>(H5Sget_simple_extent_npoints(space.get())) * H5Tget_size(type.get());
    values = repeated(values, size);
    dataset.reset();
    H5Ldelete(file, path.c_str(), H5P_DEFAULT);
    const H5Handle made(
        H5Dcreate2(file, path.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
        H5Dclose);
    if (made.get() < 0 || values.empty()) return;
    H5Dwrite(made.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
}

}  // namespace

GoodFile::GoodFile(const std::function<void(const std::filesystem::path&)>& write)
{
    const std::filesystem::path file = folder() / "good.h5";
    write(file);
    bytes_ = read_file(file);
    const H5Handle opened(H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
    const auto each = [](hid_t root, const char* name, const H5O_info_t* info, void* data) -> herr_t {
        auto& places = *static_cast<std::vector<Place>*>(data);
        if (info->type == H5O_TYPE_DATASET) places.push_back({name, {}});
        const H5Handle object(H5Oopen(root, name, H5P_DEFAULT), H5Oclose);
        std::pair<std::vector<Place>*, const char*> context{&places, name};
        const auto attribute = [](hid_t, const char* label, const H5A_info_t*, void* out) -> herr_t {
            const auto& [list, owner] = *static_cast<std::pair<std::vector<Place>*, const char*>*>(out);
            list->push_back({owner, label});
            return 0;
        };
        // Those that say what a column means, and HDF5's dimension scales, are for people and other programs.
        if (info->type != H5O_TYPE_DATASET)
            H5Aiterate2(object.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, attribute, &context);
        return 0;
    };
    H5Ovisit2(opened.get(), H5_INDEX_NAME, H5_ITER_INC, each, &places_, H5O_INFO_BASIC);
    expect(!places_.empty() && places_.size() < 256, "up to 255 datasets and attributes in a good file");
}

int GoodFile::read_with_edits(const std::uint8_t* data, std::size_t size,
                              const std::function<void(const std::filesystem::path&)>& read) const
{
    const std::filesystem::path file = write_input("edited.h5", bytes_);
    Input input(data, size);
    if (!input.empty())
    {
        const H5Handle opened(H5Fopen(file.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
        for (std::size_t edits = 0; edits < kMostEdits && !input.empty(); ++edits)
        {
            const Place& place = places_[input.byte() % places_.size()];
            const std::size_t offset = input.two_bytes();
            const std::uint8_t length = input.byte();
            if (place.attribute.empty() && length > kLongestEdit)
                resize_dataset(opened.get(), place.object, length - kLongestEdit - 1U);
            else if (place.attribute.empty() && length == 0)
                H5Ldelete(opened.get(), place.object.c_str(), H5P_DEFAULT);
            else if (place.attribute.empty())
                edit_dataset(opened.get(), place.object, offset, input.bytes(length));
            else if (H5Aexists_by_name(opened.get(), place.object.c_str(), place.attribute.c_str(),
                                       H5P_DEFAULT) > 0)
            {
                const H5Handle owner(H5Oopen(opened.get(), place.object.c_str(), H5P_DEFAULT), H5Oclose);
                if (length == 0)
                    H5Adelete(owner.get(), place.attribute.c_str());
                else if (length > kLongestEdit)
                    edit_attribute(owner.get(), place.attribute, 0, {}, length - kLongestEdit - 1U);
                else
                    edit_attribute(owner.get(), place.attribute, offset, input.bytes(length), std::nullopt);
            }
        }
    }
    seal_file(file);
    if (size > 0) return accept_errors([&] { read(file); });
    read(file);  // as it was written: any error is a finding
    return 0;
}

}  // namespace flipstorm::fuzz
