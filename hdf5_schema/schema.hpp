#pragma once
// What is in which file: the one table that the writers, the readers and SCHEMA.md follow.

#include <cstdint>
#include <string>
#include <vector>

namespace flipstorm
{

/// Type of the elements of a dataset or attribute, as stored.
enum class ElementType
{
    int32,
    uint8,
    uint16,
    uint32,
    uint64,
    float32,
    float64,
    text,  ///< fixed-length UTF-8, null-padded
};

/// "int32", …, "string"
[[nodiscard]] std::string to_string(ElementType type);

/// A value of a category and what it stands for.
struct FlagMeaning
{
    std::int64_t value;
    std::string meaning;
};

/// One dataset, or a family of them where the path ends in "<…>".
struct DatasetSpec
{
    std::string path;  ///< e.g. "/faults/bit", "/parameters/<state-dict name>"
    ElementType type;
    std::vector<std::string> dims;  ///< what each dimension counts; empty: scalar; {"..."}: any shape
    std::string units;              ///< "1" for a pure number
    std::string description;
    std::vector<FlagMeaning> flags{};  ///< of a category
    /// Values of the root attribute `target` with which a file has it; empty: every file has it.
    std::vector<std::string> targets{};
    std::vector<ElementType> other_types{};  ///< that each of a family may have instead
    bool optional = false;                   ///< a file may be without

    [[nodiscard]] bool has_type(ElementType wanted) const;
};

/// One attribute of the root or of a group or dataset.
struct AttributeSpec
{
    std::string object;  ///< "/" or a path as in DatasetSpec
    std::string name;
    ElementType type;
    std::string shape;  ///< "" for a scalar, else e.g. "[tolerances]"
    std::string description;
    std::vector<std::string> targets{};  ///< as of a dataset
    bool optional = false;               ///< as of a dataset
};

/// One kind of file.
struct FileSpec
{
    std::string filetype;  ///< e.g. "flipstorm/campaign"
    std::string title;     ///< e.g. "campaign.h5"
    std::int32_t major;    ///< readers refuse another
    std::int32_t minor;    ///< grows when something is added
    std::int32_t sealed;   ///< minor version from which on files have a seal
    std::vector<AttributeSpec> attributes;
    std::vector<DatasetSpec> datasets;
};

[[nodiscard]] const FileSpec& model_spec();
[[nodiscard]] const FileSpec& campaign_spec();
[[nodiscard]] const FileSpec& forest_spec();
[[nodiscard]] const FileSpec& protection_spec();
[[nodiscard]] const FileSpec& protected_spec();
[[nodiscard]] const FileSpec& memory_spec();
[[nodiscard]] const FileSpec& comparison_spec();

/// All kinds of file.
[[nodiscard]] std::vector<const FileSpec*> all_specs();

/// The kind of file whose `filetype` this is; null if there is none.
[[nodiscard]] const FileSpec* find_spec(const std::string& filetype);

/// Root attributes that every file has beside its own.
[[nodiscard]] const std::vector<AttributeSpec>& common_attributes();

/// Entry that describes a path, placeholders matched; null if the schema has none.
[[nodiscard]] const DatasetSpec* find_dataset(const FileSpec& spec, const std::string& path);
[[nodiscard]] const AttributeSpec* find_attribute(const FileSpec& spec, const std::string& object,
                                                  const std::string& name);

/// The tables of SCHEMA.md, Markdown.
[[nodiscard]] std::string render_schema();

}  // namespace flipstorm
