#include "jobs/job_file/job_keys.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/memory/codes/protection_scheme.hpp"
#include "engine/memory/number_format.hpp"
#include "engine/memory/tensor_kind.hpp"
#include "engine/memory/word_fault.hpp"
#include "jobs/job_file/target.hpp"

namespace flipstorm
{
namespace
{

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A key bound to its member; the setters add what is not the same for all keys.
class Key
{
  public:
    explicit Key(KeySpec spec) : spec_(std::move(spec)) {}

    /// low ≤ value ≤ high
    Key between(double low, double high) && { return std::move(*this).limits({low, high, false, false}); }
    /// low ≤ value
    Key at_least(double low) && { return std::move(*this).limits({low, kInfinity, false, true}); }
    /// low < value < high
    Key inside(double low, double high) && { return std::move(*this).limits({low, high, true, true}); }
    /// low < value ≤ high
    Key above(double low, double high) && { return std::move(*this).limits({low, high, true, false}); }
    /// low ≤ value < high
    Key below(double low, double high) && { return std::move(*this).limits({low, high, false, true}); }
    /// Of a list: a single string may stand for a list of it alone.
    Key or_single() &&
    {
        spec_.or_single = true;
        return std::move(*this);
    }
    Key one_of(std::vector<std::string> choices) &&
    {
        spec_.choices = std::move(choices);
        return std::move(*this);
    }
    Key unit(std::string unit) &&
    {
        spec_.unit = std::move(unit);
        return std::move(*this);
    }
    Key by_default(std::string note) &&
    {
        spec_.default_note = std::move(note);
        return std::move(*this);
    }
    Key may_be_empty() &&
    {
        spec_.may_be_empty = true;
        return std::move(*this);
    }
    Key ascending() &&
    {
        spec_.ascending = true;
        return std::move(*this);
    }
    Key not_identity() &&
    {
        spec_.identity = false;
        return std::move(*this);
    }
    Key since(std::string version) &&
    {
        spec_.since = std::move(version);
        return std::move(*this);
    }
    operator KeySpec() && { return std::move(spec_); }

  private:
    Key limits(Limits limits) &&
    {
        spec_.limits = limits;
        return std::move(*this);
    }

