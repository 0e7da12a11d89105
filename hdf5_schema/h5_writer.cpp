#include "hdf5_schema/h5_writer.hpp"

#include <hdf5_hl.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/temporary_file.hpp"
#include "hdf5_schema/seal.hpp"

namespace flipstorm
{
namespace
{

constexpr hsize_t kChunkElements = 65536;
constexpr unsigned kDeflateLevel = 4;

H5Handle text_type(std::size_t length)
{
    H5Handle type(h5_check(H5Tcopy(H5T_C_S1), "text type"), H5Tclose);
    h5_check(H5Tset_size(type.get(), std::max<std::size_t>(length, 1)), "text type");
    h5_check(H5Tset_strpad(type.get(), H5T_STR_NULLPAD), "text type");
    h5_check(H5Tset_cset(type.get(), H5T_CSET_UTF8), "text type");
    return type;
}

H5Handle scalar_space()
{
    return {h5_check(H5Screate(H5S_SCALAR), "scalar"), H5Sclose};
}

H5Handle simple_space(const std::vector<hsize_t>& dims)
{
    return {h5_check(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), "dimensions"),
            H5Sclose};
}

hsize_t product(const std::vector<hsize_t>& dims)
{
    return std::accumulate(dims.begin(), dims.end(), hsize_t{1}, std::multiplies<>());
}

void put_attribute(hid_t object, const std::string& name, hid_t type, const H5Handle& space,
                   const void* values, const std::string& where)
{
    const H5Handle attribute(
        h5_check(H5Acreate2(object, name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT), where),
        H5Aclose);
    h5_check(H5Awrite(attribute.get(), type, values), where);
}

void put_text_attribute(hid_t object, const std::string& name, const std::string& value,
                        const std::string& where)
{
    const std::string stored = value.empty() ? std::string(1, '\0') : value;
    put_attribute(object, name, text_type(stored.size()).get(), scalar_space(), stored.data(), where);
}

}  // namespace

H5Writer::H5Writer(std::filesystem::path file, const FileSpec& spec, const Provenance& provenance,
                   std::int32_t minor)
    : final_name_(std::move(file)), temporary_(create_temporary(final_name_)), spec_(spec)
{
    try
    {
        begin(provenance, minor);
    }
    catch (...)
    {
        file_.reset();
        ::unlink(temporary_.c_str());
        throw;
    }
}

void H5Writer::begin(const Provenance& provenance, std::int32_t minor)
{
    h5_prepare();
    const H5Handle layout(h5_check(H5Pcreate(H5P_FILE_CREATE), "file layout"), H5Pclose);
    h5_check(H5Pset_userblock(layout.get(), kSealBytes), "room for the seal");
    // Truncates the empty file that was made for it.
    file_ = H5Handle(h5_check(H5Fcreate(temporary_.c_str(), H5F_ACC_TRUNC, layout.get(), H5P_DEFAULT),
                              fmt::format("cannot create '{}'", final_name_.string())),
                     H5Fclose);
    attribute("/", "filetype", spec_.filetype);
    attribute("/", "version", std::vector<std::int32_t>{spec_.major, minor});
    attribute("/", "software_version", provenance.software_version);
    attribute("/", "git_sha1", provenance.git_sha1);
    attribute("/", "date", provenance.date);
    attribute("/", "command_line", provenance.command_line);
    attribute("/", "job", provenance.job);
    attribute("/", "job_sha256", provenance.job_sha256);
    attribute("/", "stage_sha256", provenance.stage_sha256);
    attribute("/", "model_sha256", provenance.model_sha256);
    attribute("/", "dataset_sha256", provenance.dataset_sha256);
    attribute("/", "seed", provenance.seed);
    attribute("/", "libraries", provenance.libraries);
}

H5Writer::~H5Writer()
{
    if (keep_temporary_) return;
    file_.reset();
    ::unlink(temporary_.c_str());
}

std::string H5Writer::where(const std::string& object) const
{
    return fmt::format("cannot write '{}' of '{}'", object, final_name_.string());
}

