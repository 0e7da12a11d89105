#include "hdf5_schema/schema.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/memory/codes/protection_scheme.hpp"
#include "engine/memory/number_format.hpp"

namespace flipstorm
{
namespace
{

using T = ElementType;

/// A path of the schema fits a path of a file: equal, or equal up to the placeholder and something after it.
bool fits(const std::string& pattern, const std::string& path)
{
    const std::size_t open = pattern.find('<');
    if (open == std::string::npos) return pattern == path;
    return path.size() > open && path.compare(0, open, pattern, 0, open) == 0;
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

std::string to_string(ElementType type)
{
    switch (type)
    {
        case T::int32:
            return "int32";
        case T::uint8:
            return "uint8";
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

const FileSpec& model_spec()
{
    static const FileSpec spec = {
        "flipstorm/model",
        "model.h5",
        1,
        2,
        2,
        {
            {"/", "arch", T::text, "", "architecture, e.g. `lenet5`; `torchscript` for an imported network"},
            {"/", "format", T::text, "",
             fmt::format("number format of the stored parameters, e.g. `{}`",
                         fmt::join(number_format_names(), "`, `"))},
            {"/", "input_shape", T::int32, "[3]", "channels, height, width of an image"},
            {"/", "num_classes", T::int32, "", "number of classes"},
            {"/", "mean", T::float32, "[channels]",
             "mean of pixel / 255; the network sees (pixel / 255 − mean) / std"},
            {"/", "std", T::float32, "[channels]", "standard deviation of pixel / 255"},
            {"/", "test_accuracy", T::float64, "", "share of all test images whose top-1 is the label"},
        },
        {
            {"/graph",
             T::text,
             {},
             "1",
             "the network graph, JSON: an array of nodes in topological order, each with `name`, `op`, its "
             "attributes, `inputs` (names) and `shape` (of its output for one image)"},
            {"/parameters/<state-dict name>",
             T::float32,
             {"..."},
             "1",
             "decoded values of a parameter tensor, named and shaped as in a PyTorch state dict"},
            {"/training/epoch",
             T::int32,
             {"epoch"},
             "1",
             "passes over the training images done, from 1; no rows for an imported network"},
            {"/training/loss",
             T::float64,
             {"epoch"},
             "1",
             "mean training loss per image, measured while training"},
            {"/training/train_accuracy",
             T::float64,
             {"epoch"},
             "1",
             "share of the training images classified correctly, measured while training: augmented, and "
             "under the faults of fault-aware training"},
            {"/training/learning_rate", T::float64, {"epoch"}, "1", "learning rate of the last step"},
            {"/training/seconds", T::float64, {"epoch"}, "s", "time the epoch took"},
        }};
    return spec;
}

const FileSpec& campaign_spec()
{
    static const std::vector<std::string> kWeights = {"weights"};
    static const std::vector<std::string> kFeatureMaps = {"feature_maps"};
    static const std::vector<std::string> kInstructions = {"instructions"};
    static const std::vector<std::string> kTransient = {"feature_maps", "instructions"};
    static const FileSpec spec = {
        "flipstorm/campaign",
        "campaign.h5",
        1,
        3,
        3,
        {
            {"/", "target", T::text, "",
             "what the faults strike: `weights`, `feature_maps` or `instructions`"},
            {"/", "evaluation", T::text, "", "evaluation mode: `reference`, `exact`, `screened`"},
            {"/", "fault_model", T::text, "",
             "what happens to a stored word: `bit_flip`, `stuck_at` (at 0 and at 1, two faults), "
             "`stuck_at_0`, "
             "`stuck_at_1`, `adjacent_bits`, `random_bits`; files before version 1.2 do not say it: "
             "`bit_flip`; `transient` for other targets than weights"},
            {"/", "upset_bits", T::int32, "",
             "bits of a stored word that a fault hits; 0 for other targets than weights"},
            {"/", "tolerances", T::float64, "[tolerances]",
             "tolerated drops, rising; a fault is critical for a tolerance if its drop exceeds it"},
            {"/", "images", T::uint64, "", "test images per fault"},
            {"/", "golden_correct", T::uint64, "", "images the fault-free network classifies correctly"},
            {"/", "faults_per_second", T::float64, "",
             "faults evaluated per second by the run that wrote the file, all ranks together; 0 if it found "
             "every chunk in the journal"},
            {"/", "wall_seconds", T::float64, "", "seconds spent injecting by the run that wrote the file"},
            {"/", "images_per_fault", T::uint64, "", "images that each fault strikes", kTransient},
            {"/", "combine", T::text, "",
             "what the error value v makes of a value y: `add` y + v, `multiply` y · v, `relative` y · (1 + "
             "v)",
             kFeatureMaps},
            {"/", "instruction", T::text, "",
             "what happens to an instruction: `bit_flip`, a bit of its result flips; `warp_random_value`, "
             "the "
             "results of a warp are multiplied by 1 + value",
             kInstructions},
            {"/screen", "kappa", T::float64, "",
             "safety factor of the first-order screen, as the job asks; 0 without a screen"},
            {"/screen", "tau", T::float64, "",
             "largest screened change of an output, in standard deviations of its channel, on an image of "
             "mean margin, else in proportion to the margin; as the job asks; 0 without a screen"},
            {"/screen", "screen_bound", T::float64, "",
             "largest bound95 with which a layer's screen is kept; 0 without a screen"},
            {"/screen", "pairs", T::uint64, "", "(fault, image) pairs of the campaign"},
            {"/screen", "screened", T::uint64, "",
             "pairs whose prediction was taken as unchanged, audited ones included; sum over the kept rows"},
            {"/screen", "audited", T::uint64, "",
             "screened pairs that were evaluated all the same, a random choice; sum over the kept rows"},
            {"/screen", "disagreements", T::uint64, "",
             "audited pairs whose top-1 did change or that have a logit that is not finite; sum over the "
             "kept rows"},
            {"/screen", "bound95", T::float64, "",
             "largest bound95 of the kept rows: each layer's holds with 95 % confidence; 0 where nothing "
             "was screened"},
        },
        {
            {"/layers/name", T::text, {"layer"}, "1", "injectable layer, in graph order"},
            {"/layers/weights", T::uint64, {"layer"}, "1", "elements of the weight tensor"},
            {"/layers/out_channels", T::int32, {"layer"}, "1", "first dimension of the weight tensor"},
            {"/layers/in_channels", T::int32, {"layer"}, "1", "second dimension of the weight tensor"},
            {"/layers/word_bits", T::int32, {"layer"}, "bit", "bits of a stored word"},
            {"/layers/injected",
             T::uint8,
             {"layer"},
             "1",
             "whether faults of the campaign may strike the layer; files before version 1.2: all",
             {{0, "left out by the job"}, {1, "injected"}}},
            {"/layers/height",
             T::int32,
             {"layer"},
             "1",
             "rows of the layer's output; 1 for a linear layer",
             {},
             kTransient},
            {"/layers/width",
             T::int32,
             {"layer"},
             "1",
             "columns of the layer's output; 1 for a linear layer",
             {},
             kTransient},
            {"/strata/layer", T::int32, {"stratum"}, "1", "row of /layers", {{-1, "all layers"}}},
            {"/strata/bit",
             T::int32,
             {"stratum"},
             "1",
             "bit position, 0 = least significant; of a fault of several bits the highest",
             {{-1, "all bits"}}},
            {"/strata/population",
             T::uint64,
             {"stratum"},
             "fault",
             "faults there are; of faults in feature maps and instructions, of which there are infinitely "
             "many, "
             "in proportion to their probability: 2^20 for each instruction"},
            {"/strata/planned",
             T::uint64,
             {"stratum"},
             "fault",
             "sample size that keeps the error margin of the job; of an iterative campaign the last one it "
             "asked "
             "for; all faults of an exhaustive one"},
            {"/strata/evaluated",
             T::uint64,
             {"stratum"},
             "fault",
             "faults injected; fewer than planned under `campaign.limit`; up to a step more than planned in "
             "an iterative campaign"},
            {"/golden/label", T::int32, {"image"}, "1", "label of a test image, in data-set order"},
            {"/golden/top1", T::int32, {"image"}, "1", "top-1 of the fault-free network"},
            {"/golden/margin", T::float32, {"image"}, "1", "top logit minus the second largest, fault-free"},
            {"/screen/layer", T::int32, {"screen"}, "1", "row of /layers; layers without faults have none"},
            {"/screen/level",
             T::uint8,
             {"screen"},
             "1",
             "how carefully the layer's faults were screened; a layer moves on when the bound exceeds "
             "screen_bound",
             {{0, "as the job asks"}, {1, "the same with more audits"}, {2, "tightened"}, {3, "exact"}}},
            {"/screen/kappa", T::float64, {"screen"}, "1", "safety factor; 0 where nothing was screened"},
            {"/screen/tau",
             T::float64,
             {"screen"},
             "1",
             "largest screened change, as the attribute; 0 where nothing was screened"},
            {"/screen/audit_share",
             T::float64,
             {"screen"},
             "1",
             "share of the screened pairs that was to be audited; 0 where nothing was screened"},
            {"/screen/pairs", T::uint64, {"screen"}, "1", "(fault, image) pairs of the layer"},
            {"/screen/screened",
             T::uint64,
             {"screen"},
             "1",
             "pairs whose prediction was taken as unchanged, audited ones included"},
            {"/screen/audited", T::uint64, {"screen"}, "1", "screened pairs evaluated all the same"},
            {"/screen/disagreements",
             T::uint64,
             {"screen"},
             "1",
             "audited pairs whose top-1 did change or that have a logit that is not finite"},
            {"/screen/bound95",
             T::float64,
             {"screen"},
             "1",
             "one-sided 95 % Clopper-Pearson bound on the share of wrong pairs among the screened ones of "
             "the layer; 0 where none was screened"},
            {"/screen/kept",
             T::uint8,
             {"screen"},
             "1",
             "whether the layer's outcomes in this file are those of this row",
             {{0, "evaluated again more carefully"}, {1, "kept"}}},
            {"/faults/stratum", T::int32, {"fault"}, "1", "row of /strata"},
            {"/faults/layer", T::int32, {"fault"}, "1", "row of /layers"},
            {"/faults/parameter",
             T::uint64,
             {"fault"},
             "1",
             "flat row-major index in the layer's weight tensor",
             {},
             kWeights},
            {"/faults/out_channel",
             T::int32,
             {"fault"},
             "1",
             "output channel (convolution) or neuron (linear) of the parameter",
             {},
             kWeights},
            {"/faults/in_channel",
             T::int32,
             {"fault"},
             "1",
             "input channel within its group (convolution) or input neuron (linear)",
             {},
             kWeights},
            {"/faults/bit",
             T::uint8,
             {"fault"},
             "1",
             "highest bit that is hit, 0 = least significant; of an instruction's result",
             {{255, "none"}},
             {"weights", "instructions"}},
            {"/faults/geometry",
             T::uint8,
             {"fault"},
             "1",
             "shape of the corrupted part of each struck channel",
             {{0, "single"},
              {1, "row"},
              {2, "column"},
              {3, "line"},
              {4, "block"},
              {5, "channel"},
              {6, "random"}},
             kFeatureMaps},
            {"/faults/row", T::int32, {"fault"}, "1", "first corrupted row of the output", {}, kFeatureMaps},
            {"/faults/column",
             T::int32,
             {"fault"},
             "1",
             "first corrupted column of the output",
             {},
             kFeatureMaps},
            {"/faults/height", T::int32, {"fault"}, "1", "corrupted rows", {}, kFeatureMaps},
            {"/faults/width", T::int32, {"fault"}, "1", "corrupted columns", {}, kFeatureMaps},
            {"/faults/channel_mask",
             T::uint8,
             {"fault", "byte"},
             "1",
             "struck output channels or neurons, 8 to a byte, channel 0 in the most significant bit "
             "(numpy.packbits)",
             {},
             kFeatureMaps},
            {"/faults/position_mask",
             T::uint8,
             {"fault", "byte"},
             "1",
             "geometry random: corrupted positions, row · width + column, as in channel_mask; else 0",
             {},
             kFeatureMaps},
            {"/faults/element",
             T::uint64,
             {"fault"},
             "1",
             "flat row-major index of the output in the layer's map; of a warp, of its first thread's",
             {},
             kInstructions},
            {"/faults/step",
             T::uint64,
             {"fault"},
             "1",
             "term of the dot product whose sum is struck, counted from 0: (input channel of the group, "
             "kernel "
             "row, kernel column), row-major",
             {},
             kInstructions},
            {"/faults/value",
             T::float32,
             {"fault"},
             "1",
             "error value v; 0 where a bit flips",
             {},
             kTransient},
            {"/faults/image",
             T::int32,
             {"fault", "image"},
             "1",
             "struck images, in data-set order",
             {{-1, "all images"}},
             kTransient},
            {"/faults/sign",
             T::uint8,
             {"fault"},
             "1",
             "sign of the golden value",
             {{0, "positive"}, {1, "negative"}},
             kWeights},
            {"/faults/value_before",
             T::float32,
             {"fault"},
             "1",
             "golden value of the parameter",
             {},
             kWeights},
            {"/faults/value_after",
             T::float32,
             {"fault"},
             "1",
             "value of the parameter under the fault; may be NaN or infinite",
             {},
             kWeights},
            {"/faults/mask",
             T::uint32,
             {"fault"},
             "1",
             "bits of the stored word that are hit; files before version 1.2: the bit alone",
             {},
             kWeights},
            {"/faults/effect",
             T::uint8,
             {"fault"},
             "1",
             "what becomes of them; a bit that is stuck at what it holds changes nothing",
             {{0, "flipped"}, {1, "stuck at 0"}, {2, "stuck at 1"}},
             kWeights},
            {"/outcomes/evaluated",
             T::uint32,
             {"fault"},
             "image",
             "images whose top-1 under the fault is known, or taken as unchanged by the screen"},
            {"/outcomes/correct",
             T::uint32,
             {"fault"},
             "image",
             "of those, top-1 equals the label and every logit is finite"},
            {"/outcomes/mismatches",
             T::uint32,
             {"fault"},
             "image",
             "of those, top-1 differs from golden or a logit is not finite"},
            {"/outcomes/nonfinite", T::uint32, {"fault"}, "image", "of those, a logit is NaN or infinite"},
            {"/outcomes/stopped",
             T::uint8,
             {"fault"},
             "1",
             "whether evaluation ended early",
             {{0, "all images evaluated"}, {1, "drop proven to exceed every tolerance"}},
             kWeights},
            {"/outcomes/masked",
             T::uint32,
             {"fault"},
             "image",
             "of those, logits bit-identical to golden",
             {},
             kTransient},
            {"/outcomes/tolerable",
             T::uint32,
             {"fault"},
             "image",
             "of those, logits differ, but are finite and have the golden top-1",
             {},
             kTransient},
            {"/outcomes/drop",
             T::float64,
             {"fault"},
             "1",
             "golden accuracy minus accuracy under the fault, on the evaluated images where the fault is "
             "transient; its proven lower bound where stopped = 1"},
        }};
    return spec;
}

const FileSpec& forest_spec()
{
    static const FileSpec spec = {
        "flipstorm/forest",
        "forest.h5",
        1,
        1,
        1,
        {
            {"/", "campaign_sha256", T::text, "", "`stage_sha256` of the campaign"},
            {"/", "kind", T::text, "", "`brf` balanced random forest, `rf` random forest"},
            {"/", "sampling", T::text, "",
             "how a balanced forest draws its rows: `undersample_bootstrap` or `stratified_bootstrap`"},
            {"/", "trees", T::int32, "", "trees per forest"},
            {"/", "folds", T::int32, "", "folds of the cross-validation"},
            {"/", "test_share", T::float64, "", "share of the rows held out for the test"},
            {"/", "tolerance", T::float64, "", "tolerance of /criticality and /roc"},
            {"/criticality/<layer>", "tolerance", T::float64, "", "tolerance the probabilities are for"},
        },
        {
            {"/features",
             T::text,
             {"feature"},
             "1",
             "features of a fault, in the order the trees number them"},
            {"/tolerances", T::float64, {"tolerance"}, "1", "tolerated drops"},
            {"/samples/trained",
             T::uint8,
             {"tolerance"},
             "1",
             "whether a forest could be trained",
             {{0, "only one class in the sample"}, {1, "trained"}}},
            {"/samples/rows", T::uint64, {"tolerance"}, "fault", "faults of the campaign"},
            {"/samples/critical", T::uint64, {"tolerance"}, "fault", "of those, critical for the tolerance"},
            {"/scores/auc_folds",
             T::float64,
             {"tolerance", "fold"},
             "1",
             "ROC AUC of each cross-validation fold; NaN where there is none"},
            {"/scores/auc_grouped_folds",
             T::float64,
             {"tolerance", "fold"},
             "1",
             "the same with rows of equal features kept in one fold; NaN where there is none"},
            {"/scores/auc_test",
             T::float64,
             {"tolerance"},
             "1",
             "ROC AUC on the held-out rows; NaN where there is none"},
            {"/confusion/acceptable_acceptable",
             T::float64,
             {"tolerance"},
             "%",
             "held-out rows: truly acceptable, predicted acceptable"},
            {"/confusion/acceptable_critical",
             T::float64,
             {"tolerance"},
             "%",
             "held-out rows: truly acceptable, predicted critical"},
            {"/confusion/critical_acceptable",
             T::float64,
             {"tolerance"},
             "%",
             "held-out rows: truly critical, predicted acceptable"},
            {"/confusion/critical_critical",
             T::float64,
             {"tolerance"},
             "%",
             "held-out rows: truly critical, predicted critical"},
            {"/importance",
             T::float64,
             {"tolerance", "feature"},
             "1",
             "mean decrease of Gini impurity, normalised to 1; NaN where there is no forest"},
            {"/forests/offset",
             T::uint64,
             {"tolerance + 1"},
             "1",
             "first row of each forest in /forests/first_node; a forest has trees + 1 rows, or none where "
             "untrained"},
            {"/forests/first_node",
             T::uint64,
             {"root"},
             "1",
             "row of each tree's root in the node columns, and after the last tree the row behind it"},
            {"/forests/feature", T::int32, {"node"}, "1", "feature a node tests", {{-1, "leaf"}}},
            {"/forests/threshold", T::float32, {"node"}, "1", "go left if the feature is at most this"},
            {"/forests/left",
             T::int32,
             {"node"},
             "1",
             "left child, counted from the tree's root",
             {{-1, "leaf"}}},
            {"/forests/right",
             T::int32,
             {"node"},
             "1",
             "right child, counted from the tree's root",
             {{-1, "leaf"}}},
            {"/forests/probability", T::float32, {"node"}, "1", "share of critical weight in the node"},
            {"/roc/false_positive_rate", T::float64, {"point"}, "1", "ROC curve on the held-out rows"},
            {"/roc/true_positive_rate", T::float64, {"point"}, "1", "ROC curve on the held-out rows"},
            {"/roc/threshold", T::float64, {"point"}, "1", "predicted critical from this probability on"},
            {"/criticality/<layer>",
             T::uint8,
             {"weight", "bit"},
             "1/255",
             "predicted probability × 255 that flipping the bit is critical"},
        }};
    return spec;
}

const FileSpec& protection_spec()
{
    static const FileSpec spec = {
        "flipstorm/protection",
        "protection.h5",
        1,
        1,
        1,
        {
            {"/", "forest_sha256", T::text, "", "`stage_sha256` of the forest"},
            {"/", "tolerance", T::float64, "", "tolerated drop"},
            {"/", "ber", T::float64, "", "upset probability per bit"},
            {"/", "word_bits", T::int32, "", "bits of a stored word"},
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
        {
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
        }};
    return spec;
}

std::vector<const FileSpec*> all_specs()
{
    return {&model_spec(), &campaign_spec(), &forest_spec(), &protection_spec(), &comparison_spec()};
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
            text += fmt::format("| `{}` | {} | {} | {} | {}{}{}{} |\n", d.path, to_string(d.type),
                                shape_text(d.dims), d.units, d.description, flags, flags.empty() ? "" : ")",
                                only_text(d.targets));
        }
    }
    return text;
}

}  // namespace flipstorm
