#pragma once
// How the words of a layer are kept: which bits are forced when they are read, which are under a code, and
// where the check bits lie.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/memory/codes/code.hpp"
#include "engine/memory/stored_tensor.hpp"

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
 * *Forced* bits read as `forced_value`, and *copies* as the word's top bit, whatever is stored: bits that are
 * equal in all words of the layer, or that nobody misses, and those that only extend the sign of a number in
 * two's complement. An upset of one changes nothing. *Covered* bits are under a code. Words are coded in
 * blocks of `group` words in a row (the words of a layer are shared out so that no block has two more than
 * another): the covered bits of a block are one word of the code, or, *interleaved*, those of one position
 * are, so that no two bits of a word share one. Check bits are stored beside the words or, without a bit of
 * memory, in place of forced bits and copies (`check_places`: of the first word of a block from the lowest
 * on, then of the second).
 */
struct LayerCode
{
    std::string name;
    std::uint32_t forced = 0;        ///< mask
    std::uint32_t forced_value = 0;  ///< of the forced bits; no other bit is set
    std::optional<CodeKind> code{};
    std::uint32_t covered = 0;  ///< mask; none without a code, none of the forced bits or copies
    int group = 1;
    std::uint32_t check_places = 0;  ///< mask, of forced bits and copies; 0: beside the words
    OnDetected on_detected = OnDetected::keep;
    std::uint32_t copies = 0;  ///< mask: bits below the top one and side by side with it
    bool interleaved = false;
};

/// Data bits of a code word.
[[nodiscard]] int data_bits(const LayerCode& code);

/// Check bits of a block; 0 without a code.
[[nodiscard]] int check_bits(const LayerCode& code);

/// \throws Error if a layer of so many words of so many bits cannot be kept so: masks beyond the word or into
/// each other, more data bits than the code takes, a block without places for its check bits, words zeroed on
/// error in blocks of several.
void require_possible(const LayerCode& code, int word_bits, std::uint64_t words);

/// Whether a layer of so many words has blocks with places for their check bits; yes where they lie beside.
[[nodiscard]] bool has_places(const LayerCode& code, std::uint64_t words);

/// Bits that are stored beside so many words. Thread-safe.
[[nodiscard]] std::uint64_t extra_bits(const LayerCode& code, std::uint64_t words);

/// Two-input exclusive ors of the decoder, for each word. Thread-safe.
[[nodiscard]] double xors_per_word(const LayerCode& code);

/// All words of a tensor, as codes take them.
[[nodiscard]] std::vector<std::uint32_t> words_of(const StoredTensor& tensor);

/**
 * The words as they read where no upset was.
 *
 * Forced bits are put in. Where those right below the top bit, or the copies, are others in a word, its
 * number is out of the range that is left, and becomes the nearest in it: the largest or smallest of its
 * sign. \pre the words are numbers whose patterns without the top bit rise with them, or with their
 * magnitudes
 */
[[nodiscard]] std::vector<std::uint32_t> golden_words(const LayerCode& code, int word_bits,
                                                      std::vector<std::uint32_t> words);

/// What a decoder found in a layer: blocks by their worst verdict.
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
    /// Encode golden_words. \throws Error as require_possible, or if a word has more bits
    ProtectedWords(LayerCode code, int word_bits, const std::vector<std::uint32_t>& words);

    /// A memory as stored() and checks() gave it. \throws Error as above, or if there are not as many check
    /// bits as the code has
    [[nodiscard]] static ProtectedWords of_stored(LayerCode code, int word_bits,
                                                  std::vector<std::uint32_t> words,
                                                  std::vector<std::uint64_t> checks);

    [[nodiscard]] const LayerCode& code() const { return code_; }

    /// Bits of the memory: those of the words, word by word from the least significant bit on, then the check
    /// bits that are stored beside them.
    [[nodiscard]] std::uint64_t bits() const { return data_bits_ + check_.size() * check_width_; }
    [[nodiscard]] std::uint64_t data_bits() const { return data_bits_; }

    /// An upset of a bit. \throws Error if there is none of that number
    void flip(std::uint64_t bit);

    /// What the words read as. \param counts  added to, if not null
    [[nodiscard]] std::vector<std::uint32_t> decode(DecodedCounts* counts = nullptr) const;

    /// The words of the block of a bit alone, as decode() gives them, and the first one's number: all that an
    /// upset of that bit can change.
    struct Block
    {
        std::uint64_t first = 0;
        std::vector<std::uint32_t> words;
        Verdict verdict = Verdict::clean;  ///< the worst of its code words
    };
    [[nodiscard]] Block decode_block_of(std::uint64_t bit) const;

    /// The block of a bit. \throws Error as flip
    [[nodiscard]] std::size_t block_of(std::uint64_t bit) const;

    /// Whether a bit of the memory is 1. \throws Error as flip
    [[nodiscard]] bool bit(std::uint64_t number) const;

    /// The block of some bits as it reads while these are upset; nothing else may be. \throws Error unless
    /// they are of one block
    [[nodiscard]] Block decode_upset(const std::vector<std::uint64_t>& bits) const;

    /// The memory: words as they are stored, and check bits that lie beside them, by block and, interleaved,
    /// by position from the lowest on; `check_width` bits each.
    [[nodiscard]] const std::vector<std::uint32_t>& stored() const { return words_; }
    [[nodiscard]] const std::vector<std::uint64_t>& checks() const { return check_; }
    [[nodiscard]] int check_width() const { return static_cast<int>(check_width_); }

  private:
    struct Unencoded
    {};
    ProtectedWords(LayerCode code, int word_bits, std::vector<std::uint32_t> words, Unencoded);
    [[nodiscard]] std::size_t block_of_word(std::uint64_t word) const;
    [[nodiscard]] std::size_t first_of(std::size_t block) const { return block * words_.size() / blocks_; }
    /// What is stored of a block: its words, and its check bits that lie beside them.
    struct Stored
    {
        std::vector<std::uint32_t> words;
        std::vector<std::uint64_t> checks;
    };
    [[nodiscard]] Stored stored_block(std::size_t block) const;
    [[nodiscard]] std::uint64_t covered_bits(const std::vector<std::uint32_t>& words,
                                             std::size_t codeword) const;
    [[nodiscard]] std::uint64_t check_of(const Stored& stored, std::size_t codeword) const;
    void store_in_places(std::size_t block, std::size_t codeword, std::uint64_t check);
    [[nodiscard]] Block decode_stored(std::size_t block, Stored stored) const;

    LayerCode code_;
    std::size_t word_bits_;
    std::vector<std::uint32_t> words_;
    std::uint64_t data_bits_;
    std::size_t blocks_;
    std::size_t codewords_ = 1;             ///< of a block
    std::size_t check_width_ = 0;           ///< bits of a code word's check bits
    std::vector<std::uint32_t> positions_;  ///< of the covered bits of each code word of a block, as masks
    std::vector<std::uint64_t> check_;      ///< of each code word; empty where they lie in the words
};

}  // namespace flipstorm
