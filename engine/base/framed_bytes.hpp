#pragma once
// Bytes of a file that tell whether they are whole:
//
//     offset  bytes  content (integers little-endian)
//     0       8      magic
//     8       4      format version
//     12      8      length of the payload
//     20      4      CRC-32 (zlib) of the payload
//     24             payload

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/error.hpp"

namespace flipstorm
{

/// Why the content of a file cannot be used: torn, damaged, of another kind.
class FrameError : public Error
{
  public:
    using Error::Error;
};

/// A kind of file.
struct Frame
{
    std::string_view magic;  ///< 8 bytes
    std::uint32_t version = 0;
    std::string_view name;     ///< "a journal segment"
    std::uint32_t oldest = 0;  ///< files of this version and later ones are read, too; 0: none but `version`
};

/// The file with that payload.
[[nodiscard]] std::string framed(const Frame& frame, std::string_view payload);

/// The payload of a file, in place. \throws FrameError, saying what is wrong.
[[nodiscard]] std::string_view payload_of(const Frame& frame, std::string_view file);

/// Format version of a file that payload_of() accepts.
[[nodiscard]] std::uint32_t version_of(std::string_view file);

}  // namespace flipstorm
