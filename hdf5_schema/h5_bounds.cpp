#include "hdf5_schema/h5_bounds.hpp"

#include <algorithm>
#include <limits>

#include "engine/base/error.hpp"
#include "hdf5_schema/h5.hpp"

namespace flipstorm
{
namespace
{

/// The most bytes that one byte of deflated data can become.
constexpr std::uint64_t kLargestDeflation = 1032;

/// Product, or the largest number where it is beyond.
std::uint64_t capped_product(std::uint64_t a, std::uint64_t b)
{
    constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
    return a != 0 && b > kMost / a ? kMost : a * b;
}

std::uint64_t capped_product(const std::vector<hsize_t>& sizes)
{
    std::uint64_t product = 1;
    for (const hsize_t size : sizes)
        product = capped_product(product, size);
    return product;
}

/// Every chunk of a dataset is in the file. HDF5 before 1.10.5 cannot tell.
void check_chunks(hid_t dataset, hid_t space, const std::vector<hsize_t>& dims,
                  const std::vector<hsize_t>& chunk, const std::string& where)
{
#if H5_VERSION_GE(1, 10, 5)
    // Looking up a chunk takes time in proportion to their number.
    constexpr std::uint64_t kMostLookups = 2000;
    std::vector<hsize_t> counts;
    for (std::size_t d = 0; d < dims.size(); ++d)
        counts.push_back((dims[d] - 1) / chunk[d] + 1);
    const std::uint64_t wanted = capped_product(counts);
    hsize_t found = 0;
    h5_check(H5Dget_num_chunks(dataset, space, &found), where);
    FS_CHECK(FileError, found == wanted, "{}: {} of its {} chunks are there", where, found, wanted);
    if (wanted > kMostLookups) return;
    std::vector<hsize_t> offset(dims.size(), 0);
    for (std::uint64_t i = 0; i < wanted; ++i)
    {
        std::uint64_t rest = i;
        for (std::size_t d = dims.size(); d-- > 0; rest /= counts[d])
            offset[d] = rest % counts[d] * chunk[d];
        haddr_t address = HADDR_UNDEF;
        hsize_t bytes = 0;
        unsigned filters = 0;
        h5_check(H5Dget_chunk_info_by_coord(dataset, offset.data(), &filters, &address, &bytes), where);
        FS_CHECK(FileError, address != HADDR_UNDEF && bytes > 0, "{}: its chunk {} is missing", where, i);
    }
#else
    static_cast<void>(dataset), static_cast<void>(space), static_cast<void>(where);
    static_cast<void>(dims), static_cast<void>(chunk);
#endif
}

void check_chunked(hid_t dataset, hid_t space, hid_t layout, const std::vector<hsize_t>& dims,
                   std::uint64_t value_bytes, std::uint64_t stored, const std::string& where)
{
    std::vector<hsize_t> chunk(dims.size());
    h5_check(H5Pget_chunk(layout, static_cast<int>(chunk.size()), chunk.data()), where);
    FS_CHECK(FileError, std::count(chunk.begin(), chunk.end(), hsize_t{0}) == 0, "{}: its chunks are empty",
             where);
    const int filters = H5Pget_nfilters(layout);
    h5_check(filters, where);
    const std::uint64_t most = filters > 0 ? capped_product(stored, kLargestDeflation) : stored;
    const std::uint64_t bytes = capped_product(capped_product(dims), value_bytes);
    FS_CHECK(FileError, bytes <= most, "{}: it declares {} bytes, but its {} stored bytes hold at most {}",
             where, bytes, stored, most);
    const std::uint64_t chunk_bytes = capped_product(capped_product(chunk), value_bytes);
    FS_CHECK(FileError, chunk_bytes <= most,
             "{}: it declares chunks of {} bytes, but its {} stored bytes hold at most {}", where,
             chunk_bytes, stored, most);
    check_chunks(dataset, space, dims, chunk, where);
}

}  // namespace

std::vector<hsize_t> h5_dims(hid_t space, const std::string& where)
{
    std::vector<hsize_t> sizes(static_cast<std::size_t>(h5_check(H5Sget_simple_extent_ndims(space), where)));
    if (!sizes.empty()) h5_check(H5Sget_simple_extent_dims(space, sizes.data(), nullptr), where);
    return sizes;
}

std::size_t h5_stored_values(hid_t dataset, std::uint64_t file_bytes, const std::string& where)
{
    const H5Handle type(h5_check(H5Dget_type(dataset), where), H5Tclose);
    const H5Handle space(h5_check(H5Dget_space(dataset), where), H5Sclose);
    const H5Handle layout(h5_check(H5Dget_create_plist(dataset), where), H5Pclose);
    const std::vector<hsize_t> dims = h5_dims(space.get(), where);
    const bool is_empty = H5Sget_simple_extent_type(space.get()) == H5S_NULL;
    const std::uint64_t values = is_empty ? 0 : capped_product(dims);
    if (values == 0) return 0;
    const std::uint64_t value_bytes = H5Tget_size(type.get());
    const std::uint64_t stored = H5Dget_storage_size(dataset);
    FS_CHECK(FileError, stored > 0, "{}: it declares values, but holds none", where);
    FS_CHECK(FileError, stored <= file_bytes, "{}: it declares {} stored bytes in a file of {}", where,
             stored, file_bytes);
    switch (H5Pget_layout(layout.get()))
    {
        case H5D_COMPACT:
        case H5D_CONTIGUOUS: {
            FS_CHECK(FileError, H5Pget_external_count(layout.get()) == 0,
                     "{}: its values lie in another file", where);
            const std::uint64_t bytes = capped_product(values, value_bytes);
            FS_CHECK(FileError, bytes <= stored, "{}: it declares {} bytes, but {} are stored", where, bytes,
                     stored);
            break;
        }
        case H5D_CHUNKED:
            check_chunked(dataset, space.get(), layout.get(), dims, value_bytes, stored, where);
            break;
        default:
            throw FileError("{}: its values are stored in a way that is not flipstorm's", where);
    }
    return values;
}

std::size_t h5_attribute_values(hid_t attribute, std::uint64_t file_bytes, const std::string& where)
{
    const H5Handle type(h5_check(H5Aget_type(attribute), where), H5Tclose);
    const H5Handle space(h5_check(H5Aget_space(attribute), where), H5Sclose);
    const bool is_empty = H5Sget_simple_extent_type(space.get()) == H5S_NULL;
    const std::uint64_t values = is_empty ? 0 : capped_product(h5_dims(space.get(), where));
    const std::uint64_t bytes = capped_product(values, H5Tget_size(type.get()));
    FS_CHECK(FileError, bytes <= file_bytes, "{}: it declares {} bytes in a file of {}", where, bytes,
             file_bytes);
    return values;
}

}  // namespace flipstorm
