#pragma once
// What stages read: data sets and models, from files to the engine's types and back.

#include <filesystem>

#include "engine/base/error.hpp"
#include "engine/data/dataset.hpp"
#include "engine/network/network.hpp"
#include "hdf5_schema/model_file.hpp"
#include "jobs/job.hpp"

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

/// The data set of a job, with the job's normalisation if it names one, and the first data.train_images
/// training images. \throws JobError, FileError, DataError
Dataset load_dataset(const Job& job);

/// The first data.test_images test images of a job (0: all). \throws JobError, FileError, DataError
ImageSet load_test_images(const Job& job);

/// The network that a job trains, before it is trained. \throws JobError, DataError if the images do not fit
/// it
Network fresh_network(const Job& job, const Dataset& dataset);

/// A network as a record; provenance and test accuracy are left to the caller.
ModelRecord to_record(const Network& network);

/// A network from its record. \throws DataError naming `file` if the record is no whole network.
Network from_record(const ModelRecord& record, const std::filesystem::path& file);

/**
 * Read and check a model file.
 * \throws FileError, DataError; the latter also if the content is not what `model_sha256` names. A file from
 * elsewhere may leave that attribute empty.
 */
Network load_network(const std::filesystem::path& file);

}  // namespace flipstorm
