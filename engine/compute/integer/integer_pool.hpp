#pragma once
// What threads compute images of a network of whole numbers with: taken, and given back.

#include "engine/base/object_pool.hpp"
#include "engine/compute/integer/integer_image.hpp"

namespace flipstorm
{

template<class Word>
using IntegerPool = ObjectPool<IntegerImage<Word>, IntegerModel<Word>>;

/// Call `function` with a Word of the type that a network's values are stored in.
template<class Function>
auto with_word(std::int32_t word_bits, const Function& function)
{
    if (word_bits <= 8) return function(std::uint8_t{});
    if (word_bits <= 16) return function(std::int16_t{});
    return function(std::int32_t{});
}

}  // namespace flipstorm
