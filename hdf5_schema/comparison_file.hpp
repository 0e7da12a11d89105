#pragma once
// comparison.h5: what became of the variants of a job, side by side.

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "hdf5_schema/provenance.hpp"

namespace flipstorm
{

/// A measured figure with its 95 % interval; NaN where there is none.
struct MeasuredShare
{
    double value = std::numeric_limits<double>::quiet_NaN();
    double low = std::numeric_limits<double>::quiet_NaN();
    double high = std::numeric_limits<double>::quiet_NaN();
};

/// One variant. Shares and accuracies are 0 … 1; NaN where the variant's job does not measure them.
struct VariantResult
{
    static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

    std::string name;
    std::string changes;  ///< keys in which it differs from what the variants have in common, "; " between
    std::string data;     ///< data set, e.g. "fashion-mnist"
    std::string arch;
    std::string format;
    std::uint64_t weights = 0;     ///< of all convolutions and linear layers
    double test_accuracy = kNone;  ///< on the whole test set
    double mean_weight = kNone;
    double mean_magnitude = kNone;     ///< mean |w|
    double seconds_per_image = kNone;  ///< of inference, fault-free

    std::string target;             ///< of the campaign: "weights", "feature_maps", "instructions"
    std::uint64_t faults = 0;       ///< injected
    std::uint64_t images = 0;       ///< test images of the campaign
    double clean_accuracy = kNone;  ///< on these, fault-free

    double noisy_accuracy = kNone;  ///< on these, mean over the faults; not for weights
    MeasuredShare regret;           ///< clean minus noisy accuracy
    MeasuredShare critical_sdc;  ///< share of the (fault, image) pairs with another top-1 or a logit that is
                                 ///< not finite

    double tolerance = kNone;            ///< tolerated drop of what follows; for weights only
    MeasuredShare critical_bits;         ///< share of all weight bits that are critical
    std::string scheme;                  ///< protection chosen; empty: none was
    double protection_overhead = kNone;  ///< extra memory, percent of the weights
    double full_overhead = kNone;        ///< percent, single-error correction of every parameter
    double residual = kNone;             ///< share of single upsets that stay critical under the scheme
};

/// What the faults of one model did to a variant.
struct FaultModelResult
{
    std::int32_t variant = 0;
    std::string fault_model;  ///< e.g. "line"
    std::uint64_t faults = 0;
    MeasuredShare regret;
    MeasuredShare critical_sdc;
};

/// What of a variant's campaign on weights is critical for a tolerance: a cell of Table I of DATE 2023.
struct ToleranceResult
{
    std::int32_t variant = 0;
    double tolerance = 0;
    std::uint64_t faults = 0;
    std::uint64_t critical = 0;  ///< of these
    MeasuredShare injected;      ///< critical share of the injected faults, as the paper gives it
    MeasuredShare all;  ///< critical share of all faults of the network, strata reweighted by population
};

/// A variant's forest for a tolerance: a row of Table II. NaN where the sample has too few faults of a class.
struct ForestResult
{
    std::int32_t variant = 0;
    std::string kind;  ///< "brf" or "rf"
    double tolerance = 0;
    double auc_folds = 0;              ///< mean ROC AUC over the folds
    double auc_grouped = 0;            ///< the same with rows of equal features in one fold
    double auc_test = 0;               ///< on the held-out faults
    double acceptable_acceptable = 0;  ///< of the held-out faults, percent: true class, predicted class
    double acceptable_critical = 0;
    double critical_acceptable = 0;
    double critical_critical = 0;
};

/// What protects a variant's critical parameters costs: a row of Table III, percent of the weight memory.
struct OverheadResult
{
    std::int32_t variant = 0;
    std::string kind;            ///< of the forest
    std::int32_t word_bits = 0;  ///< of the widest layer
    double tolerance = 0;
    double all_parameters = 0;
    double critical_parameters = 0;
    double signature = 0;
    double gain = 0;
};

/// How often which weights occur, with the same bins for all variants.
struct WeightHistogram
{
    std::vector<double> edges;  ///< [bins + 1], rising
    std::vector<std::vector<std::uint64_t>>
        counts;  ///< [variants][bins]; the outer bins take what lies beyond
};

/// Content of comparison.h5.
struct ComparisonRecord
{
    Provenance provenance;
    std::string device;        ///< on which inference was timed, e.g. "cpu"; empty: it was not
    std::int32_t threads = 0;  ///< of LibTorch while it was timed
    std::int32_t batch = 0;    ///< images of a forward pass while it was timed
    std::vector<VariantResult> variants;
    std::vector<FaultModelResult> fault_models;
    std::vector<ToleranceResult> tolerances;  ///< each campaign once, though several variants learn from it
    std::vector<ForestResult> forests;
    std::vector<OverheadResult> overheads;
    WeightHistogram weights;
};

/// Write comparison.h5 under a temporary name and rename it. One process. \throws FileError.
void write_comparison(const std::filesystem::path& file, const ComparisonRecord& comparison);

/// Read comparison.h5 whole. \throws FileError as read_campaign.
ComparisonRecord read_comparison(const std::filesystem::path& file);

}  // namespace flipstorm
