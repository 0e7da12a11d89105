// The schema of comparison.h5.

#include <utility>

#include "hdf5_schema/schema.hpp"

namespace flipstorm
{
namespace
{

using T = ElementType;

/// A figure and the limits of its 95 % interval as three columns.
void add_measured(std::vector<DatasetSpec>& datasets, const std::string& path, const std::string& row,
                  const std::string& meaning)
{
    datasets.push_back({path, T::float64, {row}, "1", meaning + "; NaN where not measured"});
    datasets.push_back({path + "_low", T::float64, {row}, "1", "lower 95 % limit"});
    datasets.push_back({path + "_high", T::float64, {row}, "1", "upper 95 % limit"});
}

std::vector<DatasetSpec> comparison_datasets()
{
    const std::vector<std::string> row{"variant"};
    std::vector<DatasetSpec> all = {
        {"/variants/name", T::text, row, "1", "name of the variant and of its out folder"},
        {"/variants/changes", T::text, row, "1",
         "keys in which it differs from what the variants have in common, TOML, separated by `; `"},
        {"/variants/arch", T::text, row, "1", "architecture"},
        {"/variants/format", T::text, row, "1", "number format of the stored parameters"},
        {"/variants/weights", T::uint64, row, "1", "weights of all convolutions and linear layers"},
        {"/variants/test_accuracy", T::float64, row, "1", "share of the whole test set classified correctly"},
        {"/variants/mean_weight", T::float64, row, "1", "mean weight"},
        {"/variants/mean_magnitude", T::float64, row, "1", "mean magnitude of a weight"},
        {"/variants/seconds_per_image", T::float64, row, "s",
         "fault-free inference: best forward pass of a batch, per image"},
        {"/variants/target", T::text, row, "1",
         "what the faults of its campaign strike; empty without a campaign"},
        {"/variants/faults", T::uint64, row, "fault", "faults injected"},
        {"/variants/images", T::uint64, row, "image", "test images of the campaign"},
        {"/variants/clean_accuracy", T::float64, row, "1", "accuracy on these without a fault"},
        {"/variants/noisy_accuracy", T::float64, row, "1",
         "accuracy on these under a fault, mean over the faults; NaN for weights"},
    };
    add_measured(all, "/variants/regret", "variant", "clean minus noisy accuracy");
    add_measured(all, "/variants/critical_sdc", "variant",
                 "share of the (fault, image) pairs whose top-1 changes or that get a logit that is not "
                 "finite");
    all.push_back({"/variants/tolerance", T::float64, row, "1",
                   "tolerated drop of what follows; NaN without protection"});
    add_measured(all, "/variants/critical_bits", "variant", "share of all weight bits that are critical");
    all.push_back({"/variants/scheme", T::text, row, "1", "protection chosen; empty where none was sized"});
    all.push_back({"/variants/protection_overhead", T::float64, row, "%",
                   "extra memory of the protection, of the weight memory"});
    all.push_back({"/variants/full_overhead", T::float64, row, "%",
                   "extra memory of single-error correction on every parameter"});
    all.push_back({"/variants/residual", T::float64, row, "1",
                   "share of single upsets that stay critical under the protection, measured on held-out "
                   "faults"});
    all.push_back({"/fault_models/variant", T::int32, {"result"}, "1", "row of /variants"});
    all.push_back({"/fault_models/name", T::text, {"result"}, "1", "fault model, e.g. `line`"});
    all.push_back({"/fault_models/faults", T::uint64, {"result"}, "fault", "faults of the model"});
    add_measured(all, "/fault_models/regret", "result", "clean minus noisy accuracy under these faults");
    add_measured(all, "/fault_models/critical_sdc", "result",
                 "share of their (fault, image) pairs whose top-1 changes or that get a logit that is not "
                 "finite");
    const auto add_optional = [&all](DatasetSpec spec) {
        spec.optional = true;
        all.push_back(std::move(spec));
    };
    add_optional({"/variants/data", T::text, row, "1", "data set"});
    const std::size_t first = all.size();
    all.push_back(
        {"/tolerances/variant", T::int32, {"result"}, "1", "row of /variants whose campaign it is"});
    all.push_back({"/tolerances/tolerance", T::float64, {"result"}, "1", "tolerated drop"});
    all.push_back({"/tolerances/faults", T::uint64, {"result"}, "fault", "faults injected"});
    all.push_back({"/tolerances/critical", T::uint64, {"result"}, "fault", "of these, critical"});
    add_measured(all, "/tolerances/injected", "result", "critical share of the injected faults");
    add_measured(all, "/tolerances/all", "result",
                 "critical share of all faults of the network, strata reweighted by population");
    all.push_back({"/forests/variant", T::int32, {"result"}, "1", "row of /variants"});
    all.push_back({"/forests/kind", T::text, {"result"}, "1", "`brf` or `rf`"});
    all.push_back({"/forests/tolerance", T::float64, {"result"}, "1", "tolerated drop"});
    for (const auto& [name, meaning] : std::vector<std::pair<std::string, std::string>>{
             {"auc_folds", "mean ROC AUC over the folds"},
             {"auc_grouped", "the same with rows of equal features in one fold"},
             {"auc_test", "ROC AUC on the held-out faults"}})
        all.push_back({"/forests/" + name, T::float64, {"result"}, "1", meaning + "; NaN: one class alone"});
    for (const char* name :
         {"acceptable_acceptable", "acceptable_critical", "critical_acceptable", "critical_critical"})
        all.push_back({std::string("/forests/") + name,
                       T::float64,
                       {"result"},
                       "%",
                       "of the held-out faults, by true and predicted class"});
    all.push_back({"/overheads/variant", T::int32, {"result"}, "1", "row of /variants"});
    all.push_back({"/overheads/kind", T::text, {"result"}, "1", "forest that finds the critical parameters"});
    all.push_back({"/overheads/word_bits", T::int32, {"result"}, "bit", "of the widest layer's words"});
    all.push_back({"/overheads/tolerance", T::float64, {"result"}, "1", "tolerated drop"});
    for (const auto& [name, meaning] : std::vector<std::pair<std::string, std::string>>{
             {"all_parameters", "single-error correction of every parameter"},
             {"critical_parameters", "of those predicted critical"},
             {"signature", "one flag per parameter"},
             {"gain", "1 − (critical_parameters + signature) / all_parameters"}})
        all.push_back({"/overheads/" + name, T::float64, {"result"}, "%", meaning});
    for (std::size_t i = first; i < all.size(); ++i)
        all[i].optional = true;
    all.push_back({"/weights/edges", T::float64, {"bins + 1"}, "1", "edges of the bins of the histogram"});
    all.push_back({"/weights/counts",
                   T::uint64,
                   {"variant", "bin"},
                   "1",
                   "weights in a bin; the outer bins also hold what lies beyond"});
    return all;
}

}  // namespace

const FileSpec& comparison_spec()
{
    static const FileSpec spec = {
        "flipstorm/comparison",
        "comparison.h5",
        1,
        2,
        1,
        {
            {"/", "device", T::text, "", "where inference was timed; empty: it was not"},
            {"/", "threads", T::int32, "", "threads of LibTorch while it was timed"},
            {"/", "batch", T::int32, "", "images of a forward pass while it was timed"},
        },
        comparison_datasets()};
    return spec;
}

}  // namespace flipstorm
