#pragma once
// Thin RAII wrappers around the HDF5 C library. Every call is checked once, here; a failure is a FileError
// that names the file, the object and HDF5's own reason.

#include <hdf5.h>
#include <mpi.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "hdf5_schema/schema.hpp"

namespace flipstorm
{

/// An HDF5 identifier that closes itself.
class H5Handle
{
  public:
    using Closer = herr_t (*)(hid_t);

    H5Handle() = default;
    H5Handle(hid_t id, Closer closer) : id_(id), closer_(closer) {}
    H5Handle(H5Handle&& other) noexcept
        : id_(std::exchange(other.id_, H5I_INVALID_HID)), closer_(other.closer_)
    {}
    H5Handle& operator=(H5Handle&& other) noexcept
    {
        std::swap(id_, other.id_);
        std::swap(closer_, other.closer_);
        return *this;
    }
    ~H5Handle() { reset(); }

    [[nodiscard]] hid_t get() const { return id_; }
    /// Close now. \return whether it went well
    bool reset();
    /// Never close: for a handle whose closing would wait for ranks that have failed.
    void abandon() { id_ = H5I_INVALID_HID; }

  private:
    hid_t id_ = H5I_INVALID_HID;
    Closer closer_ = nullptr;
};

/// Result of an HDF5 call that must not be negative. \throws FileError: `what`, then HDF5's reason.
hid_t h5_check(hid_t result, const std::string& what);

/// HDF5 type that holds elements of this type in memory and on disk.
template<class T>
struct H5Element;
template<>
struct H5Element<std::int32_t>
{
    static constexpr ElementType kType = ElementType::int32;
};
template<>
struct H5Element<std::uint8_t>
{
    static constexpr ElementType kType = ElementType::uint8;
};
template<>
struct H5Element<std::uint16_t>
{
    static constexpr ElementType kType = ElementType::uint16;
};
template<>
struct H5Element<std::uint32_t>
{
    static constexpr ElementType kType = ElementType::uint32;
};
template<>
struct H5Element<std::uint64_t>
{
    static constexpr ElementType kType = ElementType::uint64;
};
template<>
struct H5Element<float>
{
    static constexpr ElementType kType = ElementType::float32;
};
template<>
struct H5Element<double>
{
    static constexpr ElementType kType = ElementType::float64;
};

/// Native HDF5 type of an element; not for text.
[[nodiscard]] hid_t h5_native(ElementType type);

/// "HDF5 1.10.8"
[[nodiscard]] std::string hdf5_version();

/// To be called before any other use of HDF5, any number of times: errors are reported by exceptions here,
/// not printed by HDF5, HDF5 does not clean up after us at exit, and links to other files are not followed.
void h5_prepare();

}  // namespace flipstorm