    KeySpec spec_;
};

template<auto Table, auto Member>
KeyRef bind(Job& job)
{
    return &(job.*Table.*Member);
}

template<auto Table, auto Member>
Key key(std::string table, std::string name, std::string meaning)
{
    return Key({std::move(table), std::move(name), std::move(meaning), &bind<Table, Member>});
}

std::vector<std::string> power_law_names()
{
    std::vector<std::string> names;
    for (const char* operation : {"fadd", "fmul", "ffma", "iadd", "imul", "imad", "mufu"})
    {
        for (const char* size : {"small", "common", "big"})
            names.push_back(fmt::format("{}_{}", operation, size));
    }
    return names;
}

std::vector<KeySpec> make_keys()
{
    return {
        key<&Job::job, &JobTable::name>("job", "name", "name of the job, in the report and of the out folder")
            .not_identity(),
        key<&Job::job, &JobTable::seed>("job", "seed", "seed of all random numbers").at_least(0),
        key<&Job::job, &JobTable::out>("job", "out", "folder for all results")
            .by_default("out/NAME")
            .not_identity(),

        key<&Job::data, &DataTable::kind>("data", "kind", "format of the data set")
            .one_of({"idx", "cifar10", "cifar100", "synthetic"}),
        key<&Job::data, &DataTable::path>("data", "path",
                                          "folder of the data set, or of the archive or torchvision's "
                                          "folder it lies in; of several splits of an IDX data set "
                                          "FOLDER/SPLIT, such as data/emnist-letters; not needed by "
                                          "\"synthetic\"")
            .not_identity(),
        key<&Job::data, &DataTable::train_images>(
            "data", "train_images",
            "first images of the training set that a network is trained on; 0: all of them")
            .between(0, 1e9),
        key<&Job::data, &DataTable::test_images>(
            "data", "test_images", "first images of the test set that faults are judged on; 0: all of them")
            .between(0, 1e9),
        key<&Job::data, &DataTable::label_offset>(
            "data", "label_offset",
            "subtracted from every label, where they do not begin at 0: 1 for the letters of EMNIST")
            .between(-1e6, 1e6)
            .not_identity()
            .since("0.2"),
        key<&Job::data, &DataTable::labels>(
            "data", "labels", "which labels of \"cifar100\": 100 classes, or their 20 superclasses")
            .one_of({"fine", "coarse"})
            .not_identity()
            .since("0.2"),
        key<&Job::data, &DataTable::mean>("data", "mean", "mean of pixel / 255 per channel, subtracted")
            .between(-1e3, 1e3)
            .by_default("usual for the data set")
            .may_be_empty(),
        key<&Job::data, &DataTable::std>("data", "std",
                                         "standard deviation of pixel / 255 per channel, divided by")
            .above(0, 1e3)
            .by_default("usual for the data set")
            .may_be_empty(),

        key<&Job::model, &ModelTable::arch>("model", "arch", "architecture of the network")
            .one_of({"lenet5", "resnet8", "resnet18", "resnet20", "resnet32", "resnet44", "resnet56"}),
        key<&Job::model, &ModelTable::format>("model", "format", "number format of the stored parameters")
            .one_of(number_format_names()),
        key<&Job::model, &ModelTable::formats>(
            "model", "formats",
            "table: layers whose weights and biases have another one: \"layer1.0.conv1\" = \"fxp16\"")
            .one_of(number_format_names())
            .by_default("none")
            .may_be_empty()
            .since("0.2"),
        key<&Job::model, &ModelTable::integer_bits>(
            "model", "integer_bits", "fixed point: digits before the point, the sign one of them")
            .between(1, 32)
            .since("0.2"),
        key<&Job::model, &ModelTable::scale>(
            "model", "scale", "int8: what has a scale of its own, an output channel of a layer or its tensor")
            .one_of({"channel", "tensor"})
            .since("0.2"),
        key<&Job::model, &ModelTable::file>("model", "file",
                                            "a model.h5 to use as it is instead of training one")
            .by_default("none")
            .not_identity(),
        key<&Job::model, &ModelTable::activation>("model", "activation", "activation function")
            .one_of({"relu", "relu6"}),
        key<&Job::model, &ModelTable::order>(
            "model", "order", "order of convolution, normalisation and activation; not used by lenet5")
            .one_of({"conv-norm-act", "conv-act-norm"}),
        key<&Job::model, &ModelTable::shortcut>(
            "model", "shortcut", "shortcut of a residual block that changes shape; not used by lenet5")
            .one_of({"option-a", "projection"})
            .by_default("`\"option-a\"`; resnet18: `\"projection\"`"),

        key<&Job::train, &TrainTable::epochs>("train", "epochs", "passes over the training images")
            .between(1, 1e6),
        key<&Job::train, &TrainTable::batch>("train", "batch", "images per optimiser step").between(1, 1e6),
        key<&Job::train, &TrainTable::lr>("train", "lr", "peak learning rate").above(0, 1e3),
        key<&Job::train, &TrainTable::momentum>("train", "momentum",
                                                "momentum of stochastic gradient descent")
            .below(0, 1),
        key<&Job::train, &TrainTable::weight_decay>("train", "weight_decay", "L2 penalty on the parameters")
            .between(0, 1e3),
        key<&Job::train, &TrainTable::clip>("train", "clip", "largest norm of the gradient; 0: no clipping")
            .between(0, 1e9),
        key<&Job::train, &TrainTable::loss>("train", "loss", "loss function")
            .one_of({"cross_entropy", "bce"}),
        key<&Job::train, &TrainTable::schedule>("train", "schedule", "course of the learning rate")
            .one_of({"one_cycle", "cosine", "constant"}),
        key<&Job::train, &TrainTable::augment>(
            "train", "augment",
            "random changes to the training images: moved by up to 4 pixels and mirrored (crop_flip)")
            .one_of({"none", "crop_flip"}),
        key<&Job::train, &TrainTable::init>("train", "init",
                                            "first values of the weights: PyTorch's default, or normal "
                                            "with deviation √(2 / fan_in)")
            .one_of({"default", "kaiming_normal"}),
        key<&Job::train, &TrainTable::batch_norm>(
            "train", "batch_norm",
            "statistics of batch norms on several ranks: of the whole batch, or of each rank's part")
            .one_of({"synchronised", "local"}),
        key<&Job::train, &TrainTable::checkpoint_minutes>("train", "checkpoint_minutes",
                                                          "the training is saved at least this often")
            .above(0, 1e6)
            .unit("min")
            .not_identity(),

        key<&Job::fault_aware, &FaultAwareTable::rule>(
            "train.fault_aware", "rule",
            "error that strikes the output of one random layer per batch while training: added, up to "
            "magnitude · epoch, as in Cavagnero et al. (paper), or multiplied by up to ±magnitude, as in "
            "their code (diehardnet)")
            .one_of({"none", "paper", "diehardnet"}),
        key<&Job::fault_aware, &FaultAwareTable::geometry>("train.fault_aware", "geometry",
                                                           "corrupted part of each struck channel")
            .one_of({"single", "row", "column", "line", "block", "channel", "random"}),
        key<&Job::fault_aware, &FaultAwareTable::images>("train.fault_aware", "images",
                                                         "share of the images of a batch that are struck")
            .between(0, 1),
        key<&Job::fault_aware, &FaultAwareTable::channels>(
            "train.fault_aware", "channels", "probability that a channel of the layer is struck")
            .above(0, 1),
        key<&Job::fault_aware, &FaultAwareTable::magnitude>("train.fault_aware", "magnitude",
                                                            "largest error; see rule")
            .above(0, 1e6),

        key<&Job::campaign, &CampaignTable::target>("campaign", "target", "what faults strike")
            .one_of(target_names()),
        key<&Job::campaign, &CampaignTable::parameters>(
            "campaign", "parameters",
            "weights: what lies in the memory that is struck: weights and biases of convolutions and "
            "linear layers, parameters of batch norms, scales of int8; a tensor that holds no weights "
            "counts as a layer of its own name")
            .one_of(tensor_kind_names())
            .since("0.2"),
        key<&Job::campaign, &CampaignTable::scheme>(
            "campaign", "scheme",
            "what is sampled together: the network, each layer, or each bit position of each layer; the "
            "latter as if half of the faults were critical (data_unaware), with a share guessed from the "
            "weights (data_aware), or until the share seen is within the margin (iterative); or in rounds, "
            "more where the forest of those before is unsure (guided: campaign.limit faults, 0: a fifth of "
            "the layer-wise sample)")
            .one_of({"network_wise", "layer_wise", "data_unaware", "data_aware", "iterative", "guided"}),
        key<&Job::campaign, &CampaignTable::fault_model>("campaign", "fault_model",
                                                         "what a fault does to a stored word: one bit "
                                                         "flips or is stuck (stuck_at: at 0 and at 1, two "
                                                         "faults), or upset_bits bits flip, side by side "
                                                         "or anywhere")
            .one_of(fault_model_names()),
        key<&Job::campaign, &CampaignTable::upset_bits>(
            "campaign", "upset_bits", "bits of a word that adjacent_bits and random_bits flip")
            .between(2, 32),
        key<&Job::campaign, &CampaignTable::layers>("campaign", "layers", "names of the layers to inject")
            .by_default("all")
            .may_be_empty(),
        key<&Job::campaign, &CampaignTable::protected_memory>(
            "campaign", "protected",
            "a protected.h5, of harden, whose memory target \"protected\" strikes, check bits and all")
            .by_default("none")
            .not_identity()
            .since("0.2"),
        key<&Job::campaign, &CampaignTable::ber>(
            "campaign", "ber",
            "verify: bit error rates at which whole memories, protected and not, are upset; []: none")
            .below(0, 1)
            .ascending()
            .may_be_empty()
            .not_identity()
            .since("0.2"),
        key<&Job::campaign, &CampaignTable::trials>("campaign", "trials",
                                                    "verify: memories for each of campaign.ber")
            .between(1, 1e6)
            .not_identity()
            .since("0.2"),
        key<&Job::campaign, &CampaignTable::fault_list>(
            "campaign", "fault_list",
            "a CSV file of the faults to inject, instead of drawing them: fault,layer,parameter,mask, a "
            "row for each word; rows of one fault strike together")
            .by_default("none")
            .not_identity()
            .since("0.2"),
        key<&Job::campaign, &CampaignTable::exclude>(
            "campaign", "exclude",
            "weights: a campaign.h5 of the same model whose faults are not injected again; shares are of "
            "the faults that are left")
            .by_default("none")
            .since("0.2"),
        key<&Job::campaign, &CampaignTable::exhaustive>(
            "campaign", "exhaustive",
            "inject every fault of these layers, whatever the error margin asks for"),
        key<&Job::campaign, &CampaignTable::pilot>("campaign", "pilot",
                                                   "iterative, guided: faults per stratum to start with; "
                                                   "0: the fewest that can be within the margin, or an "
                                                   "eighth of all spread evenly")
            .between(0, 1e15),
        key<&Job::campaign, &CampaignTable::error_margin>(
            "campaign", "error_margin", "half-width of the interval around each estimated critical share")
            .inside(0, 1),
        key<&Job::campaign, &CampaignTable::confidence>("campaign", "confidence",
                                                        "two-sided confidence of that interval")
            .inside(0, 1),
        key<&Job::campaign, &CampaignTable::t>(
            "campaign", "t",
            "quantile of the normal distribution; where given, it counts instead of the confidence")
            .between(0, 40)
            .by_default("from confidence"),
        key<&Job::campaign, &CampaignTable::evaluation>(
            "campaign", "evaluation",
            "how a fault is evaluated: the full network (reference), only what it can change (exact), or "
            "only what it can change by more than a first-order estimate allows for (screened)")
            .one_of({"screened", "exact", "reference"}),
        key<&Job::campaign, &CampaignTable::kappa>(
            "campaign", "kappa",
            "screened: safety factor on the estimated move of a margin; larger is more careful")
            .above(0, 1e6),
        key<&Job::campaign, &CampaignTable::tau>(
            "campaign", "tau",
            "screened: largest change of an output for which the estimate is trusted, on an image of mean "
            "margin, else in proportion to the margin; smaller is more careful")
            .above(0, 1e6)
            .unit("standard deviations of its channel"),
        key<&Job::campaign, &CampaignTable::audit_share>(
            "campaign", "audit_share",
            "screened: share of the screened pairs that is evaluated all the same; more where screen_bound "
            "needs it")
            .above(0, 1),
        key<&Job::campaign, &CampaignTable::screen_bound>(
            "campaign", "screen_bound",
            "screened: a layer is evaluated again, more carefully, if a larger share of its screened pairs "
            "may be wrong (95 % confidence)")
            .above(0, 1),
        key<&Job::campaign, &CampaignTable::backend>(
            "campaign", "backend",
            "what computes the outcomes: kernels for the CPU (native) or libtorch; auto: native on a CPU, "
            "libtorch on a GPU and for networks that native cannot evaluate (batch norms or sums of "
            "flattened maps)")
            .one_of({"auto", "native", "libtorch"}),
        key<&Job::campaign, &CampaignTable::tolerances>(
            "campaign", "tolerances",
            "accuracy drops that a user may accept; a fault beyond one is critical for it")
            .below(0, 1)
            .by_default("[0.005, 0.01, … 0.1]")
            .ascending(),
        key<&Job::campaign, &CampaignTable::limit>("campaign", "limit",
                                                   "at most so many faults, spread evenly over the strata; "
                                                   "0: no limit; guided: about so many, where the forest "
                                                   "is unsure")
            .between(0, 1e15),
        key<&Job::campaign, &CampaignTable::journal_seconds>(
            "campaign", "journal_seconds",
            "finished chunks are saved at least this often; raise it for many ranks")
            .between(0, 86400)
            .unit("s")
            .not_identity(),
        key<&Job::campaign, &CampaignTable::memory_budget>(
            "campaign", "memory_budget", "memory for golden activations, work space and packed weights")
            .between(0, 1e9)
            .unit("MiB per rank")
            .not_identity(),

        key<&Job::transient, &TransientTable::rules>(
            "transient", "rules",
            "feature_maps: whose rules the next keys default to: those of Cavagnero et al. (IOLTS 2022) as "
            "published (paper), or as in the authors' code (diehardnet)")
            .one_of({"paper", "diehardnet"}),
        key<&Job::transient, &TransientTable::layers_by>(
            "transient", "layers_by",
            "feature_maps: how likely a layer is struck: all alike, or in proportion to its "
            "multiply-accumulate operations")
            .one_of({"uniform", "macs"}),
        key<&Job::transient, &TransientTable::geometry>(
            "transient", "geometry",
            "feature_maps: what part of a channel is struck, each with the same probability; line: a row "
            "or a column; element: one position of one channel")
            .one_of({"single", "row", "column", "line", "block", "channel", "random", "element"})
            .by_default("bit_flip: element; paper: single, line, block; diehardnet: line, block, channel")
            .may_be_empty(),
        key<&Job::transient, &TransientTable::channel_probability>(
            "transient", "channel_probability",
            "feature_maps: probability that a channel is struck, for each geometry; at least one channel is")
            .above(0, 1)
            .by_default("single 1, row, column, line 0.75, block, random 0.3, channel 0.1")
            .may_be_empty(),
        key<&Job::transient, &TransientTable::value>("transient", "value",
                                                     "error value: uniform on [0, magnitude), of a power "
                                                     "law, or of a table; or a random bit of the word that "
                                                     "a value is stored as flips (bit_flip); instructions: "
                                                     "relative error of warp_random_value, of a power law "
                                                     "by default")
            .one_of({"uniform", "power_law", "table", "bit_flip"})
            .by_default("paper: uniform; diehardnet: power_law"),
        key<&Job::transient, &TransientTable::magnitude>(
            "transient", "magnitude",
            "uniform: largest error value; the paper trains with up to 100, the number of its epochs, and "
            "does not say what it tests with")
            .above(0, 1e9),
        key<&Job::transient, &TransientTable::power_law>(
            "transient", "power_law",
            "power_law: which of the 21 fitted to register-transfer injections: operation and size of the "
            "operands, such as fadd_small, ffma_common, imad_big")
            .one_of(power_law_names()),
        key<&Job::transient, &TransientTable::table>("transient", "table",
                                                     "table: CSV file of lines VALUE or VALUE,WEIGHT")
            .by_default("none")
            .not_identity(),
        key<&Job::transient, &TransientTable::combine>(
            "transient", "combine",
            "feature_maps: what the error value v makes of a value y: y + v (add), y · v (multiply), or y "
            "· (1 ± v) (relative), or y with bit v of its word flipped (bit_flip)")
            .one_of({"add", "multiply", "relative", "bit_flip"})
            .by_default("bit_flip: bit_flip; paper: add; diehardnet: multiply"),
        key<&Job::transient, &TransientTable::instruction>(
            "transient", "instruction",
            "instructions: what happens to a multiply-add: one bit of its result flips, or the results of "
            "a warp of 32 get a relative error")
            .one_of({"bit_flip", "warp_random_value"}),
        key<&Job::transient, &TransientTable::images_per_fault>(
            "transient", "images_per_fault",
            "images that a fault strikes alike, a random choice; 1: each image has faults of its own; 0: "
            "all test images")
            .between(0, 1e9),
        key<&Job::transient, &TransientTable::injections>(
            "transient", "injections",
            "faults that strike a test image, on average over the images; 0: as campaign.error_margin asks")
            .between(0, 1e9),

        key<&Job::forest, &ForestTable::kind>("forest", "kind",
                                              "balanced random forest, plain random forest, table of "
                                              "shares by layer and bit; the first makes the map, all are "
                                              "judged")
            .one_of({"brf", "rf", "table"})
            .or_single(),
        key<&Job::forest, &ForestTable::sampling>("forest", "sampling", "how a balanced tree draws its rows")
            .one_of({"undersample_bootstrap", "stratified_bootstrap"}),
        key<&Job::forest, &ForestTable::features>(
            "forest", "features",
            "what forests see of a fault beside sign, bit, layer, output and input channel; the rest "
            "follows from the stored word and its place, and costs no inference")
            .one_of({"kernel_position", "layer_type", "fan_in", "depth", "exponent", "magnitude", "direction",
                     "change", "filter_norm"})
            .may_be_empty()
            .since("0.2"),
        key<&Job::forest, &ForestTable::trees>("forest", "trees", "trees per forest").between(1, 1e6),
        key<&Job::forest, &ForestTable::folds>("forest", "folds", "folds of the cross-validation")
            .between(2, 1000),
        key<&Job::forest, &ForestTable::splits>(
            "forest", "splits", "splits into training and test faults; the map's forest is of the first")
            .between(1, 1000)
            .since("0.2"),
        key<&Job::forest, &ForestTable::test_share>("forest", "test_share",
                                                    "share of the faults held out for testing in a split")
            .inside(0, 1),
        key<&Job::forest, &ForestTable::tolerances>("forest", "tolerances",
                                                    "tolerances to train a forest for")
            .below(0, 1)
            .by_default("campaign.tolerances")
            .ascending(),
        key<&Job::forest, &ForestTable::max_missed>("forest", "max_missed",
                                                    "largest share of the critical faults that bits below "
                                                    "the map's threshold may hold; 0: the threshold is a "
                                                    "vote of 0.5")
            .below(0, 1)
            .since("0.2"),
        key<&Job::forest, &ForestTable::max_missed_confidence>("forest", "max_missed_confidence",
                                                               "confidence that they hold no more")
            .inside(0, 1)
            .since("0.2"),
        key<&Job::forest, &ForestTable::validate_with>(
            "forest", "validate_with",
            "a campaign.h5 of the same network whose faults, those that the forest's campaign does not "
            "have, judge the map")
            .by_default("none")
            .since("0.2"),
        key<&Job::forest, &ForestTable::campaign>("forest", "campaign", "a campaign.h5 to use as it is")
            .by_default("none")
            .not_identity(),

        key<&Job::harden, &HardenTable::tolerance>("harden", "tolerance",
                                                   "tolerance whose critical bits are protected")
            .below(0, 1)
            .by_default("smallest of forest.tolerances"),
        key<&Job::harden, &HardenTable::ber>("harden", "ber", "upset probability per bit").inside(0, 1),
        key<&Job::harden, &HardenTable::options>("harden", "options", "ways of protection to choose from")
            .one_of(protection_scheme_names()),
        key<&Job::harden, &HardenTable::max_overhead>(
            "harden", "max_overhead",
            "optimized: most extra memory, a share of the weight memory (0: none at all); -1: no bound")
            .between(-1, 2)
            .since("0.2"),
        key<&Job::harden, &HardenTable::max_residual>(
            "harden", "max_residual",
            "optimized: largest share of single upsets that stay critical, reached with the fewest bits; "
            "-1: as little as max_overhead allows or, without, a tenth of what sec_critical leaves")
            .between(-1, 1)
            .since("0.2"),
        key<&Job::harden, &HardenTable::max_change>(
            "harden", "max_change",
            "optimized: largest change of a layer's weights by the bits that check bits take the place of: "
            "root mean square of the changes, over that of the weights")
            .between(0, 1)
            .since("0.2"),
        key<&Job::harden, &HardenTable::forest>("harden", "forest", "a forest.h5 to use as it is")
            .by_default("none")
            .not_identity(),

        key<&Job::harden, &HardenTable::verify>("harden", "verify",
                                                "run also proves the protection, as the command verify does")
            .not_identity()
            .since("0.2"),

        key<&Job::verify, &VerifyTable::scheme>("verify", "scheme",
                                                "campaign.scheme of the campaign into the protected memory")
            .one_of({"network_wise", "layer_wise", "data_unaware"})
            .not_identity()
            .since("0.2"),
        key<&Job::verify, &VerifyTable::error_margin>("verify", "error_margin", "campaign.error_margin of it")
            .inside(0, 1)
            .not_identity()
            .since("0.2"),
        key<&Job::verify, &VerifyTable::exhaustive>("verify", "exhaustive",
                                                    "upset every bit of the protected memory")
            .not_identity()
            .since("0.2"),
        key<&Job::verify, &VerifyTable::limit>("verify", "limit",
                                               "campaign.limit of it: at most so many upsets; 0: no limit")
            .at_least(0)
            .not_identity()
            .since("0.2"),

        key<&Job::verify, &VerifyTable::images>(
            "verify", "images",
            "first test images that whole memories are judged on; 0: all of the campaign's")
            .between(0, 1e9)
            .not_identity()
            .since("0.2"),

        key<&Job::environment, &EnvironmentTable::fit_per_mbit>(
            "environment", "fit_per_mbit",
            "upsets of 10^6 bits in 10^9 hours where the network is used; 0: not known")
            .between(0, 1e12)
            .since("0.2"),
        key<&Job::environment, &EnvironmentTable::upsets_per_bit_day>(
            "environment", "upsets_per_bit_day", "the same as upsets of a bit in a day; 0: not known")
            .between(0, 1)
            .since("0.2"),
        key<&Job::environment, &EnvironmentTable::multi_bit_share>(
            "environment", "multi_bit_share", "share of the upsets that hit the next bit in memory, too")
            .between(0, 1)
            .since("0.2"),
        key<&Job::environment, &EnvironmentTable::scrub_hours>(
            "environment", "scrub_hours", "hours until the memory is written anew; upsets meet in that time")
            .above(0, 1e7)
            .since("0.2"),

        key<&Job::device, &DeviceTable::kind>("device", "kind", "where networks are evaluated")
            .one_of({"auto", "cpu", "cuda"}),
        key<&Job::device, &DeviceTable::threads>(
            "device", "threads", "threads per rank; 0: from the process's binding and OMP_NUM_THREADS")
            .between(0, 4096)
            .not_identity(),
        key<&Job::device, &DeviceTable::ranks_per_gpu>("device", "ranks_per_gpu",
                                                       "so many ranks of a node share a GPU that is "
                                                       "visible to them; the others use the CPU, or are "
                                                       "refused with kind = \"cuda\"; 0: all ranks share "
                                                       "the GPUs")
            .between(0, 4096)
            .not_identity(),
        key<&Job::device, &DeviceTable::collectives>("device", "collectives",
                                                     "what sums the gradients of a training on several "
                                                     "ranks; auto: nccl where every rank has a GPU of its "
                                                     "own and flipstorm was built with it, else mpi")
            .one_of({"auto", "mpi", "gloo", "nccl"})
            .not_identity(),
    };
}

}  // namespace

const std::vector<KeySpec>& job_keys()
{
    static const std::vector<KeySpec> keys = make_keys();
    return keys;
}

const KeySpec* find_key(std::string_view name)
{
    const auto& keys = job_keys();
    const auto found =
        std::find_if(keys.begin(), keys.end(), [name](const KeySpec& spec) { return spec.name() == name; });
    return found == keys.end() ? nullptr : &*found;
}

const std::vector<std::string>& job_tables()
{
    static const std::vector<std::string> tables = [] {
        std::vector<std::string> names;
        for (const KeySpec& spec : job_keys())
        {
            if (names.empty() || names.back() != spec.table) names.push_back(spec.table);
        }
        return names;
    }();
    return tables;
}

}  // namespace flipstorm
