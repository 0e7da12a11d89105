#include "hdf5_schema/reseal.hpp"

#include <unistd.h>

#include <fstream>
#include <string>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/temporary_file.hpp"
#include "hdf5_schema/comparison_file.hpp"
#include "hdf5_schema/file_summary.hpp"
#include "hdf5_schema/forest_file.hpp"
#include "hdf5_schema/h5_reader.hpp"
#include "hdf5_schema/memory_file.hpp"
#include "hdf5_schema/model_file.hpp"
#include "hdf5_schema/protected_file.hpp"
#include "hdf5_schema/protection_file.hpp"
#include "hdf5_schema/seal.hpp"
#include "hdf5_schema/transient_campaign_file.hpp"
#include "hdf5_schema/trial_read.hpp"

namespace flipstorm
{
namespace fs = std::filesystem;
namespace
{

constexpr std::string_view kHdf5 = "\x89HDF\r\n\x1a\n";

/// Bytes in front of HDF5's own: none, or the room for a seal. \throws FileError if it is no HDF5 file
std::uint64_t room_of(const fs::path& file)
{
    std::ifstream stream(file, std::ios::binary);
    std::string head(kSealBytes + kHdf5.size(), '\0');
    stream.read(head.data(), static_cast<std::streamsize>(head.size()));
    head.resize(static_cast<std::size_t>(stream.gcount()));
    if (head.compare(0, kHdf5.size(), kHdf5) == 0) return 0;
    FS_CHECK(FileError, head.size() > kSealBytes && head.compare(kSealBytes, kHdf5.size(), kHdf5) == 0,
             "cannot seal '{}' (truncated, or no HDF5 file?): it has no HDF5 signature", file.string());
    return kSealBytes;
}

/// HDF5's bytes behind an empty seal.
void copy_behind_room(const fs::path& file, std::uint64_t room, const fs::path& copy)
{
    std::ifstream in(file, std::ios::binary);
    std::ofstream out(copy, std::ios::binary | std::ios::trunc);
    out << std::string(kSealBytes, '\0');
    in.seekg(static_cast<std::streamoff>(room));
    out << in.rdbuf();
    out.close();
    FS_CHECK(FileError, in && out, "cannot copy '{}' to '{}': is the disk full?", file.string(),
             copy.string());
    std::error_code error;
    fs::permissions(copy, fs::status(file).permissions(), error);
}

std::string renamed(std::string text, const std::string& from, const std::string& to)
{
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
    return text;
}

}  // namespace

void read_all_of(const fs::path& file)
{
    const std::string filetype = filetype_of(file);
    if (filetype == model_spec().filetype)
        static_cast<void>(read_model(file));
    else if (filetype == campaign_spec().filetype && campaign_target(file) == "weights")
        static_cast<void>(read_campaign(file));
    else if (filetype == campaign_spec().filetype && campaign_target(file) == "protected")
        static_cast<void>(read_campaign(file, "protected"));
    else if (filetype == campaign_spec().filetype)
        static_cast<void>(read_transient_campaign(file));
    else if (filetype == forest_spec().filetype)
        static_cast<void>(read_forest(file));
    else if (filetype == protection_spec().filetype)
        static_cast<void>(read_protection(file));
    else if (filetype == protected_spec().filetype)
        static_cast<void>(read_protected(file));
    else if (filetype == memory_spec().filetype)
        static_cast<void>(read_memory(file));
    else if (filetype == comparison_spec().filetype)
        static_cast<void>(read_comparison(file));
    else
        throw FileError("'{}' is a '{}', which this flipstorm does not know", file.string(), filetype);
}

void seal_anew(const fs::path& file, const std::function<void(const fs::path& copy)>& check)
{
    FS_CHECK(FileError, fs::is_regular_file(file), "cannot seal '{}': there is no such file", file.string());
    const std::uint64_t room = room_of(file);
    const fs::path copy = create_temporary(file);
    try
    {
        copy_behind_room(file, room, copy);
        seal_file(copy);
        try_reading(copy);
        try_in_child(copy, [&copy] { read_all_of(copy); });
        read_all_of(copy);
        if (check) check(copy);
        publish_file(copy, file);
    }
    catch (const FileError& error)
    {
        ::unlink(copy.c_str());
        throw FileError("{}", renamed(error.what(), copy.string(), file.string()));
    }
    catch (...)
    {
        ::unlink(copy.c_str());
        throw;
    }
}

}  // namespace flipstorm
