#include "hdf5_schema/h5_reader.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <set>

#include "engine/base/log.hpp"
#include "engine/base/program_name.hpp"
#include "engine/base/regular_file.hpp"
#include "hdf5_schema/h5_bounds.hpp"
#include "hdf5_schema/seal.hpp"
#include "hdf5_schema/trial_read.hpp"

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

/// `filetype` and `version` of a file, as far as they are there: the kind of file and the minor version.
std::pair<const FileSpec*, std::int32_t> read_version(hid_t file)
{
    if (H5Aexists(file, "filetype") <= 0 || H5Aexists(file, "version") <= 0) return {nullptr, 0};
    const H5Handle name(H5Aopen(file, "filetype", H5P_DEFAULT), H5Aclose);
    const H5Handle type(H5Aget_type(name.get()), H5Tclose);
    constexpr std::size_t kLongest = 256;
    std::array<char, kLongest> text{};
    if (!same_type(type.get(), ElementType::text) || H5Tget_size(type.get()) > kLongest ||
        H5Sget_simple_extent_npoints(H5Handle(H5Aget_space(name.get()), H5Sclose).get()) != 1 ||
        H5Aread(name.get(), type.get(), text.data()) < 0)
    {
        return {nullptr, 0};
    }
    const H5Handle version(H5Aopen(file, "version", H5P_DEFAULT), H5Aclose);
    std::array<std::int32_t, 2> numbers{};
    const FileSpec* spec = find_spec(unpadded(text.data(), kLongest));
    if (H5Sget_simple_extent_npoints(H5Handle(H5Aget_space(version.get()), H5Sclose).get()) != 2 ||
        H5Aread(version.get(), H5T_NATIVE_INT32, numbers.data()) < 0)
    {
        return {nullptr, 0};
    }
    return {spec != nullptr && numbers[0] == spec->major ? spec : nullptr, numbers[1]};
}

/// Of files without a seal, those of older versions are noted in the log, and newer ones refused.
void check_version_without_seal(hid_t file, const std::string& name)
{
    const auto [spec, minor] = read_version(file);
    if (spec == nullptr) return;
    FS_CHECK(FileError, minor < spec->sealed,
             "'{}' has no seal, which files of version {}.{} begin with: it is damaged, or was written by "
             "another program. Restore "
             "it from a copy, or make it anew; if it is what it should be, '{} inspect --seal {}' "
             "reads it whole and seals "
             "it",
             name, spec->major, minor, program_name(), name);
    static std::mutex mutex;
    static std::set<std::string> noted;
    const std::lock_guard lock(mutex);
    if (!noted.insert(name).second) return;
    log_info(
        "'{}' has version {}.{}, which has no seal: whether its bytes are as they were written cannot be "
        "told ('{} inspect --seal {}' seals it as it is)",
        name, spec->major, minor, program_name(), name);
}

}  // namespace

H5Handle h5_open_to_read(const std::filesystem::path& file)
{
    h5_prepare();
    FS_CHECK(FileError, ::access(file.c_str(), R_OK) == 0, "cannot read '{}': {}", file.string(),
             std::strerror(errno));
    require_regular_file(file);
    const SealState seal = check_seal(file);
    if (seal == SealState::no_room) try_reading(file);
    H5Handle opened(h5_check(H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT),
                             fmt::format("cannot open '{}' (truncated, or no HDF5 file?)", file.string())),
                    H5Fclose);
    if (seal == SealState::no_room) check_version_without_seal(opened.get(), file.string());
    return opened;
}

H5Reader::H5Reader(std::filesystem::path file, const FileSpec& spec)
    : file_name_(std::move(file)), spec_(spec)
{
    file_ = h5_open_to_read(file_name_);
    file_bytes_ = std::filesystem::file_size(file_name_);
    expect(H5Aexists(file_.get(), "filetype") > 0, "it has no 'filetype': not a flipstorm file");
    const std::string filetype = text_attribute("/", "filetype");
    expect(filetype == spec.filetype, fmt::format("it is a '{}', a '{}' is needed", filetype, spec.filetype));
    const auto version = attributes<std::int32_t>("/", "version");
    expect(version.size() == 2, "its 'version' is not [major, minor]");
    expect(version[0] == spec.major, fmt::format("it has version {}.{} of {}; this flipstorm reads {}.x",
                                                 version[0], version[1], spec.filetype, spec.major));
    expect(version[1] >= 0, fmt::format("it has version {}.{}", version[0], version[1]));
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
    expect(same_type(type.get(), ElementType::text) &&
               h5_attribute_values(attribute.get(), file_bytes_, where(object + "@" + name)) == 1,
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
    return h5_attribute_values(attribute.get(), file_bytes_, where(object + "@" + name));
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
    std::vector<hsize_t> sizes = h5_dims(space.get(), where(path));
    const DatasetSpec* spec = find_dataset(spec_, path);
    FS_REQUIRE(spec != nullptr, "the schema of {} has no dataset '{}'", spec_.title, path);
    const bool any_shape = spec->dims == std::vector<std::string>{"..."};
    expect(any_shape || sizes.size() == spec->dims.size(),
           fmt::format("'{}' has {} dimensions, {} would be right", path, sizes.size(), spec->dims.size()));
    return sizes;
}

std::size_t H5Reader::dataset_size(const std::string& path, ElementType wanted) const
{
    const H5Handle dataset = open_dataset(path);
    const H5Handle type(h5_check(H5Dget_type(dataset.get()), where(path)), H5Tclose);
    expect(same_type(type.get(), wanted),
           fmt::format("dataset '{}' is not of type {}", path, to_string(wanted)));
    static_cast<void>(dims(path));
    return h5_stored_values(dataset.get(), file_bytes_, where(path));
}

void H5Reader::read_dataset(const std::string& path, ElementType type, void* out) const
{
    if (out == nullptr) return;  // no values
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

bool H5Reader::has(const std::string& object) const
{
    return h5_check(H5Lexists(file_.get(), object.c_str(), H5P_DEFAULT), where(object)) > 0;
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
