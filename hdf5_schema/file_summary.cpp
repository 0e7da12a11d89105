#include "hdf5_schema/file_summary.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <exception>
#include <set>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/base/printable_text.hpp"
#include "hdf5_schema/h5_bounds.hpp"
#include "hdf5_schema/h5_reader.hpp"

namespace flipstorm
{
namespace
{

/// An attribute or a dataset as it lies in a file.
struct Item
{
    std::string object;     ///< path of the object
    std::string attribute;  ///< empty: the dataset itself
    std::string type;
    std::vector<hsize_t> dims;
    std::string value;  ///< of a short attribute
};

std::string type_text(hid_t type)
{
    const std::size_t size = H5Tget_size(type) * 8;
    switch (H5Tget_class(type))
    {
        case H5T_INTEGER:
            return fmt::format("{}int{}", H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "", size);
        case H5T_FLOAT:
            return fmt::format("float{}", size);
        case H5T_STRING:
            return "string";
        default:
            return "other";
    }
}

/// Value of an attribute with few elements, for people.
std::string value_text(hid_t attribute, hid_t type, const std::vector<hsize_t>& dims,
                       std::uint64_t file_bytes)
{
    constexpr hsize_t kLongest = 32;
    const std::size_t count = h5_attribute_values(attribute, file_bytes, "cannot list the file");
    if (H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 && count == 1)
    {
        std::string text(H5Tget_size(type), '\0');
        H5Aread(attribute, type, text.data());
        text.resize(std::min(text.size(), text.find('\0')));
        return text;
    }
    if (count > kLongest || (H5Tget_class(type) != H5T_INTEGER && H5Tget_class(type) != H5T_FLOAT)) return {};
    std::vector<double> values(count);
    H5Aread(attribute, H5T_NATIVE_DOUBLE, values.data());
    return count == 1 && dims.empty() ? fmt::format("{}", values[0]) : fmt::format("{}", values);
}

/// Attributes that HDF5's own conventions for dimension scales need.
bool is_convention(const std::string& name)
{
    static const std::set<std::string> names{"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST",
                                             "DIMENSION_LABELS"};
    return names.count(name) > 0;
}

/// What is collected on the way through a file; no exception may pass through HDF5.
struct Collection
{
    std::uint64_t file_bytes = 0;
    std::vector<Item> items;
    std::exception_ptr failure;
};

/// Do something within HDF5's own loop. \return what HDF5 is to be told: 0 to go on, −1 to give up
template<class Work>
herr_t within_hdf5(Collection& collection, Work&& work)
{
    try
    {
        work();
        return 0;
    }
    catch (...)
    {
        if (!collection.failure) collection.failure = std::current_exception();
        return -1;
    }
}

void collect_attributes(hid_t object, const std::string& path, Collection& collection)
{
    struct Visit
    {
        std::string path;
        Collection* collection;
    } visit{path, &collection};
    const auto each = [](hid_t owner, const char* name, const H5A_info_t* /*info*/, void* data) -> herr_t {
        auto& state = *static_cast<Visit*>(data);
        if (is_convention(name)) return 0;
        return within_hdf5(*state.collection, [&] {
            const H5Handle attribute(h5_check(H5Aopen(owner, name, H5P_DEFAULT), state.path), H5Aclose);
            const H5Handle type(h5_check(H5Aget_type(attribute.get()), state.path), H5Tclose);
            const H5Handle space(h5_check(H5Aget_space(attribute.get()), state.path), H5Sclose);
            const std::vector<hsize_t> dims = h5_dims(space.get(), state.path);
            state.collection->items.push_back(
                {state.path, name, type_text(type.get()), dims,
                 value_text(attribute.get(), type.get(), dims, state.collection->file_bytes)});
        });
    };
    h5_check(H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, each, &visit), path);
}

std::vector<Item> collect(const H5Handle& file, const std::filesystem::path& name)
{
    Collection collection;
    collection.file_bytes = std::filesystem::file_size(name);
    const auto each = [](hid_t root, const char* object_name, const H5O_info_t* info, void* data) -> herr_t {
        auto& state = *static_cast<Collection*>(data);
        return within_hdf5(state, [&] {
            const std::string path = std::string(object_name) == "." ? "/" : "/" + std::string(object_name);
            const H5Handle object(h5_check(H5Oopen(root, object_name, H5P_DEFAULT), path), H5Oclose);
            if (info->type == H5O_TYPE_DATASET)
            {
                const H5Handle type(h5_check(H5Dget_type(object.get()), path), H5Tclose);
                const H5Handle space(h5_check(H5Dget_space(object.get()), path), H5Sclose);
                state.items.push_back({path, "", type_text(type.get()), h5_dims(space.get(), path), ""});
            }
            collect_attributes(object.get(), path, state);
        });
    };
    const std::string where = fmt::format("cannot list '{}'", name.string());
    const herr_t end = H5Ovisit2(file.get(), H5_INDEX_NAME, H5_ITER_INC, each, &collection, H5O_INFO_BASIC);
    if (collection.failure)
    {
        try
        {
            std::rethrow_exception(collection.failure);
        }
        catch (const std::exception& error)
        {
            throw FileError("{}: {}", where, error.what());
        }
    }
    h5_check(end, where);
    return std::move(collection.items);
}

/// A text attribute of the root; null if there is none.
const std::string* root_attribute(const std::vector<Item>& items, const std::string& name)
{
    const auto found = std::find_if(items.begin(), items.end(), [&name](const Item& item) {
        return item.object == "/" && item.attribute == name;
    });
    return found == items.end() ? nullptr : &found->value;
}

/// The same of a file. \throws FileError if there is none
std::string root_text(const std::filesystem::path& file, const std::string& name)
{
    const H5Handle handle = h5_open_to_read(file);
    const std::vector<Item> items = collect(handle, file);
    const std::string* found = root_attribute(items, name);
    FS_CHECK(FileError, found != nullptr, "'{}' has no '{}': not a flipstorm file", file.string(), name);
    return *found;
}

/// Holds what lies in a file against its schema.
class SchemaCheck
{
  public:
    /// \param target  of the campaign; empty: the file is of none
    SchemaCheck(const FileSpec& spec, std::string target) : spec_(spec), target_(std::move(target)) {}

