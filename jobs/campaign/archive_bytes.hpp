#pragma once
// Outcomes as bytes of a journal entry, and back: Boost.Serialization binary archives without a header.

#include <boost/archive/binary_oarchive.hpp>
#include <sstream>
#include <string>

#include "engine/base/error.hpp"
#include "engine/evaluate/outcome.hpp"
#include "mpi/checked_archive.hpp"

namespace boost::serialization
{

template<class Archive>
void serialize(Archive& archive, flipstorm::Tally& tally, unsigned /*version*/)
{
    archive& tally.evaluated& tally.correct& tally.mismatches& tally.nonfinite;
}

}  // namespace boost::serialization

BOOST_CLASS_IMPLEMENTATION(flipstorm::Tally, boost::serialization::object_serializable)
BOOST_CLASS_TRACKING(flipstorm::Tally, boost::serialization::track_never)

namespace flipstorm
{

template<class T>
std::string to_bytes(const T& value)
{
    std::ostringstream stream;
    {
        boost::archive::binary_oarchive archive(stream, boost::archive::no_header);
        archive << value;
    }
    return stream.str();
}

/// \throws FileError if they are no archive of a T.
template<class T>
T from_bytes(const std::string& bytes)
{
    T value;
    try
    {
        read_archive(bytes, boost::archive::no_header,
                     [&value](CheckedArchive& archive) { archive >> value; });
    }
    catch (const FrameError& error)
    {
        throw FileError("its outcome records cannot be read: {}", error.what());
    }
    return value;
}

}  // namespace flipstorm
