#include "engine/memory/stored_tensor.hpp"

#include <fmt/ranges.h>

#include <cmath>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/memory/faulty_value.hpp"

namespace flipstorm
{
namespace
{

std::uint64_t elements_of(const std::vector<std::int64_t>& shape)
{
    std::uint64_t count = 1;
    for (const std::int64_t size : shape)
    {
        FS_REQUIRE(size >= 0, "a tensor of shape [{}]", fmt::join(shape, ", "));
        count *= static_cast<std::uint64_t>(size);
    }
    return count;
}

bool is_power_of_two(float scale)
{
    int exponent = 0;
    return std::frexp(scale, &exponent) == 0.5F;
}

/// Whether the number of scales and their values are as the format wants them.
bool fits(Scaling scaling, const SharedValues& scales, const std::vector<std::int64_t>& shape)
{
    for (const float scale : scales)
    {
        if (!std::isfinite(scale) || scale <= 0) return false;
    }
    switch (scaling)
    {
        case Scaling::none:
            return scales.empty();
        case Scaling::power_of_two:
            return scales.size() == 1 && is_power_of_two(scales.front());
        case Scaling::any:
            return scales.size() == 1 ||
                   (!shape.empty() && scales.size() == static_cast<std::size_t>(shape.front()));
    }
    throw Error("no scaling is number {}", static_cast<int>(scaling));
}

}  // namespace

StoredTensor::StoredTensor() : StoredTensor({0}, SharedValues()) {}

StoredTensor::StoredTensor(std::vector<std::int64_t> shape, SharedValues values, const FormatTraits& traits,
                           SharedValues scales)
    : traits_(&traits), shape_(std::move(shape)), scales_(std::move(scales))
{
    FS_REQUIRE(values.size() == elements_of(shape_), "{} values for a tensor of shape [{}]", values.size(),
               fmt::join(shape_, ", "));
    FS_REQUIRE(fits(traits.scaling, scales_, shape_), "scales [{}] for a tensor of shape [{}] in {}",
               fmt::join(scales_, ", "), fmt::join(shape_, ", "), traits.name);
    encode_all(std::move(values));
}

StoredTensor StoredTensor::of_words(std::vector<std::int64_t> shape, std::vector<std::uint32_t> words,
                                    const FormatTraits& traits, SharedValues scales)
{
    StoredTensor tensor(std::move(shape), std::vector<float>(words.size()), traits, std::move(scales));
    for (std::size_t i = 0; i < words.size(); ++i)
        tensor.set_word(i, words[i]);
    return tensor;
}

std::uint32_t StoredTensor::word(std::size_t i) const
{
    return traits_->words_are_values ? traits_->encode(values_[i], 1) : words_[i];
}

float StoredTensor::decoded(std::size_t i, std::uint32_t word) const
{
    return traits_->decode(word, scale(i));
}

std::uint32_t StoredTensor::word_under(std::size_t i, WordFault fault) const
{
    const int bit = highest_bit(fault.mask);
    FS_REQUIRE(bit < traits_->bits, "bit {} of a word of {}", bit, traits_->bits);
    return static_cast<std::uint32_t>(apply(fault, word(i)));
}

float StoredTensor::faulty_value(std::size_t i, WordFault fault) const
{
    return decoded(i, word_under(i, fault));
}

void StoredTensor::set_word(std::size_t i, std::uint32_t word)
{
    FS_REQUIRE(i < size(), "element {} of a tensor of {}", i, size());
    FS_REQUIRE(std::uint64_t{word} >> static_cast<unsigned>(traits_->bits) == 0,
               "word {:#x} in a tensor of {}-bit words", word, traits_->bits);
    values_.edit()[i] = decoded(i, word);
    if (!traits_->words_are_values) words_.edit()[i] = word;
}

void StoredTensor::set_value(std::size_t i, float value)
{
    FS_REQUIRE(i < size(), "element {} of a tensor of {}", i, size());
    set_word(i, traits_->encode(value, scale(i)));
}

void StoredTensor::set_values(SharedValues values)
{
    FS_REQUIRE(values.size() == size(), "{} values for a tensor of shape [{}]", values.size(),
               fmt::join(shape_, ", "));
    encode_all(std::move(values));
}

float StoredTensor::scale(std::size_t i) const
{
    if (scales_.empty()) return 1;
    return scales_.size() == 1 ? scales_.front() : scales_[i / (size() / scales_.size())];
}

void StoredTensor::encode_all(SharedValues values)
{
    values_ = std::move(values);
    if (traits_->words_are_values) return;
    std::vector<float>& decoded_values = values_.edit();
    std::vector<std::uint32_t> words(decoded_values.size());
    for (std::size_t i = 0; i < words.size(); ++i)
    {
        words[i] = traits_->encode(decoded_values[i], scale(i));
        decoded_values[i] = decoded(i, words[i]);
    }
    words_ = std::move(words);
}

}  // namespace flipstorm