    /// All problems, a line each.
    std::string run(const std::vector<Item>& items)
    {
        for (const Item& item : items)
        {
            seen_.insert(item.object + "@" + item.attribute);
            if (item.attribute.empty())
                check_dataset(item);
            else if (!is_descriptive(item.attribute))
                check_attribute(item);
        }
        list_missing();
        for (const Item& item : items)
        {
            if (item.attribute.empty()) list_undescribed(item);
        }
        return std::move(problems_);
    }

  private:
    /// Attributes that any dataset may have.
    static bool is_descriptive(const std::string& name)
    {
        static const std::set<std::string> names{"units", "description", "flag_values", "flag_meanings"};
        return names.count(name) > 0;
    }

    [[nodiscard]] bool is_expected(const std::vector<std::string>& targets) const
    {
        return targets.empty() || std::find(targets.begin(), targets.end(), target_) != targets.end();
    }

    void check_dataset(const Item& item)
    {
        const DatasetSpec* known = find_dataset(spec_, item.object);
        if (known == nullptr || !is_expected(known->targets))
        {
            problems_ += fmt::format("{} is not in the schema\n", item.object);
            return;
        }
        seen_.insert(known->path);
        const bool other = std::any_of(known->other_types.begin(), known->other_types.end(),
                                       [&](ElementType type) { return to_string(type) == item.type; });
        if (to_string(known->type) != item.type && !other)
        {
            problems_ +=
                fmt::format("{} is {}, the schema says {}\n", item.object, item.type, to_string(known->type));
        }
        if (known->dims != std::vector<std::string>{"..."} && known->dims.size() != item.dims.size())
        {
            problems_ += fmt::format("{} has {} dimensions, the schema says {}\n", item.object,
                                     item.dims.size(), known->dims.size());
        }
    }

