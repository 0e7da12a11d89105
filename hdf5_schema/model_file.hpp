#pragma once
// model.h5: a trained network in plain arrays, readable without flipstorm.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/memory/shared_values.hpp"
#include "hdf5_schema/provenance.hpp"

namespace flipstorm
{

/// One entry of the state dict.
struct ParameterRecord
{
    std::string name;                 ///< PyTorch state-dict name, e.g. "conv1.weight"
    std::vector<std::int64_t> shape;  ///< as in PyTorch, row-major
    SharedValues values;              ///< decoded values, row-major
    std::string format = "fp32";      ///< number format of its words
    SharedWords codes{};              ///< its words, in their low bits; empty where the values are the words
    SharedValues scales{};            ///< as the format has them
};

/// How a node's value lies in memory.
struct ActivationRecord
{
    std::string node;
    float scale = 1;
    std::int32_t bits = 0;
};

/// Learning curve: one row per epoch.
struct TrainingColumns
{
    std::vector<std::int32_t> epoch;  ///< from 1
    std::vector<double> loss;
    std::vector<double> train_accuracy;
    std::vector<double> learning_rate;
    std::vector<double> seconds;
};

/// Content of model.h5.
struct ModelRecord
{
    Provenance provenance;
    std::string arch;                       ///< e.g. "lenet5"
    std::string format;                     ///< number format that was asked for, e.g. "fp32"
    std::vector<std::int32_t> input_shape;  ///< C, H, W
    std::int32_t num_classes = 0;
    std::vector<float> mean;     ///< per channel, of pixel / 255
    std::vector<float> std_dev;  ///< per channel, of pixel / 255
    double test_accuracy = 0;    ///< share of the whole test set, 0 … 1; NaN if never measured
    std::string graph;           ///< JSON
    std::vector<ParameterRecord> parameters;
    std::vector<ActivationRecord> activations{};  ///< of a network that computes in whole numbers
    TrainingColumns training;  ///< empty for imported and converted networks and in files of version 1.0
};

/// Write model.h5 under a temporary name and rename it. A network of fp32 becomes a file of version 1.2,
/// which had no others. \throws FileError.
void write_model(const std::filesystem::path& file, const ModelRecord& model);

/**
 * Read model.h5 whole.
 *
 * \throws FileError if the file cannot be read, is no flipstorm model, is of another major version, lacks
 * something, or its words do not read as its values; the message names the file and the object.
 */
ModelRecord read_model(const std::filesystem::path& file);

}  // namespace flipstorm
