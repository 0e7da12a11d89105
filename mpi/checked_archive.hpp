#pragma once
// Reads Boost.Serialization binary archives of unknown origin: no length that stands in one is believed
// before it is known that so many bytes are there. Boost's own reader makes room for as many elements as the
// bytes say, terabytes if need be.

#include <boost/archive/binary_iarchive_impl.hpp>
#include <boost/archive/impl/basic_binary_iarchive.ipp>
#include <boost/archive/impl/basic_binary_iprimitive.ipp>
#include <boost/serialization/array_optimization.hpp>
#include <boost/serialization/collection_size_type.hpp>
#include <boost/serialization/string.hpp>
#include <cstring>
#include <exception>
#include <streambuf>
#include <string>
#include <string_view>
#include <utility>

#include "engine/base/framed_bytes.hpp"

namespace flipstorm
{

/// Bytes in place, as a stream buffer.
class ViewBuffer : public std::streambuf
{
  public:
    explicit ViewBuffer(std::string_view view)
    {
        char* const begin = const_cast<char*>(view.data());  // streambuf asks for it; it is only read
        setg(begin, begin, begin + view.size());
    }

    /// Bytes not read yet.
    [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(egptr() - gptr()); }
    [[nodiscard]] std::string_view rest() const { return {gptr(), left()}; }
};

/// What binary_iarchive reads, with every length held against the bytes that are left.
class CheckedArchive
    : public boost::archive::binary_iarchive_impl<CheckedArchive, char, std::char_traits<char>>
{
    using Base = boost::archive::binary_iarchive_impl<CheckedArchive, char, std::char_traits<char>>;
    friend class boost::archive::detail::interface_iarchive<CheckedArchive>;
    friend class boost::archive::basic_binary_iarchive<CheckedArchive>;
    friend class boost::archive::load_access;

  public:
    explicit CheckedArchive(ViewBuffer& buffer, unsigned flags = 0) : Base(buffer, flags), buffer_(buffer)
    {
        if ((flags & boost::archive::no_header) == 0U) require_header();
        init(flags);
    }

    template<class T>
    void load_override(T& value)
    {
        Base::load_override(value);
    }
    void load_override(boost::serialization::collection_size_type& count)
    {
        Base::load_override(count);
        require(std::as_const(count));  // an element takes a byte at least
    }

    using Base::load;
    void load(std::string& text)
    {
        std::size_t length = 0;
        load_binary(&length, sizeof(length));
        require(length);
        text.resize(length);
        load_binary(text.data(), length);
    }
    void load(bool& value)
    {
        unsigned char byte = 0;
        load_binary(&byte, 1);
        FS_CHECK(FrameError, byte <= 1, "its archive holds {} for yes or no", byte);
        value = byte == 1;
    }

    /// Bytes not read yet.
    [[nodiscard]] std::size_t left() const { return buffer_.left(); }

  private:
    /// Length and text of the signature, then the library's version in two bytes. Boost asserts that the
    /// version is there, and that those of old ones, whose numbers were wider, are small.
    void require_header() const
    {
        constexpr unsigned kOldest = 8;  // Boost 1.44
        const std::size_t place =
            sizeof(std::size_t) + std::strlen(boost::archive::BOOST_ARCHIVE_SIGNATURE());
        const std::string_view bytes = buffer_.rest();
        FS_CHECK(FrameError, bytes.size() >= place + 2,
                 "its archive cannot be read: it is shorter than an archive's header");
        const unsigned version = static_cast<unsigned char>(bytes[place]);
        FS_CHECK(FrameError, version >= kOldest,
                 "its archive cannot be read: it has version {}, the oldest that is read is {}", version,
                 kOldest);
    }

    void require(std::size_t count) const
    {
        FS_CHECK(FrameError, count <= buffer_.left(),
                 "its archive announces {} elements, more than fit the {} bytes that are left", count,
                 buffer_.left());
    }

    const ViewBuffer& buffer_;
};

/**
 * Read an archive to its end: `load` gets it, and takes from it what was written.
 *
 * \param flags  of Boost's archive, as those of the writer  \throws FrameError, saying what is wrong
 */
template<class Load>
void read_archive(std::string_view bytes, unsigned flags, Load&& load)
{
    ViewBuffer buffer(bytes);
    try
    {
        CheckedArchive archive(buffer, flags);
        load(archive);
    }
    catch (const FrameError&)
    {
        throw;
    }
    catch (const std::exception& error)  // of Boost, or of a container: too long, no memory
    {
        throw FrameError("its archive cannot be read: {}", error.what());
    }
    FS_CHECK(FrameError, buffer.left() == 0, "its archive is followed by {} bytes that do not belong there",
             buffer.left());
}

}  // namespace flipstorm

BOOST_SERIALIZATION_USE_ARRAY_OPTIMIZATION(flipstorm::CheckedArchive)
