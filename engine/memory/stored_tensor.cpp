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

/// Whether a tensor of that shape can have so many scales.
bool can_have(Scaling scaling, std::size_t scales, const std::vector<std::int64_t>& shape)
{
    switch (scaling)
    {
        case Scaling::none:
            return scales == 0;
        case Scaling::power_of_two:
            return scales == 1;
        case Scaling::any:
            return scales == 1 || (!shape.empty() && scales == static_cast<std::size_t>(shape.front()));
    }
    throw Error("no scaling is number {}", static_cast<int>(scaling));
}

std::string wanted_scales(Scaling scaling)
{
    switch (scaling)
    {
        case Scaling::none:
            return "none";
        case Scaling::power_of_two:
            return "one";
        case Scaling::any:
            return "one, or one of each output channel,";
    }
    throw Error("no scaling is number {}", static_cast<int>(scaling));
}

}  // namespace

std::string scales_problem(const FormatTraits& traits, const std::vector<float>& scales,
                           const std::vector<std::int64_t>& shape)
{
    if (!can_have(traits.scaling, scales.size(), shape))
    {
        return fmt::format("{} scales for {} of shape [{}]; {} would be right", scales.size(), traits.name,
                           fmt::join(shape, ", "), wanted_scales(traits.scaling));
    }
    for (std::size_t i = 0; i < scales.size(); ++i)
    {
        if (!std::isfinite(scales[i]) || scales[i] <= 0)
            return fmt::format("scale {} is {}; a scale is finite and above 0", i, scales[i]);
        if (traits.scaling == Scaling::power_of_two && !is_power_of_two(scales[i]))
            return fmt::format("scale {} is {}; the scale of {} is a power of two", i, scales[i],
                               traits.name);
    }
    return {};
}

StoredTensor::StoredTensor() : StoredTensor({0}, SharedValues()) {}

StoredTensor::StoredTensor(std::vector<std::int64_t> shape, SharedValues values, const FormatTraits& traits,
                           SharedValues scales)
    : traits_(&traits), shape_(std::move(shape)), scales_(std::move(scales))
{
    require_form(values.size());
    encode_all(std::move(values));
}

StoredTensor StoredTensor::of_words(std::vector<std::int64_t> shape, SharedWords words,
                                    const FormatTraits& traits, SharedValues scales)
{
    StoredTensor tensor;
    tensor.traits_ = &traits;
    tensor.shape_ = std::move(shape);
    tensor.scales_ = std::move(scales);
    tensor.require_form(words.size());
    const std::vector<std::uint32_t>& stored = words.get();
    std::vector<float> values(stored.size());
    tensor.by_scale(stored.size(), [&](std::size_t first, std::size_t end, float scale) {
        for (std::size_t i = first; i < end; ++i)
        {
            FS_REQUIRE(std::uint64_t{stored[i]} >> static_cast<unsigned>(traits.bits) == 0,
                       "word {:#x} in a tensor of {}-bit words", stored[i], traits.bits);
            values[i] = traits.decode(stored[i], scale);
        }
    });
    tensor.values_ = std::move(values);
    if (!traits.words_are_values) tensor.words_ = std::move(words);
    return tensor;
}

void StoredTensor::require_form(std::size_t elements) const
{
    FS_REQUIRE(elements == elements_of(shape_), "{} values for a tensor of shape [{}]", elements,
               fmt::join(shape_, ", "));
    const std::string problem = scales_problem(*traits_, scales_, shape_);
    FS_REQUIRE(problem.empty(), "{}", problem);
}

template<class Work>
void StoredTensor::by_scale(std::size_t elements, Work&& work) const
{
    const std::size_t parts = scales_.empty() ? 1 : scales_.size();
    const std::size_t each = elements / parts;
    for (std::size_t p = 0; p < parts; ++p)
        work(p * each, (p + 1) * each, scales_.empty() ? 1.0F : scales_[p]);
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

void StoredTensor::set_scale(std::size_t i, float scale)
{
    FS_REQUIRE(i < scales_.size(), "scale {} of {}", i, scales_.size());
    scales_.edit()[i] = scale;
    const std::size_t each = size() / scales_.size();
    std::vector<float>& values = values_.edit();
    for (std::size_t k = i * each; k < (i + 1) * each; ++k)
        values[k] = decoded(k, word(k));
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
    by_scale(words.size(), [&](std::size_t first, std::size_t end, float scale) {
        for (std::size_t i = first; i < end; ++i)
        {
            words[i] = traits_->encode(decoded_values[i], scale);
            decoded_values[i] = traits_->decode(words[i], scale);
        }
    });
    words_ = std::move(words);
}

}  // namespace flipstorm
