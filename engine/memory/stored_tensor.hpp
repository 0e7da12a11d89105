#pragma once
// A tensor as it lies in memory: the words that upsets hit, and what they read as.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/memory/number_format.hpp"
#include "engine/memory/shared_values.hpp"
#include "engine/memory/word_fault.hpp"

namespace flipstorm
{

/// What is wrong with the scales of a tensor of that shape, as the rest of a sentence ("scale 2 is nan; …");
/// empty if they are as the format wants them (Scaling): none, one, or one of each output channel.
[[nodiscard]] std::string scales_problem(const FormatTraits& traits, const std::vector<float>& scales,
                                         const std::vector<std::int64_t>& shape);

/**
 * Words of one number format, row-major, with their decoded values beside them. Where the format's words are
 * the patterns of the floats they read as (fp32) both are one array. Copies share all arrays; what changes an
 * element makes its own copy first. Any number of threads may read; one that changes must be alone with its
 * copy.
 */
class StoredTensor
{
  public:
    /// No element.
    StoredTensor();

    /**
     * Values, each encoded.
     *
     * \param shape   its product is the number of values; the first dimension is that of the output channels
     * \param scales  see scales_problem
     * \throws Error if the shape or the scales do not fit
     */
    StoredTensor(std::vector<std::int64_t> shape, SharedValues values,
                 const FormatTraits& traits = format_traits(NumberFormat::fp32), SharedValues scales = {});

    /// Words as they were stored: from their low bits. \throws Error as above, or if a word has more bits
    [[nodiscard]] static StoredTensor of_words(std::vector<std::int64_t> shape, SharedWords words,
                                               const FormatTraits& traits, SharedValues scales = {});

    [[nodiscard]] const FormatTraits& traits() const { return *traits_; }
    [[nodiscard]] NumberFormat format() const { return traits_->format; }
    [[nodiscard]] const std::vector<std::int64_t>& shape() const { return shape_; }
    [[nodiscard]] const SharedValues& scales() const { return scales_; }
    [[nodiscard]] std::size_t size() const { return values_.size(); }

    /// What the words read as.
    [[nodiscard]] const SharedValues& values() const { return values_; }
    /// The words, in their low bits; empty where the values are the words.
    [[nodiscard]] const SharedWords& words() const { return words_; }
    /// \pre i < size()
    [[nodiscard]] std::uint32_t word(std::size_t i) const;
    /// What the word would read as in place of element i. \pre i < size()
    [[nodiscard]] float decoded(std::size_t i, std::uint32_t word) const;
    /// The word of element i under a fault. \pre i < size() \throws Error as faulty_value
    [[nodiscard]] std::uint32_t word_under(std::size_t i, WordFault fault) const;
    /**
     * What element i reads as under a fault of its word. Never clamped: NaN and infinities come through.
     * \pre i < size() \throws Error if the fault hits a bit that the format's words do not have
     */
    [[nodiscard]] float faulty_value(std::size_t i, WordFault fault) const;

    /// Put a word in place of element i. \throws Error if there is no such element or the word has more bits
    void set_word(std::size_t i, std::uint32_t word);
    /// Put another scale, any float, in place of one: all words under it read otherwise.
    /// \throws Error if there is no such scale
    void set_scale(std::size_t i, float scale);
    /// Put a value there, encoded. \throws Error if there is no such element
    void set_value(std::size_t i, float value);
    /// Put other values in place of all, each encoded; the scales stay. \throws Error if there are more or
    /// fewer
    void set_values(SharedValues values);

  private:
    void require_form(std::size_t elements) const;
    [[nodiscard]] float scale(std::size_t i) const;
    void encode_all(SharedValues values);
    /// Call work(first element, the one behind the last, scale) for each scale.
    template<class Work>
    void by_scale(std::size_t elements, Work&& work) const;

    const FormatTraits* traits_;
    std::vector<std::int64_t> shape_;
    SharedValues scales_;
    SharedWords words_;
    SharedValues values_;
};

}  // namespace flipstorm