void H5Writer::make_parents(const std::string& path)
{
    const H5Handle ordered(h5_check(H5Pcreate(H5P_GROUP_CREATE), where(path)), H5Pclose);
    h5_check(H5Pset_link_creation_order(ordered.get(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED),
             where(path));
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
    {
        const std::string group = path.substr(0, slash);
        if (h5_check(H5Lexists(file_.get(), group.c_str(), H5P_DEFAULT), where(group)) > 0) continue;
        H5Handle(h5_check(H5Gcreate2(file_.get(), group.c_str(), H5P_DEFAULT, ordered.get(), H5P_DEFAULT),
                          where(group)),
                 H5Gclose);
    }
}

void H5Writer::attribute(const std::string& object, const std::string& name, const std::string& value)
{
    write_attribute(object, name, ElementType::text, &value, 1, true);
}

void H5Writer::write_attribute(const std::string& object, const std::string& name, ElementType type,
                               const void* values, std::size_t count, bool scalar)
{
    const AttributeSpec* spec = find_attribute(spec_, object, name);
    FS_REQUIRE(spec != nullptr && spec->type == type && spec->shape.empty() == scalar,
               "the schema of {} has no attribute '{}' of '{}' with this type and shape", spec_.title, name,
               object);
    if (object != "/") make_parents(object);
    if (object != "/" && h5_check(H5Lexists(file_.get(), object.c_str(), H5P_DEFAULT), where(object)) == 0)
    {
        make_parents(object + "/");
    }
    const H5Handle owner(h5_check(H5Oopen(file_.get(), object.c_str(), H5P_DEFAULT), where(object)),
                         H5Oclose);
    if (type == ElementType::text)
    {
        put_text_attribute(owner.get(), name, *static_cast<const std::string*>(values), where(object));
        return;
    }
    put_attribute(owner.get(), name, h5_native(type), scalar ? scalar_space() : simple_space({count}), values,
                  where(object));
}

const DatasetSpec& H5Writer::spec_of(const std::string& path, ElementType type) const
{
    const DatasetSpec* spec = find_dataset(spec_, path);
    FS_REQUIRE(spec != nullptr && spec->has_type(type), "the schema of {} has no dataset '{}' of {}",
               spec_.title, path, to_string(type));
    return *spec;
}

void H5Writer::describe(hid_t dataset, const DatasetSpec& spec)
{
    put_text_attribute(dataset, "units", spec.units, where(spec.path));
    put_text_attribute(dataset, "description", spec.description, where(spec.path));
    if (spec.flags.empty()) return;
    std::vector<std::int64_t> values;
    std::string meanings;
    for (const FlagMeaning& flag : spec.flags)
    {
        values.push_back(flag.value);
        std::string meaning = flag.meaning;
        std::replace(meaning.begin(), meaning.end(), ' ', '_');
        meanings += (meanings.empty() ? "" : " ") + meaning;
    }
    put_attribute(dataset, "flag_values", H5T_NATIVE_INT64, simple_space({values.size()}), values.data(),
                  where(spec.path));
    put_text_attribute(dataset, "flag_meanings", meanings, where(spec.path));
}

H5Handle H5Writer::create(const DatasetSpec& spec, const std::string& path, hid_t type,
                          const std::vector<hsize_t>& dims)
{
    make_parents(path);
    const H5Handle layout(h5_check(H5Pcreate(H5P_DATASET_CREATE), where(path)), H5Pclose);
    // Time stamps would make equal files differ.
    h5_check(H5Pset_obj_track_times(layout.get(), 0), where(path));
    if (product(dims) > 0)
    {
        std::vector<hsize_t> chunk = dims;
        for (std::size_t d = 0; d < chunk.size() && product(chunk) > kChunkElements; ++d)
        {
            const hsize_t row = product(chunk) / chunk[d];
            chunk[d] = std::max<hsize_t>(1, kChunkElements / row);
        }
        h5_check(H5Pset_chunk(layout.get(), static_cast<int>(chunk.size()), chunk.data()), where(path));
        h5_check(H5Pset_shuffle(layout.get()), where(path));
        h5_check(H5Pset_deflate(layout.get(), kDeflateLevel), where(path));
    }
    const H5Handle space = simple_space(dims);
    H5Handle dataset(h5_check(H5Dcreate2(file_.get(), path.c_str(), type, space.get(), H5P_DEFAULT,
                                         layout.get(), H5P_DEFAULT),
                              where(path)),
                     H5Dclose);
    describe(dataset.get(), spec);
    if (spec.dims.size() == dims.size() && spec.dims.front() != "...")
    {
        for (unsigned d = 0; d < dims.size(); ++d)
        {
            h5_check(H5DSset_label(dataset.get(), d, spec.dims[d].c_str()), where(path));
        }
    }
    return dataset;
}

void H5Writer::write_dataset(const std::string& path, ElementType type, const void* values, std::size_t count,
                             const std::vector<hsize_t>& dims)
{
    FS_REQUIRE(product(dims) == count, "dataset '{}': {} values for {} elements", path, count, product(dims));
    const H5Handle dataset = create(spec_of(path, type), path, h5_native(type), dims);
    if (count == 0) return;
    h5_check(H5Dwrite(dataset.get(), h5_native(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, values), where(path));
}

void H5Writer::dataset(const std::string& path, const std::vector<std::string>& values)
{
    std::size_t length = 1;
    for (const std::string& value : values)
        length = std::max(length, value.size());
    std::string packed;
    for (const std::string& value : values)
    {
        packed += value;
        packed.append(length - value.size(), '\0');
    }
    const H5Handle type = text_type(length);
    const H5Handle dataset = create(spec_of(path, ElementType::text), path, type.get(), {values.size()});
    if (values.empty()) return;
    h5_check(H5Dwrite(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, packed.data()), where(path));
}

void H5Writer::text(const std::string& path, const std::string& value)
{
    const DatasetSpec& spec = spec_of(path, ElementType::text);
    make_parents(path);
    const H5Handle type = text_type(value.size());
    const H5Handle space = scalar_space();
    const H5Handle dataset(h5_check(H5Dcreate2(file_.get(), path.c_str(), type.get(), space.get(),
                                               H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                                    where(path)),
                           H5Dclose);
    describe(dataset.get(), spec);
    h5_check(H5Dwrite(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, value.data()), where(path));
}

void H5Writer::declare(const std::string& path, const std::vector<hsize_t>& dims)
{
    const DatasetSpec* spec = find_dataset(spec_, path);
    FS_REQUIRE(spec != nullptr, "the schema of {} has no dataset '{}'", spec_.title, path);
    create(*spec, path, h5_native(spec->type), dims);
}

void H5Writer::attach_scale(const std::string& path, unsigned dimension, const std::string& scale)
{
    const H5Handle dataset(h5_check(H5Dopen2(file_.get(), path.c_str(), H5P_DEFAULT), where(path)), H5Dclose);
    const H5Handle values(h5_check(H5Dopen2(file_.get(), scale.c_str(), H5P_DEFAULT), where(scale)),
                          H5Dclose);
    if (H5DSis_scale(values.get()) == 0)
    {
        h5_check(H5DSset_scale(values.get(), scale.substr(1).c_str()), where(scale));
    }
    h5_check(H5DSattach_scale(dataset.get(), values.get(), dimension), where(path));
}

std::filesystem::path H5Writer::hand_over()
{
    FS_CHECK(FileError, file_.reset(), "cannot close '{}': is the disk full?", temporary_.string());
    keep_temporary_ = true;
    return temporary_;
}

void H5Writer::publish()
{
    FS_CHECK(FileError, file_.reset(), "cannot close '{}': is the disk full?", temporary_.string());
    seal_file(temporary_);
    publish_file(temporary_, final_name_);
    keep_temporary_ = true;
}

H5Handle h5_open_to_write(const std::filesystem::path& file, MPI_Comm communicator)
{
    h5_prepare();
    const H5Handle access(h5_check(H5Pcreate(H5P_FILE_ACCESS), "file access"), H5Pclose);
    if (communicator != MPI_COMM_NULL)
    {
        h5_check(H5Pset_fapl_mpio(access.get(), communicator, MPI_INFO_NULL), "parallel file access");
    }
    return {h5_check(H5Fopen(file.c_str(), H5F_ACC_RDWR, access.get()),
                     fmt::format("cannot open '{}'", file.string())),
            H5Fclose};
}

void h5_write_rows(const H5Handle& file, const std::string& path, ElementType type, const void* values,
                   hsize_t first, hsize_t count, bool collective)
{
    std::string name(static_cast<std::size_t>(std::max<ssize_t>(0, H5Fget_name(file.get(), nullptr, 0))),
                     '\0');
    H5Fget_name(file.get(), name.data(), name.size() + 1);
    const std::string where = fmt::format("cannot write rows {} … {} of '{}' in '{}' (is the disk full?)",
                                          first, first + count, path, name);
    const H5Handle dataset(h5_check(H5Dopen2(file.get(), path.c_str(), H5P_DEFAULT), where), H5Dclose);
    const H5Handle target(h5_check(H5Dget_space(dataset.get()), where), H5Sclose);
    // The first dimension counts rows; a second one, if there is, is written whole.
    std::vector<hsize_t> counts(
        static_cast<std::size_t>(h5_check(H5Sget_simple_extent_ndims(target.get()), where)));
    h5_check(H5Sget_simple_extent_dims(target.get(), counts.data(), nullptr), where);
    counts.front() = count;
    std::vector<hsize_t> starts(counts.size(), 0);
    starts.front() = first;
    const H5Handle source = simple_space(counts);
    if (count > 0)
    {
        h5_check(
            H5Sselect_hyperslab(target.get(), H5S_SELECT_SET, starts.data(), nullptr, counts.data(), nullptr),
            where);
    }
    else
    {
        h5_check(H5Sselect_none(target.get()), where);
        h5_check(H5Sselect_none(source.get()), where);
    }
    const H5Handle transfer(h5_check(H5Pcreate(H5P_DATASET_XFER), where), H5Pclose);
    if (collective) h5_check(H5Pset_dxpl_mpio(transfer.get(), H5FD_MPIO_COLLECTIVE), where);
    h5_check(H5Dwrite(dataset.get(), h5_native(type), source.get(), target.get(), transfer.get(), values),
             where);
}

}  // namespace flipstorm
