#pragma once
// Outcomes as bytes of a journal entry, and back: Boost.Serialization binary archives without a header.

#include <boost/archive/binary_iarchive.hpp>
#include <boost/archive/binary_oarchive.hpp>
#include <exception>
#include <sstream>
#include <string>

#include "engine/base/error.hpp"
#include "engine/evaluate/outcome.hpp"

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
        std::istringstream stream(bytes);
        boost::archive::binary_iarchive archive(stream, boost::archive::no_header);
        archive >> value;
    }
    catch (const std::exception& error)
    {
        throw FileError("the journal holds outcome records that cannot be read ({}); remove it with --fresh",
                        error.what());
    }
    return value;
}

}  // namespace flipstorm
