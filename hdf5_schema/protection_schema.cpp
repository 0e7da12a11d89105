// The schema of protection.h5.

#include "engine/memory/codes/protection_scheme.hpp"
#include "hdf5_schema/layer_protection_columns.hpp"
#include "hdf5_schema/schema.hpp"

namespace flipstorm
{
namespace
{

using T = ElementType;

std::vector<DatasetSpec> with_plan(std::vector<DatasetSpec> list)
{
    std::vector<DatasetSpec> columns = layer_protection_columns();
    columns.insert(
        columns.end(),
        {
            {"/signature_sizes/encoding",
             T::text,
             {"encoding"},
             "1",
             "how the signature of sec_critical at a threshold of 0.5 may be kept: `raw`, `elias_fano`, "
             "`run_length`, `cells` (a flag for each output channel, input channel and sign), `channels`"},
            {"/signature_sizes/bits", T::uint64, {"encoding"}, "bit", "bits of the signature"},
            {"/signature_sizes/check_bits",
             T::uint64,
             {"encoding"},
             "bit",
             "bits that protect the signature itself"},
            {"/signature_sizes/parity_bits",
             T::uint64,
             {"encoding"},
             "bit",
             "bits of the code of the parameters that it flags"},
            {"/signature_sizes/flagged_share",
             T::float64,
             {"encoding"},
             "1",
             "share of the parameters that it flags"},
            {"/signature_sizes/total_overhead",
             T::float64,
             {"encoding"},
             "%",
             "all three in percent of the weight memory"},
            {"/front/extra_bits",
             T::uint64,
             {"plan"},
             "bit",
             "of plans that no other beats in bits and residual"},
            {"/front/overhead", T::float64, {"plan"}, "%", "the same in percent of the weight memory"},
            {"/front/predicted_residual",
             T::float64,
             {"plan"},
             "1",
             "share of single upsets that stay critical, as of /options"},
        });
    for (DatasetSpec& column : columns)
    {
        column.optional = true;  // "optimized" need not be among the options
        list.push_back(column);
    }
    return list;
}

}  // namespace

const FileSpec& protection_spec()
{
    static const FileSpec spec = {
        "flipstorm/protection",
        "protection.h5",
        1,
        2,
        1,
        {
            {"/", "forest_sha256", T::text, "", "`stage_sha256` of the forest"},
            {"/", "tolerance", T::float64, "", "tolerated drop"},
            {"/", "ber", T::float64, "", "upset probability per bit"},
            {"/", "word_bits", T::int32, "", "bits of a stored word"},
            {"/", "fit_per_mbit", T::float64, "", "upsets of 10^6 bits in 10^9 hours; 0: not known"},
            {"/", "multi_bit_share", T::float64, "", "share of the upsets that hit the next bit, too"},
            {"/", "scrub_hours", T::float64, "", "hours between two writings of the memory; 0: not known"},
            {"/", "chosen", T::int32, "", "row of /options that was chosen"},
            {"/overhead", "all_parameters", T::float64, "",
             "AP of Table III, percent of the weight memory: SEC on every parameter"},
            {"/overhead", "critical_parameters", T::float64, "",
             "CP, percent: SEC on the parameters with a bit predicted critical"},
            {"/overhead", "signature", T::float64, "", "Sign., percent: one flag per parameter"},
            {"/overhead", "gain", T::float64, "", "100 (1 − (CP + Sign.) / AP), percent"},
            {"/signature/<layer>", "weights", T::uint64, "",
             "parameters of the layer: valid bits in the signature"},
        },
        with_plan({
            {"/options/scheme", T::text, {"option"}, "1", protection_schemes_text()},
            {"/options/threshold",
             T::float64,
             {"option"},
             "1",
             "a bit counts as critical from this probability on; NaN where not used"},
            {"/options/flagged_share", T::float64, {"option"}, "1", "share of the parameters under the code"},
            {"/options/parity_bits", T::uint64, {"option"}, "bit", "bits of the codes"},
            {"/options/signature_bits", T::uint64, {"option"}, "bit", "bits of the signature"},
            {"/options/parity_overhead",
             T::float64,
             {"option"},
             "%",
             "parity bits in percent of the weight memory"},
            {"/options/signature_overhead",
             T::float64,
             {"option"},
             "%",
             "signature bits in percent of the weight memory"},
            {"/options/total_overhead", T::float64, {"option"}, "%", "sum of both"},
            {"/options/predicted_residual",
             T::float64,
             {"option"},
             "1",
             "expected share of single upsets that stay critical, from the predicted probabilities; a "
             "balanced forest's with the balancing undone"},
            {"/options/predicted_high",
             T::float64,
             {"option"},
             "1",
             "the same by the upper 95 % limits of the calibrated probabilities"},
            {"/options/measured_residual",
             T::float64,
             {"option"},
             "1",
             "critical share of all faults, strata weighted by population, times the part of the held-out "
             "critical faults that is not corrected"},
            {"/options/measured_low", T::float64, {"option"}, "1", "lower 95 % limit of measured_residual"},
            {"/options/measured_high", T::float64, {"option"}, "1", "upper 95 % limit of measured_residual"},
            {"/options/pareto",
             T::uint8,
             {"option"},
             "1",
             "whether no other option is better in overhead and predicted residual",
             {{0, "dominated"}, {1, "on the Pareto front"}}},
            {"/signature/<layer>",
             T::uint8,
             {"byte"},
             "1",
             "flags of the layer's parameters in row-major order, 8 to a byte, first parameter in the most "
             "significant bit (numpy.packbits)"},
        })};
    return spec;
}

}  // namespace flipstorm
