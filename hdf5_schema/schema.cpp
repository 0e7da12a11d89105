#include "hdf5_schema/schema.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace flipstorm
{
namespace
{

using T = ElementType;

/// A path of the schema fits a path of a file: equal, with anything in the place of the placeholder; one name
/// if more follows it.
bool fits(const std::string& pattern, const std::string& path)
{
    const std::size_t open = pattern.find('<');
    if (open == std::string::npos) return pattern == path;
    const std::string after = pattern.substr(pattern.find('>') + 1);
    if (path.size() <= open + after.size() || path.compare(0, open, pattern, 0, open) != 0) return false;
    const std::size_t end = path.size() - after.size();
    return path.compare(end, after.size(), after) == 0 && (after.empty() || path.find('/', open) == end);
}

/// With which targets a file has something; empty: with all.
std::string only_text(const std::vector<std::string>& targets)
{
    if (targets.empty()) return "";
    std::string text;
    for (const std::string& target : targets)
        text += (text.empty() ? "" : ", ") + fmt::format("`{}`", target);
    return "; only with target " + text;
}

std::string shape_text(const std::vector<std::string>& dims)
{
    if (dims.empty()) return "scalar";
    std::string text;
    for (const std::string& dim : dims)
        text += (text.empty() ? "" : ", ") + dim;
    return "[" + text + "]";
}

}  // namespace

bool DatasetSpec::has_type(ElementType wanted) const
{
    return wanted == type || std::find(other_types.begin(), other_types.end(), wanted) != other_types.end();
}

std::string to_string(ElementType type)
{
    switch (type)
    {
        case T::int32:
            return "int32";
        case T::uint8:
            return "uint8";
        case T::uint16:
            return "uint16";
        case T::uint32:
            return "uint32";
        case T::uint64:
            return "uint64";
        case T::float32:
            return "float32";
        case T::float64:
            return "float64";
        case T::text:
            return "string";
    }
    return "?";
}

const std::vector<AttributeSpec>& common_attributes()
{
    static const std::vector<AttributeSpec> attributes = {
        {"/", "filetype", T::text, "", "what kind of file this is, e.g. `flipstorm/campaign`"},
        {"/", "version", T::int32, "[2]",
         "major and minor version of the format; readers refuse another major version"},
        {"/", "software_version", T::text, "", "version of flipstorm that wrote the file"},
        {"/", "git_sha1", T::text, "", "commit flipstorm was built from"},
        {"/", "date", T::text, "", "when the file was written, UTC, ISO 8601"},
        {"/", "command_line", T::text, "", "command that wrote the file"},
        {"/", "job", T::text, "", "the resolved job file, TOML: every key with its value"},
        {"/", "job_sha256", T::text, "", "SHA-256 of `job`"},
        {"/", "stage_sha256", T::text, "",
         "SHA-256 of everything that decides the content: job keys that matter to it and digests of its "
         "inputs"},
        {"/", "model_sha256", T::text, "",
         "SHA-256 of the network: graph, format, normalisation, parameters"},
        {"/", "dataset_sha256", T::text, "", "SHA-256 of the images and labels used"},
        {"/", "seed", T::uint64, "", "seed of all random numbers"},
        {"/", "libraries", T::text, "", "libraries and their versions"},
    };
    return attributes;
}

std::vector<const FileSpec*> all_specs()
{
    return {&model_spec(),     &campaign_spec(), &forest_spec(),    &protection_spec(),
            &protected_spec(), &memory_spec(),   &comparison_spec()};
}

const FileSpec* find_spec(const std::string& filetype)
{
    for (const FileSpec* spec : all_specs())
    {
        if (spec->filetype == filetype) return spec;
    }
    return nullptr;
}

const DatasetSpec* find_dataset(const FileSpec& spec, const std::string& path)
{
    for (const DatasetSpec& dataset : spec.datasets)
    {
        if (fits(dataset.path, path)) return &dataset;
    }
    return nullptr;
}

const AttributeSpec* find_attribute(const FileSpec& spec, const std::string& object, const std::string& name)
{
    for (const std::vector<AttributeSpec>* list : {&common_attributes(), &spec.attributes})
    {
        for (const AttributeSpec& attribute : *list)
        {
            if (attribute.name == name && fits(attribute.object, object)) return &attribute;
        }
    }
    return nullptr;
}

std::string render_schema()
{
    const auto attribute_rows = [](const std::vector<AttributeSpec>& attributes) {
        std::string rows = "| object | attribute | type | meaning |\n|---|---|---|---|\n";
        for (const AttributeSpec& a : attributes)
        {
            rows += fmt::format("| `{}` | `{}` | {}{} | {}{} |\n", a.object, a.name, to_string(a.type),
                                a.shape, a.description, only_text(a.targets));
        }
        return rows;
    };
    std::string text = "## Attributes of every file\n\n" + attribute_rows(common_attributes());
    for (const FileSpec* spec : all_specs())
    {
        text += fmt::format("\n## {}: `{}`, version {}.{}\n\n", spec->title, spec->filetype, spec->major,
                            spec->minor);
        text += attribute_rows(spec->attributes);
        text += "\n| dataset | type | shape | units | meaning |\n|---|---|---|---|---|\n";
        for (const DatasetSpec& d : spec->datasets)
        {
            std::string flags;
            for (const FlagMeaning& flag : d.flags)
            {
                flags += fmt::format("{}{} = {}", flags.empty() ? " (" : ", ", flag.value, flag.meaning);
            }
            std::string types = to_string(d.type);
            for (const ElementType type : d.other_types)
                types += (type == d.other_types.back() ? " or " : ", ") + to_string(type);
            text +=
                fmt::format("| `{}` | {} | {} | {} | {}{}{}{} |\n", d.path, types, shape_text(d.dims),
                            d.units, d.description, flags, flags.empty() ? "" : ")", only_text(d.targets));
        }
    }
    return text;
}

}  // namespace flipstorm