    void check_attribute(const Item& item)
    {
        const AttributeSpec* known = find_attribute(spec_, item.object, item.attribute);
        if (known == nullptr || !is_expected(known->targets) || to_string(known->type) != item.type ||
            known->shape.empty() != item.dims.empty())
        {
            problems_ += fmt::format("attribute {} of {} is not in the schema like this\n", item.attribute,
                                     item.object);
            return;
        }
        seen_.insert(known->object + "@" + known->name);
    }

    void list_missing()
    {
        for (const DatasetSpec& dataset : spec_.datasets)
        {
            if (seen_.count(dataset.path) == 0 && is_expected(dataset.targets) && !dataset.optional)
                problems_ += fmt::format("{} is missing\n", dataset.path);
        }
        for (const std::vector<AttributeSpec>* list : {&common_attributes(), &spec_.attributes})
        {
            for (const AttributeSpec& attribute : *list)
            {
                if (seen_.count(attribute.object + "@" + attribute.name) == 0 &&
                    is_expected(attribute.targets) && !attribute.optional)
                {
                    problems_ +=
                        fmt::format("attribute {} of {} is missing\n", attribute.name, attribute.object);
                }
            }
        }
    }

    void list_undescribed(const Item& dataset)
    {
        for (const char* name : {"@units", "@description"})
        {
            if (seen_.count(dataset.object + name) == 0)
                problems_ += fmt::format("{} has no {}\n", dataset.object, name + 1);
        }
    }

    const FileSpec& spec_;
    std::string target_;
    std::set<std::string> seen_;  ///< paths of datasets, OBJECT@ATTRIBUTE
    std::string problems_;
};

}  // namespace

std::string stage_digest_of(const std::filesystem::path& file)
{
    return root_text(file, "stage_sha256");
}

std::string filetype_of(const std::filesystem::path& file)
{
    return root_text(file, "filetype");
}

std::string earlier_version_of(const std::filesystem::path& file)
{
    const FileSpec* const spec = find_spec(filetype_of(file));
    if (spec == nullptr) return "";
    const std::int32_t minor = H5Reader(file, *spec).minor_version();
    return minor < spec->minor ? fmt::format("{}.{}", spec->major, minor) : "";
}

std::string summarise_file(const std::filesystem::path& file)
{
    const H5Handle handle = h5_open_to_read(file);
    std::string text;
    for (const Item& item : collect(handle, file))
    {
        const std::string object = printable(item.object);
        const std::string attribute = printable(item.attribute);
        if (item.attribute.empty())
        {
            text += fmt::format("{}  {} [{}]\n", object, item.type, fmt::join(item.dims, ", "));
        }
        else if (item.attribute == "job")
        {
            text += fmt::format("{}@job  ({} characters of TOML)\n", object, item.value.size());
        }
        else
        {
            text += fmt::format("{}@{} = {}\n", object, attribute,
                                item.value.empty() && !item.dims.empty()
                                    ? fmt::format("{} [{}]", item.type, fmt::join(item.dims, ", "))
                                    : printable(item.value));
        }
    }
    return text;
}

std::string check_against_schema(const std::filesystem::path& file)
{
    const H5Handle handle = h5_open_to_read(file);
    const std::vector<Item> items = collect(handle, file);
    const auto text_of = [&items](const char* name) {
        const std::string* found = root_attribute(items, name);
        return found == nullptr ? std::string() : *found;
    };
    const std::string filetype = text_of("filetype");
    const FileSpec* spec = find_spec(filetype);
    if (spec == nullptr) return fmt::format("unknown filetype '{}'\n", filetype);
    return SchemaCheck(*spec, text_of("target")).run(items);
}

}  // namespace flipstorm
