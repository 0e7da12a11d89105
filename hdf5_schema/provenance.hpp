#pragma once
// Where a file comes from: the root attributes that every flipstorm file carries.

#include <cstdint>
#include <string>

namespace flipstorm
{

/// Root attributes common to all files; see SCHEMA.md. Digests are 64 hexadecimal digits or empty.
struct Provenance
{
    std::string software_version;
    std::string git_sha1;
    std::string date;          ///< UTC, ISO 8601
    std::string command_line;  ///< as typed
    std::string job;           ///< full resolved job file, TOML
    std::string job_sha256;    ///< of `job`
    std::string stage_sha256;  ///< of all that decides the content: resolved tables and digests of the inputs
    std::string model_sha256;  ///< of graph, format and parameters
    std::string dataset_sha256;  ///< of the images and labels used
    std::uint64_t seed = 0;
    std::string libraries;  ///< "HDF5 1.10.8, Open MPI 4.1.4, …"
};

}  // namespace flipstorm
