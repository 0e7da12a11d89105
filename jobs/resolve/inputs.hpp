#pragma once
// What stages read: data sets and models, from files to the engine's types and back.

#include <filesystem>

#include "engine/base/error.hpp"
#include "engine/data/dataset.hpp"
#include "engine/network/network.hpp"
#include "hdf5_schema/model_file.hpp"
#include "jobs/job_file/job.hpp"

namespace flipstorm
{

/// Do something with the content of a file; a DataError gets the file's name in front.
template<class Work>
auto naming(const std::filesystem::path& file, Work&& work)
{
    try
    {
        return work();
    }
    catch (const DataError& error)
    {
        throw DataError("'{}': {}", file.string(), error.what());
    }
}

/// The data set of a job, for messages: its folder, or its kind where it has none.
std::string data_name(const Job& job);

/// "mean [0.2860] and std [0.3530] of pixel / 255: measured on the 60000 training images"
std::string normalisation_text(const Dataset& dataset);

/// The data set of a job, with the job's normalisation if it names one, and the first data.train_images
/// training images, its labels less data.label_offset. Whether they are classes is left to the caller, who
/// knows of which network. \throws JobError, FileError, DataError
Dataset load_dataset(const Job& job);

/// The first data.test_images test images of a job (0: all). \throws JobError, FileError, DataError
ImageSet load_test_images(const Job& job);

/// The network that a job trains from the beginning, before it is trained, in fp32. \throws JobError,
/// DataError if the images do not fit it, or a label is no class of the training set
Network fresh_network(const Job& job, const Dataset& dataset);

/// The network that a job's training begins with, in fp32: that of model.file where the job fine-tunes it,
/// else a fresh one. \throws JobError, FileError, DataError as load_network and fresh_network
Network first_network(const Job& job, const Dataset& dataset);

/// Say in the log if a fault-free accuracy on so many images is not better than chance (chance_warning).
void warn_of_chance(double accuracy, std::int64_t images, std::int32_t classes);

/// A network as a record; provenance and test accuracy are left to the caller.
ModelRecord to_record(const Network& network);

/// A network from its record. \throws DataError naming `file` if the record is no whole network.
Network from_record(ModelRecord record, const std::filesystem::path& file);

/**
 * Read and check a model file.
 * \throws FileError, DataError; the latter also if the content is not what `model_sha256` names. A file from
 * elsewhere may leave that attribute empty.
 */
Network load_network(const std::filesystem::path& file);

/// The network that a job strikes. \throws JobError if the job asks for number formats and has trained its
/// network in others, before; one that it names in model.file is taken as it is
Network load_network_of(const Job& job, const std::filesystem::path& file);

}  // namespace flipstorm
