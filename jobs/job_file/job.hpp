#pragma once
// What a user asks for: the content of a job file, with every default filled in. One struct per table; the
// meaning, limits and default of every key stand once, in job_keys.cpp.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace flipstorm
{

struct JobTable
{
    std::string name = "flipstorm";
    std::uint64_t seed = 1;
    std::string out;  ///< empty in the file: "out/<name>"
};

struct DataTable
{
    std::string kind = "idx";       ///< "idx", "cifar10", "cifar100", "synthetic"
    std::string path;               ///< folder of the data set; not used by "synthetic"
    std::int64_t train_images = 0;  ///< first images of the training set used to train; 0: all
    std::int64_t test_images = 0;   ///< first images of the test set used by a campaign; 0: all
    std::int64_t label_offset = 0;  ///< subtracted from every label
    std::string labels = "fine";    ///< of cifar100: "fine", "coarse"
    std::vector<double> mean;       ///< per channel, of pixel / 255; empty: default of the kind
    std::vector<double> std;        ///< per channel; empty: default of the kind
};

struct ModelTable
{
    std::string arch = "lenet5";
    std::string format = "fp32";
    std::map<std::string, std::string> formats;  ///< by layer, of those that have another one
    std::int64_t integer_bits = 1;  ///< of fixed point: digits before the point, the sign one of them
    std::string scale = "channel";  ///< of int8: "channel", "tensor"
    std::string file;               ///< a model.h5 to use as it is instead of training one
    std::string activation = "relu";
    std::string order = "conv-norm-act";
    std::string shortcut;  ///< empty in the file: the usual one of the architecture
};

struct TrainTable
{
    std::int64_t epochs = 6;
    std::int64_t batch = 128;
    double lr = 0.1;  ///< peak learning rate
    double momentum = 0.9;
    double weight_decay = 1e-4;
    double clip = 0;                          ///< largest norm of the gradient; 0: no clipping
    std::string loss = "cross_entropy";       ///< "cross_entropy", "bce"
    std::string schedule = "one_cycle";       ///< "one_cycle", "cosine", "constant"
    std::string augment = "none";             ///< "none", "crop_flip"
    std::string init = "default";             ///< "default", "kaiming_normal"
    std::string batch_norm = "synchronised";  ///< "synchronised", "local"
    double checkpoint_minutes = 10;
};

/// [train.fault_aware]
struct FaultAwareTable
{
    std::string rule = "none";  ///< "none", "paper", "diehardnet"
    std::string geometry = "block";
    double images = 0.75;    ///< share of a batch that is struck
    double channels = 0.3;   ///< probability of each channel
    double magnitude = 1.0;  ///< largest error; under rule "paper", times the epoch
};

struct CampaignTable
{
    std::string target = "weights";
    std::vector<std::string> parameters = {"weights"};  ///< "weights", "biases", "batch_norm", "scales"
    std::string scheme = "layer_wise";
    std::string fault_model = "bit_flip";
    std::int64_t upset_bits = 2;      ///< bits that adjacent_bits and random_bits hit
    std::vector<std::string> layers;  ///< to inject; empty: all
    std::string protected_memory;     ///< a protected.h5 that target "protected" strikes
    std::vector<double> ber = {1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3};  ///< of verify's whole memories
    std::int64_t trials = 200;  ///< whole memories for each of these
    std::string fault_list;     ///< a CSV file of the faults to inject
    std::string exclude;        ///< a campaign.h5 whose faults are not injected again
    bool exhaustive = false;    ///< every fault of them
    std::int64_t pilot = 0;  ///< faults per stratum an iterative campaign starts with; 0: the fewest possible
    double error_margin = 0.01;
    double confidence = 0.99;
    double t = 0;                         ///< quantile of the normal distribution; 0: from `confidence`
    std::string evaluation = "screened";  ///< "screened", "exact", "reference"
    double kappa = 3;                     ///< of the screen: safety factor on the move of a margin
    double tau = 3;                  ///< of the screen: largest change, in standard deviations of its channel
    double audit_share = 0.005;      ///< of the screened pairs, evaluated all the same; at least
    double screen_bound = 1e-5;      ///< largest share of wrong screened pairs of a layer, at 95 % confidence
    std::string backend = "auto";    ///< "auto", "native", "libtorch"
    std::vector<double> tolerances;  ///< empty in the file: 0.005, 0.010, … 0.100
    std::int64_t limit = 0;          ///< at most so many faults, spread evenly over the strata; 0: no limit
    double journal_seconds = 5;      ///< how long results may stay unsaved
    std::int64_t memory_budget =
        0;  ///< MiB per rank: golden activations, work space, packed weights; 0: 2048
};

/// Of campaigns whose target is feature_maps or instructions.
struct TransientTable
{
    std::string rules = "paper";        ///< "paper", "diehardnet": what the empty keys below stand for
    std::string layers_by = "uniform";  ///< "uniform", "macs"
    std::vector<std::string> geometry;  ///< "single", "row", "column", "line", "block", "channel", "random"
    std::vector<double> channel_probability;  ///< of each geometry
    std::string value;                        ///< "uniform", "power_law", "table"
    double magnitude = 100;                   ///< of "uniform"
    std::string power_law = "ffma_common";    ///< of "power_law"
    std::string table;                        ///< CSV file, of "table"
    std::string combine;                      ///< "add", "multiply", "relative"
    std::string instruction = "bit_flip";     ///< "bit_flip", "warp_random_value"
    std::int64_t images_per_fault = 1;        ///< 0: all
    std::int64_t injections = 0;              ///< per test image, on average; 0: by campaign.error_margin
};

struct ForestTable
{
    std::vector<std::string> kind = {"brf"};  ///< "brf", "rf", "table"; the first makes the map
    std::string sampling = "undersample_bootstrap";
    std::vector<std::string> features;  ///< beside the paper's five
    std::int64_t trees = 100;
    std::int64_t folds = 10;
    std::int64_t splits = 10;  ///< into training and test faults
    double test_share = 0.3;
    std::vector<double> tolerances;  ///< empty: the campaign's
    double max_missed = 0;           ///< share of the critical faults below the map's threshold; 0: it is 0.5
    double max_missed_confidence = 0.95;
    std::string validate_with;  ///< a campaign.h5 that judges the map
    std::string campaign;       ///< a campaign.h5 to use as it is
};

struct HardenTable
{
    double tolerance = 0;  ///< 0: the smallest of forest.tolerances
    double ber = 1e-9;     ///< upset probability per bit
    std::vector<std::string> options = {"none",       "sec_all",      "sec_64",
                                        "sec_ded_64", "sec_critical", "optimized"};
    double max_overhead = -1;  ///< of "optimized", share of the weight memory; −1: no bound
    double max_residual = -1;  ///< of "optimized", share of the upsets; −1: see job_keys.cpp
    double max_change = 0.01;  ///< of "optimized": of a layer's weights, where no upset is
    std::string forest;        ///< a forest.h5 to use as it is
    bool verify = false;       ///< `run` proves the protection, too
};

/// Of the campaigns that prove a protection.
struct VerifyTable
{
    std::string scheme = "data_unaware";
    double error_margin = 0.01;
    bool exhaustive = false;
    std::int64_t limit = 0;
    std::int64_t images = 2000;  ///< of each whole memory; 0: all
};

/// Where the network is used.
struct EnvironmentTable
{
    double fit_per_mbit = 0;        ///< upsets of 10^6 bits in 10^9 hours; 0: not known
    double upsets_per_bit_day = 0;  ///< the same in another unit; 0: not known
    double multi_bit_share = 0;     ///< of the upsets, those that hit the next bit, too
    double scrub_hours = 24;        ///< between two writings of the memory
};

struct DeviceTable
{
    std::string kind = "auto";         ///< "auto", "cpu", "cuda"
    std::int64_t threads = 0;          ///< per rank; 0: from the binding and OMP_NUM_THREADS
    std::int64_t ranks_per_gpu = 0;    ///< further ranks of a node use the CPU; 0: all share its GPUs
    std::string collectives = "auto";  ///< "auto", "mpi", "gloo", "nccl"
};

/// A resolved job: every key has its value.
struct Job
{
    JobTable job;
    DataTable data;
    ModelTable model;
    TrainTable train;
    FaultAwareTable fault_aware;
    CampaignTable campaign;
    TransientTable transient;
    ForestTable forest;
    HardenTable harden;
    VerifyTable verify;
    EnvironmentTable environment;
    DeviceTable device;
};

}  // namespace flipstorm
