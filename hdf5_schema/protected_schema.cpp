// The schema of protected.h5.

#include "hdf5_schema/layer_protection_columns.hpp"
#include "hdf5_schema/schema.hpp"

namespace flipstorm
{
namespace
{

std::vector<DatasetSpec> columns()
{
    using T = ElementType;
    std::vector<DatasetSpec> list = layer_protection_columns();
    list.push_back({"/words/<layer>",
                    T::uint8,
                    {"weight"},
                    "1",
                    "words as they are stored, check bits in them where /plan/check_places says so",
                    {},
                    {},
                    {T::uint16, T::uint32}});
    list.push_back(
        {"/checks/<layer>",
         T::uint64,
         {"code word"},
         "1",
         "check bits stored beside the words, in the low bits: by block and, interleaved, by position from "
         "the lowest covered one on"});
    return list;
}

}  // namespace

const FileSpec& protected_spec()
{
    using T = ElementType;
    static const FileSpec spec = {
        "flipstorm/protected",
        "protected.h5",
        1,
        0,
        0,
        {
            {"/", "protection_sha256", T::text, "", "`stage_sha256` of the protection"},
            {"/", "memory_sha256", T::text, "",
             "SHA-256 of how each layer is kept, its words and its check bits"},
            {"/", "scheme", T::text, "",
             "scheme that the memory is kept by, as in /options of protection.h5"},
            {"/checks/<layer>", "bits", T::int32, "",
             "check bits of a word of the code; 0: none beside the words"},
        },
        columns()};
    return spec;
}

}  // namespace flipstorm
