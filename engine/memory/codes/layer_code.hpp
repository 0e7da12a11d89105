#pragma once
// How the words of a layer are kept: which bits are forced when they are read, which are under a code, and
// where the check bits lie.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/memory/codes/code.hpp"

namespace flipstorm
{

/// What becomes of a word that a decoder found wrong and could not put right.
enum class OnDetected : std::uint8_t
{
    keep,  ///< it reads as it is
    zero,  ///< all its bits read as 0
};

/**
 * A way to keep the words of a layer.
 *
 * *Forced* bits read as `forced_value`, whatever is stored: bits that are equal in all words of the layer, or
 * that nobody misses. An upset of one changes nothing. *Covered* bits are under a code, those of `group`
 * words in a row together. Its check bits are stored beside the words or, without a bit of memory, in the
 * word itself, in the place of forced bits (`check_places`; then a group is one word).
 */
struct LayerCode
{
    std::string name;
    std::uint32_t forced = 0;        ///< mask
    std::uint32_t forced_value = 0;  ///< of the forced bits; no other bit is set
    std::optional<CodeKind> code{};
    std::uint32_t covered = 0;  ///< mask; none without a code, none of the forced bits
    int group = 1;
    std::uint32_t check_places = 0;  ///< mask, of forced bits; 0: beside the words
    OnDetected on_detected = OnDetected::keep;
};

/// Data bits of a code word: the covered ones of a group.
[[nodiscard]] int data_bits(const LayerCode& code);

/// Check bits of a code word; 0 without a code.
[[nodiscard]] int check_bits(const LayerCode& code);

/// \throws Error if a layer of words of so many bits cannot be kept so: masks beyond the word or into each
/// other, more data bits than the code takes, not as many check places as check bits.
void require_possible(const LayerCode& code, int word_bits);

/// Bits that are stored beside so many words. Thread-safe.
[[nodiscard]] std::uint64_t extra_bits(const LayerCode& code, std::uint64_t words);

/// Two-input exclusive ors of the decoder, for each word. Thread-safe.
[[nodiscard]] double xors_per_word(const LayerCode& code);

/// The words as they read where no upset was: forced bits put in. Thread-safe.
[[nodiscard]] std::vector<std::uint32_t> golden_words(const LayerCode& code,
                                                      std::vector<std::uint32_t> words);

/// What a decoder found in a layer: code words by verdict.
struct DecodedCounts
{
    std::uint64_t clean = 0;
    std::uint64_t corrected = 0;
    std::uint64_t detected = 0;
};

/// The memory of a layer under a code.
class ProtectedWords
{
  public:
    /// Encode. \throws Error as require_possible, or if a word has more bits
    ProtectedWords(LayerCode code, int word_bits, const std::vector<std::uint32_t>& words);

    [[nodiscard]] const LayerCode& code() const { return code_; }

    /// Bits of the memory: those of the words, word by word from the least significant bit on, then the check
    /// bits that are stored beside them.
    [[nodiscard]] std::uint64_t bits() const { return data_bits_ + check_.size() * check_width_; }
    [[nodiscard]] std::uint64_t data_bits() const { return data_bits_; }

    /// An upset of a bit. \throws Error if there is none of that number
    void flip(std::uint64_t bit);

    /// What the words read as. \param counts  added to, if not null
    [[nodiscard]] std::vector<std::uint32_t> decode(DecodedCounts* counts = nullptr) const;

    /// The words of the group of a bit alone, as decode() gives them, and the first one's number: all that an
    /// upset of that bit can change.
    struct Group
    {
        std::uint64_t first = 0;
        std::vector<std::uint32_t> words;
        Verdict verdict = Verdict::clean;
    };
    [[nodiscard]] Group decode_group_of(std::uint64_t bit) const;

  private:
    [[nodiscard]] std::uint64_t group_of(std::uint64_t bit) const;
    [[nodiscard]] std::uint64_t covered_bits(std::size_t group) const;
    [[nodiscard]] Group decode_group(std::size_t group) const;

    LayerCode code_;
    std::size_t word_bits_;
    std::vector<std::uint32_t> words_;
    std::uint64_t data_bits_;
    std::size_t check_width_ = 0;  ///< bits of an element of check_
    std::vector<std::uint64_t>
        check_;  ///< of each group; empty where they lie in the words, or there are none
};

}  // namespace flipstorm
