#include "hdf5_schema/h5_reader.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/base/durable_file.hpp"

namespace flipstorm
{
namespace
{

/// Whether stored elements are of the class and size that a type stands for.
bool same_type(hid_t stored, ElementType wanted)
{
    const H5T_class_t kind = H5Tget_class(stored);
    if (wanted == ElementType::text) return kind == H5T_STRING && H5Tis_variable_str(stored) == 0;
    const hid_t native = h5_native(wanted);
    return kind == H5Tget_class(native) && H5Tget_size(stored) == H5Tget_size(native) &&
           (kind != H5T_INTEGER || H5Tget_sign(stored) == H5Tget_sign(native));
}

std::string unpadded(const char* text, std::size_t length)
{
    return {text, ::strnlen(text, length)};
}

}  // namespace

H5Handle h5_open_to_read(const std::filesystem::path& file)
{
    h5_prepare();
    FS_CHECK(FileError, ::access(file.c_str(), R_OK) == 0, "cannot read '{}': {}", file.string(),
             std::strerror(errno));
    require_regular_file(file);
    return {h5_check(H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT),
                     fmt::format("cannot open '{}' (truncated, or no HDF5 file?)", file.string())),
            H5Fclose};
}

H5Reader::H5Reader(std::filesystem::path file, const FileSpec& spec) : file_name_(std::move(file))
{
    file_ = h5_open_to_read(file_name_);
    expect(H5Aexists(file_.get(), "filetype") > 0, "it has no 'filetype': not a flipstorm file");
    const std::string filetype = text_attribute("/", "filetype");
    expect(filetype == spec.filetype, fmt::format("it is a '{}', a '{}' is needed", filetype, spec.filetype));
    const auto version = attributes<std::int32_t>("/", "version");
    expect(version.size() == 2, "its 'version' is not [major, minor]");
    expect(version[0] == spec.major, fmt::format("it has version {}.{} of {}; this flipstorm reads {}.x",
                                                 version[0], version[1], spec.filetype, spec.major));
    minor_version_ = version[1];
}

void H5Reader::expect(bool holds, const std::string& what) const
{
    FS_CHECK(FileError, holds, "'{}': {}", file_name_.string(), what);
}

std::string H5Reader::where(const std::string& object) const
{
    return fmt::format("cannot read '{}' of '{}'", object, file_name_.string());
}

Provenance H5Reader::provenance() const
{
    Provenance p;
    p.software_version = text_attribute("/", "software_version");
    p.git_sha1 = text_attribute("/", "git_sha1");
    p.date = text_attribute("/", "date");
    p.command_line = text_attribute("/", "command_line");
    p.job = text_attribute("/", "job");
    p.job_sha256 = text_attribute("/", "job_sha256");
    p.stage_sha256 = text_attribute("/", "stage_sha256");
    p.model_sha256 = text_attribute("/", "model_sha256");
    p.dataset_sha256 = text_attribute("/", "dataset_sha256");
    p.seed = attribute<std::uint64_t>("/", "seed");
    p.libraries = text_attribute("/", "libraries");
    return p;
}

H5Handle H5Reader::open_attribute(const std::string& object, const std::string& name) const
{
    const H5Handle owner(h5_check(H5Oopen(file_.get(), object.c_str(), H5P_DEFAULT), where(object)),
                         H5Oclose);
    return {h5_check(H5Aopen(owner.get(), name.c_str(), H5P_DEFAULT), where(object + "@" + name)), H5Aclose};
}

std::string H5Reader::text_attribute(const std::string& object, const std::string& name) const
{
    const H5Handle attribute = open_attribute(object, name);
    const H5Handle type(h5_check(H5Aget_type(attribute.get()), where(name)), H5Tclose);
    const H5Handle space(h5_check(H5Aget_space(attribute.get()), where(name)), H5Sclose);
    expect(same_type(type.get(), ElementType::text) && H5Sget_simple_extent_npoints(space.get()) == 1,
           fmt::format("attribute '{}' of '{}' is not a fixed-length text", name, object));
    std::string value(H5Tget_size(type.get()), '\0');
    h5_check(H5Aread(attribute.get(), type.get(), value.data()), where(name));
    return unpadded(value.data(), value.size());
}

