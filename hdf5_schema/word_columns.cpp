#include "hdf5_schema/word_columns.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

template<class Word>
void write_as(H5Writer& out, const std::string& path, const std::vector<std::uint32_t>& words,
              const std::vector<hsize_t>& dims)
{
    std::vector<Word> narrow(words.size());
    std::transform(words.begin(), words.end(), narrow.begin(),
                   [](std::uint32_t word) { return static_cast<Word>(word); });
    out.dataset(path, narrow, dims);
}

template<class Word>
std::vector<std::uint32_t> read_as(const H5Reader& in, const std::string& path)
{
    const std::vector<Word> narrow = in.dataset<Word>(path);
    return {narrow.begin(), narrow.end()};
}

}  // namespace

void write_words(H5Writer& out, const std::string& path, const std::vector<std::uint32_t>& words, int bits,
                 const std::vector<hsize_t>& dims)
{
    switch (bits)
    {
        case 8:
            return write_as<std::uint8_t>(out, path, words, dims);
        case 16:
            return write_as<std::uint16_t>(out, path, words, dims);
        case 32:
            return out.dataset(path, words, dims);
        default:
            throw Error("words of {} bits cannot be written", bits);
    }
}

std::vector<std::uint32_t> read_words(const H5Reader& in, const std::string& path, int bits)
{
    switch (bits)
    {
        case 8:
            return read_as<std::uint8_t>(in, path);
        case 16:
            return read_as<std::uint16_t>(in, path);
        case 32:
            return in.dataset<std::uint32_t>(path);
        default:
            in.expect(false, fmt::format("'{}' has words of {} bits; 8, 16 or 32 are possible", path, bits));
            return {};
    }
}

}  // namespace flipstorm
