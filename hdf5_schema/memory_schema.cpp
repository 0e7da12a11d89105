// The schema of memory.h5.

#include "hdf5_schema/schema.hpp"

namespace flipstorm
{

const FileSpec& memory_spec()
{
    using T = ElementType;
    static const FileSpec spec = {
        "flipstorm/memory",
        "memory.h5",
        1,
        0,
        0,
        {
            {"/", "memory_sha256", T::text, "", "`memory_sha256` of protected.h5"},
            {"/", "images", T::uint64, "", "test images of each trial"},
            {"/", "golden_correct", T::uint64, "[2]",
             "images classified correctly without an upset: unprotected, protected"},
            {"/", "bits", T::uint64, "[2]", "bits of the memory: unprotected, protected"},
            {"/", "adjacent_share", T::float64, "", "share of the upsets that hit the next bit, too"},
        },
        {
            {"/ber", T::float64, {"rate"}, "1", "probability of each bit to be upset, rising"},
            {"/trials/rate", T::int32, {"trial"}, "1", "row of /ber"},
            {"/trials/protected",
             T::uint8,
             {"trial"},
             "1",
             "which memory",
             {{0, "the words alone"}, {1, "that of protected.h5"}}},
            {"/trials/upsets", T::uint64, {"trial"}, "bit", "bits that flipped, anywhere in the memory"},
            {"/trials/corrected", T::uint64, {"trial"}, "1", "blocks of words that a decoder corrected"},
            {"/trials/detected",
             T::uint64,
             {"trial"},
             "1",
             "blocks with an error that it found and could not correct"},
            {"/trials/changed", T::uint64, {"trial"}, "1", "words that read otherwise than without an upset"},
            {"/trials/correct", T::uint32, {"trial"}, "image", "images whose top-1 is the label"},
            {"/trials/nonfinite",
             T::uint32,
             {"trial"},
             "image",
             "images with a logit that is NaN or infinite; none of them is correct"},
        }};
    return spec;
}

}  // namespace flipstorm