std::size_t H5Reader::attribute_size(const std::string& object, const std::string& name,
                                     ElementType wanted) const
{
    const H5Handle attribute = open_attribute(object, name);
    const H5Handle type(h5_check(H5Aget_type(attribute.get()), where(name)), H5Tclose);
    expect(same_type(type.get(), wanted),
           fmt::format("attribute '{}' of '{}' is not of type {}", name, object, to_string(wanted)));
    const H5Handle space(h5_check(H5Aget_space(attribute.get()), where(name)), H5Sclose);
    return static_cast<std::size_t>(h5_check(H5Sget_simple_extent_npoints(space.get()), where(name)));
}

void H5Reader::read_attribute(const std::string& object, const std::string& name, ElementType type,
                              void* out) const
{
    h5_check(H5Aread(open_attribute(object, name).get(), h5_native(type), out), where(name));
}

H5Handle H5Reader::open_dataset(const std::string& path) const
{
    return {h5_check(H5Dopen2(file_.get(), path.c_str(), H5P_DEFAULT), where(path)), H5Dclose};
}

std::vector<hsize_t> H5Reader::dims(const std::string& path) const
{
    const H5Handle dataset = open_dataset(path);
    const H5Handle space(h5_check(H5Dget_space(dataset.get()), where(path)), H5Sclose);
    std::vector<hsize_t> sizes(
        static_cast<std::size_t>(h5_check(H5Sget_simple_extent_ndims(space.get()), where(path))));
    if (!sizes.empty()) h5_check(H5Sget_simple_extent_dims(space.get(), sizes.data(), nullptr), where(path));
    return sizes;
}

std::size_t H5Reader::dataset_size(const std::string& path, ElementType wanted) const
{
    const H5Handle dataset = open_dataset(path);
    const H5Handle type(h5_check(H5Dget_type(dataset.get()), where(path)), H5Tclose);
    expect(same_type(type.get(), wanted),
           fmt::format("dataset '{}' is not of type {}", path, to_string(wanted)));
    const H5Handle space(h5_check(H5Dget_space(dataset.get()), where(path)), H5Sclose);
    return static_cast<std::size_t>(h5_check(H5Sget_simple_extent_npoints(space.get()), where(path)));
}

void H5Reader::read_dataset(const std::string& path, ElementType type, void* out) const
{
    h5_check(H5Dread(open_dataset(path).get(), h5_native(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, out),
             where(path));
}

std::vector<std::string> H5Reader::texts(const std::string& path) const
{
    const std::size_t count = dataset_size(path, ElementType::text);
    const H5Handle dataset = open_dataset(path);
    const H5Handle type(h5_check(H5Dget_type(dataset.get()), where(path)), H5Tclose);
    const std::size_t length = H5Tget_size(type.get());
    std::string packed(count * length, '\0');
    if (count > 0)
    {
        h5_check(H5Dread(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, packed.data()),
                 where(path));
    }
    std::vector<std::string> values;
    for (std::size_t i = 0; i < count; ++i)
        values.push_back(unpadded(packed.data() + i * length, length));
    return values;
}

std::vector<std::string> H5Reader::names(const std::string& group) const
{
    const H5Handle handle(h5_check(H5Gopen2(file_.get(), group.c_str(), H5P_DEFAULT), where(group)),
                          H5Gclose);
    std::vector<std::string> found;
    const auto visit = [](hid_t /*group*/, const char* name, const H5L_info_t* /*info*/,
                          void* out) -> herr_t {
        static_cast<std::vector<std::string>*>(out)->emplace_back(name);
        return 0;
    };
    const H5Handle layout(h5_check(H5Gget_create_plist(handle.get()), where(group)), H5Pclose);
    unsigned order = 0;
    h5_check(H5Pget_link_creation_order(layout.get(), &order), where(group));
    const H5_index_t index = (order & H5P_CRT_ORDER_INDEXED) != 0 ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME;
    h5_check(H5Literate(handle.get(), index, H5_ITER_INC, nullptr, visit, &found), where(group));
    return found;
}

}  // namespace flipstorm
