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
    std::string format;                     ///< number format of the stored words, e.g. "fp32"
    std::vector<std::int32_t> input_shape;  ///< C, H, W
    std::int32_t num_classes = 0;
    std::vector<float> mean;     ///< per channel, of pixel / 255
    std::vector<float> std_dev;  ///< per channel, of pixel / 255
    double test_accuracy = 0;    ///< share of the whole test set, 0 … 1; NaN if never measured
    std::string graph;           ///< JSON
    std::vector<ParameterRecord> parameters;
    TrainingColumns training;  ///< empty for imported networks and in files of version 1.0
};

/// Write model.h5 under a temporary name and rename it. \throws FileError.
void write_model(const std::filesystem::path& file, const ModelRecord& model);

/**
 * Read model.h5 whole.
 *
 * \throws FileError if the file cannot be read, is no flipstorm model, is of another major version, or lacks
 * something; the message names the file and the object.
 */
ModelRecord read_model(const std::filesystem::path& file);

}  // namespace flipstorm
