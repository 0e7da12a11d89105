#include "hdf5_schema/h5.hpp"

#include <fmt/format.h>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// The innermost description of the HDF5 error stack: the cause rather than the consequence.
std::string h5_reason()
{
    std::string reason;
    H5Ewalk2(
        H5E_DEFAULT, H5E_WALK_UPWARD,
        [](unsigned /*position*/, const H5E_error2_t* entry, void* out) -> herr_t {
            auto& text = *static_cast<std::string*>(out);
            if (text.empty() && entry->desc != nullptr) text = entry->desc;
            return 0;
        },
        &reason);
    H5Eclear2(H5E_DEFAULT);
    return reason.empty() ? "HDF5 gives no reason" : reason.substr(0, reason.find('\n'));
}

}  // namespace

bool H5Handle::reset()
{
    const hid_t id = std::exchange(id_, H5I_INVALID_HID);
    return id < 0 || closer_ == nullptr || closer_(id) >= 0;
}

hid_t h5_check(hid_t result, const std::string& what)
{
    if (result < 0) throw FileError("{}: {}", what, h5_reason());
    return result;
}

hid_t h5_native(ElementType type)
{
    switch (type)
    {
        case ElementType::int32:
            return H5T_NATIVE_INT32;
        case ElementType::uint8:
            return H5T_NATIVE_UINT8;
        case ElementType::uint16:
            return H5T_NATIVE_UINT16;
        case ElementType::uint32:
            return H5T_NATIVE_UINT32;
        case ElementType::uint64:
            return H5T_NATIVE_UINT64;
        case ElementType::float32:
            return H5T_NATIVE_FLOAT;
        case ElementType::float64:
            return H5T_NATIVE_DOUBLE;
        case ElementType::text:
            break;
    }
    throw Error("text has no native HDF5 type");
}

std::string hdf5_version()
{
    h5_prepare();
    unsigned major = 0;
    unsigned minor = 0;
    unsigned release = 0;
    H5get_libversion(&major, &minor, &release);
    return fmt::format("HDF5 {}.{}.{}", major, minor, release);
}

void h5_prepare()
{
    // Its own clean-up at exit crashes after a close that failed on a full disk; everything is closed here.
    H5dont_atexit();
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    // A link must not lead out of a file into one that nobody has checked.
    static const bool stays_inside = H5Lunregister(H5L_TYPE_EXTERNAL) >= 0;
    static_cast<void>(stays_inside);
}

}  // namespace flipstorm
